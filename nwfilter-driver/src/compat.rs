//! `Compat`: the filters that are taken as libvirt takes them, all of the host's or some by name.

/// Which filters may lose what is not understood in them. `--validate` refuses them all the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Compat {
    /// Every filter of the host.
    pub(crate) all: bool,
    /// Names, and beginnings of names with a `*` behind them: programs number the filters that they make.
    pub(crate) filters: Vec<String>,
}

impl Compat {
    /// Whether a filter is meant.
    #[must_use]
    pub(crate) fn covers(&self, name: &str) -> bool {
        let meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        self.all || self.filters.iter().any(meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_meant_by_name_by_beginning_or_all() {
        let some = Compat {
            all: false,
            filters: vec!["lab".to_owned(), "nova-instance-*".to_owned()],
        };
        assert!(some.covers("lab") && some.covers("nova-instance-7") && some.covers("nova-instance-"));
        assert!(!some.covers("lab2") && !some.covers("la") && !some.covers("nova") && !some.covers(""));
        let all = Compat {
            all: true,
            filters: Vec::new(),
        };
        assert!(all.covers("any") && !Compat::default().covers("any"));
    }
}
