//! How pools come up with the host, whatever their folders answer.

use super::folder::Folder;
use super::lane::Errand;
use super::{Figures, Pool};
use driver_api::error::{Code, Result};
use driver_api::types::uuid::Uuid;

/// How many folders are looked at at once when the host starts.
pub(super) const AT_ONCE: usize = 64;

/// Starts pools that `ran` or shall start with the host, as far as their folders answer. Whether one that ran is active does not
/// depend on how fast its folder is.
pub(super) fn bring_up(pools: &mut [Pool], ran: &[Uuid]) {
    // Many at once, so that folders that hang cost one deadline together.
    for pools in pools.chunks_mut(AT_ONCE) {
        let ran = |pool: &Pool| ran.contains(&pool.definition.uuid);
        let errands: Vec<_> = pools
            .iter()
            .map(|pool| (ran(pool) || pool.autostart).then(|| pool.begin(&pool.looks, Folder::figures)))
            .collect();
        for (pool, errand) in pools.iter_mut().zip(errands) {
            let Some(errand) = errand else { continue };
            match last(ran(pool), errand.and_then(Errand::wait)) {
                Ok(figures) => {
                    *pool.last.lock() = figures;
                    pool.active = true;
                }
                Err(error) => tracing::warn!(pool = pool.name(), %error, "a pool does not start"),
            }
        }
    }
}

/// The figures of a pool that is active, by a look at its folder.
fn last(ran: bool, look: Result<Figures>) -> Result<Figures> {
    match look {
        Err(error) if ran && error.code() == Code::OPERATION_TIMEOUT => {
            tracing::warn!(%error, "a pool that was active stays so");
            Ok(Figures::default())
        }
        look => look,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault;
    use super::*;

    #[test]
    fn a_slow_folder_does_not_end_a_pool_that_ran() {
        let look = |code| Err(fault(code, "as tests do"));
        let slow = Code::OPERATION_TIMEOUT;
        assert_eq!(last(true, look(slow)).unwrap(), Figures::default());
        assert_eq!(last(false, look(slow)).unwrap_err().code(), slow);
        assert_eq!(
            last(true, look(Code::OPERATION_FAILED)).unwrap_err().code(),
            Code::OPERATION_FAILED
        );
    }
}
