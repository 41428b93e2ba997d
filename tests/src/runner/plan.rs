//! `Plan`: which checks are run, which are skipped and why, decided before anything runs.

use crate::bench::Facts;
use crate::catalogue;
use crate::check::{Check, Reason};
use crate::profile::{self, Profile};

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only checks whose id, title or clause contains one of these; all when there is none.
    pub filter: Vec<String>,
    /// Not these ids (or what begins with them, up to a dash): skipped as asked, which no profile forgives.
    pub skip: Vec<String>,
    /// Only the checks of these profiles; all that the plug-in offers when there is none.
    pub profiles: Vec<String>,
    /// Only what can be asked of a daemon over its socket.
    pub wire: bool,
}

/// One check and what is to become of it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The check.
    pub check: &'static Check,
    /// Why it is not tried.
    pub skip: Option<(Reason, String)>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every check that was asked for, in order.
    pub checks: Vec<Planned>,
    /// The profiles that are judged.
    pub profiles: Vec<Profile>,
    /// Profiles that were asked for and are not offered.
    pub missing: Vec<String>,
}

impl Plan {
    /// The plan for a plug-in; `facts` is an error when the host refuses it.
    #[must_use]
    pub fn new(selection: &Selection, facts: Result<&Facts, &str>, root: bool) -> Self {
        let interfaces: &[String] = facts.map_or(&[], |facts| &facts.interfaces);
        let mut profiles = profile::offered(interfaces);
        let asked = |profile: &Profile| selection.profiles.iter().any(|name| name == profile.name);
        let missing = selection.profiles.iter();
        let missing = missing.filter(|name| !profiles.iter().any(|profile| profile.name == **name));
        let missing = missing.cloned().collect();
        if !selection.profiles.is_empty() {
            profiles.retain(asked);
        }
        let chosen = |check: &&Check| {
            let of = profile::of(check);
            (selection.profiles.is_empty() || asked(&of))
                && selection.names(check)
                && (!selection.wire || check.id.starts_with("WIRE-"))
        };
        let planned = |check: &'static Check| Planned {
            check,
            skip: skip(check, selection, facts, root),
        };
        Self {
            checks: catalogue::all().filter(chosen).map(planned).collect(),
            profiles,
            missing,
        }
    }
}

impl Selection {
    fn names(&self, check: &Check) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|wanted| Self::fits(wanted, check))
    }

    /// Whether a word of `filter` means a check.
    #[must_use]
    pub fn fits(wanted: &str, check: &Check) -> bool {
        check.id.to_lowercase().contains(&wanted.to_lowercase())
            || check.clause.contains(wanted)
            || check.title.contains(wanted)
    }

    /// Whether a word of `skip` means a check.
    #[must_use]
    pub fn leaves_out(id: &str, check: &Check) -> bool {
        let rest = check.id.strip_prefix(id);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

fn skip(check: &Check, selection: &Selection, facts: Result<&Facts, &str>, root: bool) -> Option<(Reason, String)> {
    if selection.skip.iter().any(|id| Selection::leaves_out(id, check)) {
        return Some((Reason::Asked, String::from("left out with --skip")));
    }
    match facts {
        Err(_) if check.id.starts_with("ABI-") => None,
        Err(_) => Some((
            Reason::Interface,
            String::from("the host refuses the plug-in (see the ABI checks)"),
        )),
        Ok(facts) => {
            let offered = |wanted: &&&str| facts.interfaces.iter().any(|offered| offered == **wanted);
            if let Some(missing) = check.needs.iter().find(|wanted| !offered(wanted)) {
                return Some((Reason::Interface, format!("the plug-in offers no '{missing}'")));
            }
            (check.privileged && !root).then(|| (Reason::Privilege, String::from("needs root")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(interfaces: &[&str]) -> Facts {
        Facts {
            name: String::from("x"),
            version: String::from("1"),
            api: String::from("1.0"),
            needs: Vec::new(),
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_is_not_offered_is_skipped_with_its_name_and_judged_in_no_profile() {
        let facts = facts(&["driver.core/1"]);
        let plan = Plan::new(&Selection::default(), Ok(&facts), true);
        let names: Vec<&str> = plan.profiles.iter().map(|profile| profile.name).collect();
        assert_eq!(names, ["core"]);
        for planned in &plan.checks {
            let needs_more = planned.check.needs.iter().any(|need| *need != "driver.core/1");
            match &planned.skip {
                Some((Reason::Interface, text)) => assert!(needs_more && text.contains(planned.check.needs[0])),
                other => assert!(!needs_more, "{}: {other:?}", planned.check.id),
            }
        }
    }

    #[test]
    fn of_a_plug_in_that_is_refused_only_its_abi_is_tried() {
        let plan = Plan::new(&Selection::default(), Err("no manifest"), true);
        assert!(plan.checks.iter().any(|planned| planned.skip.is_none()));
        for planned in plan.checks {
            assert_eq!(planned.skip.is_none(), planned.check.id.starts_with("ABI-"));
        }
    }

    #[test]
    fn a_profile_that_is_not_offered_is_missing_and_an_id_that_is_left_out_says_so() {
        let facts = facts(&["driver.core/1"]);
        let selection = Selection {
            profiles: vec![String::from("virt")],
            ..Selection::default()
        };
        assert_eq!(Plan::new(&selection, Ok(&facts), true).missing, ["virt"]);
        let selection = Selection {
            skip: vec![String::from("ABI-001")],
            ..Selection::default()
        };
        let plan = Plan::new(&selection, Ok(&facts), true);
        let skipped = plan.checks.iter().filter(|planned| {
            let skip = planned.skip.as_ref();
            skip.is_some_and(|(reason, _)| *reason == Reason::Asked)
        });
        assert_eq!(skipped.map(|planned| planned.check.id).collect::<Vec<_>>(), ["ABI-001"]);
    }
}
