//! The reference driver broken on purpose, one way at a time.
