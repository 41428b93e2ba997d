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

fn sentence(report: &str) -> String {
    report.to_owned()
}
