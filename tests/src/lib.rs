//! Shared ground of the end-to-end tests: a private root, a running host, real clients.
