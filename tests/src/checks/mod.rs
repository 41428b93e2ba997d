//! The checks, a file for each part of the driver author's book.

mod domains;
mod elf;
mod life;
pub(crate) mod process;
mod steps;

pub(crate) mod abi;
pub(crate) mod binding;
pub(crate) mod concurrency;
pub(crate) mod conduct;
pub(crate) mod contract;
pub(crate) mod contract_more;
pub(crate) mod faults;
pub(crate) mod filter;
pub(crate) mod fuzz;
pub(crate) mod inspect;
pub(crate) mod leaks;
pub(crate) mod locks;
pub(crate) mod logging;
pub(crate) mod persistence;
pub(crate) mod shutdown;
pub(crate) mod state;
pub(crate) mod version;
pub(crate) mod wire;
