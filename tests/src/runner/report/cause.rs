//! What many failures say alike: one defect that most checks meet, and which of them to read first.

use crate::check::Verdict;
use crate::runner::outcome::Outcome;
use std::collections::BTreeMap;

/// So many checks must say the same before it is told: fewer are read one by one.
const MANY: usize = 3;

/// A sentence that several checks met, and those checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cause {
    /// What the driver or the host said.
    pub sentence: String,
    /// The ids of the checks that failed with it, in order.
    pub checks: Vec<&'static str>,
    /// The one that is about it: of the locks' order the checks of locks know most.
    pub first: &'static str,
}

impl Cause {
    /// It as lines for people.
    #[must_use]
    pub fn told(&self) -> String {
        format!(
            "{} of the failures say the same: {}\nread {first} first: conformance explain {first}\n",
            self.checks.len(),
            self.sentence,
            first = self.first,
        )
    }
}

/// The sentence that most failures share, if there is one.
#[must_use]
pub fn shared(outcomes: &[Outcome]) -> Option<Cause> {
    let failed: Vec<(&'static str, &str)> = outcomes
        .iter()
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed { text } => Some((outcome.check.id, text.as_str())),
            _ => None,
        })
        .collect();
    let mut sentences: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, text) in &failed {
        if let Some(sentence) = error_in(text) {
            *sentences.entry(sentence).or_default() += 1;
        }
    }
    let (sentence, _) = sentences.into_iter().max_by_key(|(_, count)| *count)?;
    let checks: Vec<&'static str> = failed
        .iter()
        .filter(|(_, text)| text.contains(sentence))
        .map(|(id, _)| *id)
        .collect();
    let about = checks.iter().find(|id| id.starts_with("LOCK-"));
    let first = about.or_else(|| checks.first())?;
    (checks.len() >= MANY).then(|| Cause {
        sentence: sentence.to_owned(),
        first,
        checks: checks.clone(),
    })
}

/// The message of `found error NN: message`.
fn error_in(text: &str) -> Option<&str> {
    let (_, found) = text.split_once("found error ")?;
    let (_, message) = found.lines().next()?.split_once(": ")?;
    (!message.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use std::time::Duration;

    fn failed(id: &str, text: &str) -> Outcome {
        Outcome {
            check: catalogue::find(id).unwrap(),
            verdict: Verdict::Failed { text: text.to_owned() },
            output: String::new(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn the_check_that_is_about_it_is_read_first() {
        let same = "start: expected success, found error 55: lock order: Filter after Virt";
        let breach = "rules: expected none to be broken, found 1: lock order: Filter after Virt";
        let all = [
            failed("VIRT-005", same),
            failed("VIRT-030", same),
            failed("VIRT-031", "start: expected success, found error 38: cannot open '/k'"),
            failed("LOCK-001", breach),
        ];
        let cause = shared(&all).unwrap();
        assert_eq!(cause.sentence, "lock order: Filter after Virt");
        assert_eq!(
            (cause.first, cause.checks.as_slice()),
            ("LOCK-001", &["VIRT-005", "VIRT-030", "LOCK-001"][..])
        );
        assert!(cause.told().contains("3 of the failures"), "{}", cause.told());
        assert_eq!(shared(&all[..2]), None);
        assert_eq!(shared(&[]), None);
    }
}
