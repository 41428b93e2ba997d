//! `Options`: the driver's part of `lockstep.toml`.

use crate::compat::Compat;
use crate::kernel::{self, StatePlan};
use driver_api::error::{Code, Error, Origin, Result};

/// Every option, as given or by default.
#[derive(Debug)]
pub(crate) struct Options {
    /// The filters that are taken as libvirt takes them.
    pub(crate) compat: Compat,
    /// Whether the filters that come with the driver are installed.
    pub(crate) shipped: bool,
    /// What the kernel room is told.
    pub(crate) kernel: kernel::Options,
}

/// Every key there is.
const KEYS: [&str; 4] = ["compat", "compat_filters", "shipped_filters", "state_plan"];

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// 67 for a key or value that is none.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self> {
        let mut options = Self {
            compat: Compat::default(),
            shipped: true,
            kernel: kernel::Options::default(),
        };
        for (key, value) in pairs {
            match key.as_str() {
                "compat" => options.compat.all = switch(key, value)?,
                "compat_filters" => options.compat.filters = value.lines().map(str::to_owned).collect(),
                "shipped_filters" => options.shipped = switch(key, value)?,
                "state_plan" => options.kernel.state_plan = state_plan(value)?,
                other => {
                    let known = KEYS.join(", ");
                    return Err(wrong(format!(
                        "unknown option '{other}' of the nwfilter driver, known are {known}"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn wrong(message: String) -> Error {
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::CONF, message)
}

fn switch(key: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(wrong(format!(
            "option '{key}' of the nwfilter driver is '{other}', not 'true' or 'false'"
        ))),
    }
}

fn state_plan(value: &str) -> Result<Option<StatePlan>> {
    if value == "auto" {
        return Ok(None);
    }
    let plans = [StatePlan::Conntrack, StatePlan::Mark];
    match plans.into_iter().find(|plan| plan.name() == value) {
        Some(plan) => Ok(Some(plan)),
        None => Err(wrong(format!(
            "option 'state_plan' of the nwfilter driver is '{value}', not 'auto', 'conntrack' or 'mark'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Options> {
        Options::read(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn options_are_known_by_name_and_value() {
        let plain = Options::read(&[]).unwrap();
        assert!(plain.shipped && plain.kernel.state_plan.is_none() && !plain.compat.all);
        assert!(read("compat", "true").unwrap().compat.all);
        assert!(!read("shipped_filters", "false").unwrap().shipped);
        assert_eq!(read("state_plan", "auto").unwrap().kernel.state_plan, None);
        assert_eq!(
            read("state_plan", "mark").unwrap().kernel.state_plan,
            Some(StatePlan::Mark)
        );
        for (key, value) in [
            ("compat", "maybe"),
            ("kompat", "true"),
            ("state_plan", "marks"),
            ("state_plan", ""),
        ] {
            let error = read(key, value).unwrap_err();
            assert_eq!((error.code(), error.origin()), (Code::CONFIG_UNSUPPORTED, Origin::CONF));
            assert!(error.to_string().contains(&format!("'{key}'")), "{error}");
        }
    }
}
