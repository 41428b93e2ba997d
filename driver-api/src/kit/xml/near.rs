//! `nearest`: the known name that a misspelt one was probably meant to be.

/// The candidate closest to `name`, if it is close enough to be a slip: at most a third of the letters differ.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance in letters, where exchanged case is free.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // A name from a hostile document may be megabytes long; no candidate is, so the rest cannot change the verdict.
    for (i, x) in a.chars().flat_map(char::to_lowercase).take(128).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
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
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
