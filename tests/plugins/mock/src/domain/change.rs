//! Changing a domain where the flags say: in what runs, in the definition, or in both or neither.

use super::def::Def;
use super::model::{Domain, Scope};
use crate::core::{Mock, seize};
use crate::fault::Part;
use driver_api::error::Result;
use driver_api::lock::level;
use driver_api::lock::level::{After, Level};
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

/// Which of a domain's two definitions is being changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Live,
    Config,
}

/// A change that was made.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) before: Arc<Domain>,
    pub(super) after: Domain,
    pub(super) scope: Scope,
}

impl Mock {
    /// Makes the same change on each side that the flags name; `edit` is pure.
    pub(super) fn change<L: Level>(
        &self,
        cx: &mut Cx<'_, L>,
        uuid: Uuid,
        flags: u32,
        mut edit: impl FnMut(&Def, Side) -> Result<Def>,
    ) -> Result<Changed>
    where
        level::Virt: After<L>,
        level::Domain: After<L>,
    {
        self.in_service(Part::Domain)?;
        let _held = seize(cx, uuid)?;
        let before = self.domains.get(uuid)?;
        let scope = Scope::of(&before, flags)?;
        let mut after = Domain::clone(&before);
        if scope.config {
            let next = Arc::new(edit(&**before.persistent()?, Side::Config)?);
            if before.run.is_none() {
                after.def = Arc::clone(&next);
            }
            after.next = Some(next);
        }
        if scope.live {
            after.def = Arc::new(edit(&before.def, Side::Live)?);
        }
        self.store_change(&before, &after, scope)?;
        self.domains.publish(after.clone());
        Ok(Changed { before, after, scope })
    }

    /// Both files or neither.
    fn store_change(&self, before: &Domain, after: &Domain, scope: Scope) -> Result<()> {
        if scope.config {
            self.store.save(&**after.persistent()?)?;
        }
        if !scope.live {
            return Ok(());
        }
        let noted = self.store.save_run(after, &after.running()?);
        if noted.is_err()
            && scope.config
            && let Some(old) = &before.next
            && let Err(error) = self.store.save(old)
        {
            tracing::error!(dom = %before.name(), %error, "a definition could not be put back: it is the new one now");
        }
        noted
    }
}
