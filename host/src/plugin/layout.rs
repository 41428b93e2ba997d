//! One sentence out of the layout check's report, which is tens of thousands of characters long.

use driver_api::kit::loaded::Misfit;

/// The longest sentence that is shown; the whole report is logged at debug level.
const LONGEST: usize = 300;

/// What is wrong with an interface: where in it, what was expected and what was found.
pub(super) fn condense(misfit: &Misfit) -> String {
    format!("{}: {}", misfit.interface, cut(&sentence(&misfit.report)))
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST)])
}

/// The report lists the way from the table to the type that differs, four blanks deep, whole layouts deeper than that,
/// and ends with what is wrong there.
fn sentence(report: &str) -> String {
    let (way, errors) = report.split_once("Error:").unwrap_or(("", report));
    let error = errors.split("Error:").next().unwrap_or_default();
    let (what, sides) = error.split_once("Expected:").unwrap_or((error, ""));
    let (expected, found) = sides.split_once("Found:").unwrap_or((sides, ""));
    let found = found.split("\n\n").next().unwrap_or_default();
    let what = flat(what);
    let differs = match (flat(expected), flat(found)) {
        (expected, found) if expected.is_empty() && found.is_empty() => what,
        (expected, found) if what == "mismatched type" => format!("expected {expected}, found {found}"),
        (expected, found) => format!("{what}, expected {expected}, found {found}"),
    };
    match place(way) {
        Some(place) => format!("{place}: {differs}"),
        None => differs,
    }
}

/// The innermost field with the type that it stands in.
fn place(way: &str) -> Option<String> {
    let at_depth = |line: &'_ str| {
        let rest = line.strip_prefix("    ")?;
        (!rest.starts_with(' ')).then(|| rest.trim_end().to_owned())
    };
    let (mut owner, mut of, mut field) = (None, None, None);
    for line in way.lines().filter_map(at_depth) {
        if let Some(name) = line.strip_prefix("field_name:") {
            field = Some(name.to_owned());
            owner = of.take();
        } else if let Some(name) = line.strip_prefix("type:") {
            of = Some(name.to_owned());
        }
    }
    let field = field?;
    Some(owner.map_or_else(|| field.clone(), |owner| format!("{owner}.{field}")))
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a real report: a driver whose `DomainRecord` had another type for one field.
    const REPORT: &str = "\
Layout of expected type:
    --- Type Layout ---
    type:DomainRecord
    data:
        Struct with Fields:
            field_name:memory_kib
            type:u64

    type:RVec
    size:32 align:8

    field_name:buffer
    type:NonNull<DomainRecord>
    size:8 align:8

    field_name:0
    type:DomainRecord
    size:120 align:8

    field_name:memory_kib
    type:i64
    size:8 align:8

Layout of expected type:
    --- Type Layout ---
    data:
        Primitive:U64

Error:mismatched type
Expected:
    u64
Found:
    i64

";

    fn misfit(report: &str) -> String {
        condense(&Misfit {
            interface: "virt.lifecycle/1",
            report: report.to_owned(),
        })
    }

    #[test]
    fn the_field_its_owner_and_both_types_are_named_and_nothing_else() {
        assert_eq!(
            misfit(REPORT),
            "virt.lifecycle/1: DomainRecord.memory_kib: expected u64, found i64"
        );
    }

    #[test]
    fn of_several_errors_the_first_is_told_with_its_kind() {
        let report = "Error:too many fields\nExpected:\n    6\nFound:\n    5\n\nError:unexpected field\n";
        assert_eq!(misfit(report), "virt.lifecycle/1: too many fields, expected 6, found 5");
    }

    #[test]
    fn whatever_the_report_is_the_sentence_is_short() {
        for report in ["", "Error:", "Expected: Found:", &"ä ".repeat(40_000)] {
            assert!(misfit(report).len() <= LONGEST + 40, "{report:.60}");
        }
    }
}
