//! The words of the kernel's command line: where the kernel cuts them, and which of them the user may not say.

use super::{RUN, refuse};
use driver_api::error::Result;

/// Options that the host decides, each with the place where the user may have a say.
const OWNED: &[(&str, &str)] = &[
    ("umid=", "the host chooses it"),
    ("uml_dir=", "the host chooses it"),
    ("mconsole=", "the host listens there"),
    ("mem=", "use <currentMemory>"),
    ("iomem=", "it would open a file of the host"),
    ("initrd=", "use <initrd>"),
    ("con", "use <console>"),
    ("ssl", "use <serial>"),
    ("xterm=", "it would run a program of the host"),
    ("ubd", "use <disk>"),
    ("eth", "use <interface>"),
    ("vec", "use <interface>"),
    ("virtio_uml.device=", "it would connect to a socket of the host"),
    ("hostfs=", "shared folders come with <filesystem>"),
    ("--help", "it would not boot"),
    ("--version", "it would not boot"),
    ("--showconfig", "it would not boot"),
];

/// Words that only look like an owned option.
const FREE: &[&str] = &["console", "ssl-non-raw"];

/// The user's words, cut at blanks outside double quotes; quotes stay, since the kernel glues all words together and
/// cuts again.
///
/// # Errors
/// 67 with the word that the host decides.
pub(super) fn checked(cmdline: &str) -> Result<Vec<String>> {
    if cmdline.contains(RUN) {
        return Err(refuse(format!(
            "<cmdline> contains '{RUN}', which stands for the guest's run folder"
        )));
    }
    if let Some(control) = cmdline.chars().find(|c| c.is_control() && !c.is_ascii_whitespace()) {
        return Err(refuse(format!(
            "<cmdline> contains the control character '{}'",
            control.escape_debug()
        )));
    }
    for word in kernel_words(cmdline.as_bytes()) {
        // The kernel drops a quote before it looks at the name, and takes `-` for `_` there.
        let bare: Vec<u8> = word.iter().copied().filter(|byte| *byte != b'"').collect();
        if let Some((_, remedy)) = owner(&bare) {
            let word = String::from_utf8_lossy(word);
            return Err(refuse(format!(
                "word '{word}' of <cmdline> is not the user's to say: {remedy}"
            )));
        }
    }
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in cmdline.chars() {
        quoted ^= c == '"';
        if c.is_ascii_whitespace() && !quoted {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// A text that UML takes from its argument as it is and the kernel reads once more: nothing in it may cut or quote.
pub(super) fn plain<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.bytes().any(splits) || text.contains(['"', '\'']) || text.contains(char::is_control) {
        return Err(refuse(format!(
            "{what} '{}' has a blank, a quote or a letter that UML cannot be told, rename it",
            text.escape_debug()
        )));
    }
    Ok(text)
}

/// Whether the kernel cuts words at this byte: its `isspace` knows Latin-1, so it cuts in the middle of letters such as
/// `à` as well.
pub(super) const fn splits(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0)
}

/// The words as the kernel sees them.
fn kernel_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        splits(*byte) && !quoted
    })
}

fn owner(word: &[u8]) -> Option<&'static (&'static str, &'static str)> {
    let begins = |prefix: &str| {
        word.len() >= prefix.len()
            && word
                .iter()
                .zip(prefix.as_bytes())
                .all(|(a, b)| a == b || matches!((a, b), (b'-', b'_')))
    };
    if FREE.iter().any(|free| begins(free)) {
        return None;
    }
    OWNED.iter().find(|(prefix, _)| begins(prefix))
}
