//! Where each entry of a filter stands in the printed definition, so that a rule in force leads back to what a person
//! reads.

use super::FilterDef;

/// The place of one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lines {
    /// The line on which it begins, from 1.
    pub first: u32,
    /// Its lines as they are printed, without the blanks that all of them begin with and without a line feed at the end.
    pub text: String,
}

impl FilterDef {
    /// The place of each entry, in their order.
    #[must_use]
    pub fn lines(&self) -> Vec<Lines> {
        // <filter> and <uuid> have a line each.
        let mut first = 3;
        let mut lines = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let mut text = String::new();
            entry.element().write(&mut text, 0);
            let text = text.trim_end().to_owned();
            let count = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
            lines.push(Lines { first, text });
            first = first.saturating_add(count);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use crate::def::parse::{Mode, parse};

    #[test]
    fn every_entry_stands_where_its_line_says() {
        let document = "<filter name='f' chain='ipv4'>
  <rule action='drop' direction='out'/>
  <filterref filter='g'><parameter name='A' value='1'/><parameter name='A' value='2'/></filterref>
  <rule action='accept' direction='in' statematch='0'>
    <tcp dstportstart='22' comment='two&#10;lines &lt;here&gt;'/><tcp match='no' srcipaddr='10.0.0.1'/>
  </rule>
  <filterref filter='h'/>
</filter>";
        let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
        let printed = def.to_string();
        let printed: Vec<&str> = printed.lines().collect();
        let lines = def.lines();
        assert_eq!(lines.iter().map(|lines| lines.first).collect::<Vec<_>>(), [3, 4, 8, 12]);
        for lines in lines {
            let first = usize::try_from(lines.first).unwrap() - 1;
            for (offset, line) in lines.text.lines().enumerate() {
                assert_eq!(printed[first + offset], format!("  {line}"));
            }
        }
    }
}
