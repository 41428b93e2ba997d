//! Reports of a run, for people and for programs.

pub mod cause;
pub mod human;
pub mod json;
pub mod junit;
pub mod tap;

/// What a plug-in said, as a person may see it: a terminal obeys nothing of it, and no line of it looks like another one.
fn shown(text: &str) -> String {
    let obeyed = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_it_is_written() {
        assert_eq!(shown("a\tb\nc\u{e9}"), "a\tb\nc\u{e9}");
        assert_eq!(
            shown("x\rpass\u{1b}[2J\u{9b}1m\u{202e}"),
            "x\\rpass\\u{1b}[2J\\u{9b}1m\\u{202e}"
        );
    }
}
