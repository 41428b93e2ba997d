//! Lists of numbers as the kernel writes them: `0-3,5`.

/// The most numbers that are believed; no kernel has so many processors or cells.
const MOST: usize = 1 << 16;

/// The numbers of a list, as they stand there; `None` when it is none.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    let text = text.trim();
    if text.is_empty() {
        return Some(numbers);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || usize::try_from(last - first).ok()? >= MOST - numbers.len() {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The list of ascending numbers.
#[must_use]
pub fn format(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (text, numbers) in [
            ("0", vec![0]),
            ("0-3", vec![0, 1, 2, 3]),
            ("0-1,4,6-7", vec![0, 1, 4, 6, 7]),
            ("", vec![]),
        ] {
            assert_eq!(parse(&format!("{text}\n")), Some(numbers.clone()));
            assert_eq!(format(&numbers), text);
        }
        for text in ["x", "3-1", "1,", "0-4294967295", "-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
