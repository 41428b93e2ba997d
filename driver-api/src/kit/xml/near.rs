//! `nearest`: the known name that a misspelt one was probably meant to be.

/// The first candidate that begins with `name` (three letters or more), else the closest one if it is close enough to be
/// a slip: at most a third of the letters differ.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let begun = |candidate: &&str| name.len() > 2 && candidate.starts_with(name);
    let closest = || {
        let measured = candidates
            .clone()
            .into_iter()
            .map(|candidate| (distance(name, candidate), candidate));
        measured
            .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, candidate)| candidate)
    };
    candidates.clone().into_iter().find(begun).or_else(closest)
}

/// Edit distance in letters, where exchanged case is free and two exchanged letters count as one.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    // A name from a hostile document may be megabytes long; no candidate is, so the rest cannot change the verdict.
    for (i, x) in a.chars().flat_map(char::to_lowercase).take(128).enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = row[j] + usize::from(x != *y);
            let mut best = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if j > 0 && last == Some(*y) && b[j - 1] == x {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(x);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_finds_none() {
        let known = ["srcmacaddr", "dstmacaddr", "srcipaddr", "dscp", "state"];
        assert_eq!(nearest("scrmacaddr", known), Some("srcmacaddr"));
        assert_eq!(nearest("srcIPAddr", known), Some("srcipaddr"));
        assert_eq!(nearest("stat", known), Some("state"));
        assert_eq!(nearest("tpc", ["udp", "tcp", "ip"]), Some("tcp"));
        assert_eq!(nearest("prio", ["action", "priority"]), Some("priority"));
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
