//! The chapters of `docs/driver-author`, so that `cargo test` compiles and runs the code in them.

macro_rules! chapters {
    ($($name:ident),+ $(,)?) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../../docs/driver-author/", stringify!($name), ".md"))]
        pub mod $name {}
    )+

        /// Every chapter.
        pub const CHAPTERS: &[&str] = &[$(stringify!($name)),+];
    };
}

chapters!(
    callbacks,
    conformance,
    errors,
    faults,
    libvirt,
    lifecycle,
    locks,
    logging,
    persistence,
    strings,
    threads,
    tutorial,
    versions,
);
