//! Ports of a check's own network, and what the kernel has there of filters and links.

use crate::check::{Failure, Outcome, Reason};
use std::process::{Command, Stdio};

/// Makes a port: one end of a cable whose other end nobody holds.
///
/// # Errors
/// The machine's tools or kernel have none.
pub(crate) fn make(name: &str) -> Outcome {
    let made = ip(&["link", "add", name, "type", "veth", "peer", "name", &format!("{name}x")])?;
    if made.is_empty() {
        let up = ip(&["link", "set", name, "up"])?;
        return if up.is_empty() { Ok(()) } else { Err(no(&up)) };
    }
    Err(no(&made))
}

fn no(said: &str) -> Failure {
    Failure::Skip(Reason::Config, format!("this machine gives the check no port: {said}"))
}

/// What `ip` complains about; nothing when all went well.
fn ip(words: &[&str]) -> Outcome<String> {
    let output = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| no(&format!("ip can not be run ({error}): install iproute2")))?;
    Ok(match output.status.success() {
        true => String::new(),
        false => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// All links and all rules of this network, as text; without the numbers that count up.
///
/// # Errors
/// The machine has no tools to show them.
pub(crate) fn everything() -> Outcome<String> {
    let show = |program: &str, words: &[&str], package: &str| {
        let output = Command::new(program).args(words).stdin(Stdio::null()).output();
        let output = output.map_err(|error| no(&format!("{program} can not be run ({error}): install {package}")))?;
        Ok::<_, Failure>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let links = show("ip", &["-o", "link"], "iproute2")?;
    let links: Vec<&str> = links
        .lines()
        .filter_map(|line| line.split(':').nth(1))
        .map(str::trim)
        .collect();
    let rules = show("nft", &["-s", "list", "ruleset"], "nftables")?;
    Ok(format!("links: {}\n{}", links.join(" "), in_order(&rules)))
}

/// The same rules with tables, chains and elements in the order of their names: the kernel's order says when they were made.
fn in_order(rules: &str) -> String {
    let mut items: Vec<String> = Vec::new();
    let mut table = "";
    for line in rules.lines() {
        let within = line.starts_with('\t');
        let begins = within && !line.starts_with("\t\t") && line.ends_with('{');
        if !within && line.ends_with('{') {
            table = line.trim_end_matches(['{', ' ']);
            items.push(table.to_owned());
        } else if begins {
            items.push(format!("{table}: {}", line.trim()));
        } else if let Some(item) = items.last_mut().filter(|_| !line.trim().is_empty() && line != "}") {
            item.push('\n');
            item.push_str(line.trim());
        }
    }
    items.iter_mut().for_each(|item| *item = elements_in_order(item));
    items.sort();
    items.join("\n")
}

fn elements_in_order(item: &str) -> String {
    let Some((before, rest)) = item.split_once("elements = {") else {
        return item.to_owned();
    };
    let (elements, after) = rest.split_once('}').unwrap_or((rest, ""));
    let mut elements: Vec<&str> = elements.split(',').map(str::trim).collect();
    elements.sort_unstable();
    format!("{before}elements = {{ {} }}{after}", elements.join(", "))
}

/// That the kernel has what it had.
///
/// # Errors
/// It has not: the first line that differs.
pub(crate) fn is_still(before: &str, after: impl std::fmt::Display) -> Outcome {
    let now = everything()?;
    if now == before {
        return Ok(());
    }
    let lines = before.lines().zip(now.lines()).enumerate();
    let (line, was, is) = lines
        .map(|(line, (was, is))| (line, was, is))
        .find(|(_, was, is)| was != is)
        .unwrap_or((
            before.lines().count().min(now.lines().count()),
            "the end",
            "more or less",
        ));
    Err(Failure::new(format!(
        "the kernel's links and rules after {after}: expected them as they were, found {is:?} on line {line} instead of \
         {was:?}, in:\n{now}"
    )))
}

/// A table that nobody but this check knows of: whoever can smuggle commands into the kernel could take it away.
pub(crate) const SENTINEL: &str = "table inet conformance_sentinel";

/// Puts the sentinel up.
///
/// # Errors
/// The machine has no nft.
pub(crate) fn post_sentinel() -> Outcome {
    let status = Command::new("nft")
        .args(["add", "table", "inet", "conformance_sentinel"])
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(no(&format!("nft {status}"))),
        Err(error) => Err(no(&format!("nft can not be run ({error}): install nftables"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_rules_were_made_is_no_difference() {
        let one = "table ip a {\n\tchain x {\n\t\tdrop\n\t}\n\n\tmap y {\n\t\telements = { \"p0\" : jump b,\n\t\t\t     \"p1\" : jump c }\n\t}\n}\n";
        let other = "table ip a {\n\tmap y {\n\t\telements = { \"p1\" : jump c, \"p0\" : jump b }\n\t}\n\n\tchain x {\n\t\tdrop\n\t}\n}\n";
        assert_eq!(in_order(one), in_order(other));
        assert_ne!(in_order(one), in_order(&other.replace("drop", "accept")));
        assert_ne!(in_order(one), in_order(&other.replace("p0", "p2")));
    }
}
