//! Memory: what the definition gives, what the host counts, and what the guest's kernel last said.

use super::{Figures, Source};

pub(super) fn put(source: &Source<'_>, figures: &mut Figures) {
    let brief = source.record.brief();
    figures.put("balloon.current", brief.memory_kib);
    figures.put("balloon.maximum", brief.max_memory_kib);
    if let Some(told) = &source.vitals.memory {
        figures.put_known("balloon.available", told.total);
        figures.put_known("balloon.unused", told.free);
        figures.put_known("balloon.usable", told.available);
        figures.put_known("balloon.disk_caches", told.caches);
        figures.put("balloon.last-update", told.at);
    }
    figures.put_known("balloon.rss", source.used("memory.rss"));
}
