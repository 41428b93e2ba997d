//! The machine as libvirt's documents show it.

use super::cache::Bank;
use super::cell::Cell;
use super::cpu::{Cpu, Place};
use super::list;
use super::power::Target;
use super::smbios::Filled;
use driver_api::kit::xml::Element;

/// `<pages>` for each size that the machine has, as they stand in `<cpu>`.
pub fn page_sizes(sizes: &[u64]) -> impl Iterator<Item = Element> {
    let element = |size: &u64| Element::new("pages").with_attr("unit", "KiB").with_attr("size", size);
    sizes.iter().map(element)
}

/// `<power_management>`.
#[must_use]
pub fn power_management(targets: &[Target]) -> Element {
    let element = |target: &Target| {
        Element::new(match target {
            Target::Memory => "suspend_mem",
            Target::Disk => "suspend_disk",
            Target::Hybrid => "suspend_hybrid",
        })
    };
    Element::new("power_management").with_children(targets.iter().map(element))
}

/// `<topology>`.
#[must_use]
pub fn topology(cells: &[Cell]) -> Element {
    let list = Element::new("cells").with_attr("num", cells.len());
    Element::new("topology").with_child(list.with_children(cells.iter().map(cell)))
}

fn cell(cell: &Cell) -> Element {
    let memory = Element::new("memory")
        .with_attr("unit", "KiB")
        .with_text(cell.memory_kib);
    let pages = cell.pools.iter().map(|pool| {
        let pages = Element::new("pages").with_attr("unit", "KiB");
        pages.with_attr("size", pool.size_kib).with_text(pool.total)
    });
    let element = Element::new("cell").with_attr("id", cell.id).with_child(memory);
    let mut element = element.with_children(pages);
    if !cell.distances.is_empty() {
        let siblings = cell.distances.iter().map(|(id, value)| {
            let sibling = Element::new("sibling").with_attr("id", id);
            sibling.with_attr("value", value)
        });
        element = element.with_child(Element::new("distances").with_children(siblings));
    }
    let cpus = Element::new("cpus").with_attr("num", cell.cpus.len());
    element.with_child(cpus.with_children(cell.cpus.iter().map(cpu)))
}

fn cpu(cpu: &Cpu) -> Element {
    let element = Element::new("cpu").with_attr("id", cpu.id);
    match &cpu.place {
        None => element,
        Some(Place {
            socket,
            die,
            core,
            siblings,
        }) => element
            .with_attr("socket_id", socket)
            .with_attr("die_id", die)
            .with_attr("core_id", core)
            .with_attr("siblings", list::format(siblings)),
    }
}

/// `<cache>`, if there is a bank.
#[must_use]
pub fn caches(banks: &[Bank]) -> Option<Element> {
    let element = |bank: &Bank| {
        let (size, unit) = match bank.size_kib {
            kib if kib > 0 && kib.is_multiple_of(1 << 20) => (kib >> 20, "GiB"),
            kib if kib > 0 && kib.is_multiple_of(1 << 10) => (kib >> 10, "MiB"),
            kib => (kib, "KiB"),
        };
        Element::new("bank")
            .with_attr("id", bank.id)
            .with_attr("level", bank.level)
            .with_attr("type", bank.kind.word())
            .with_attr("size", size)
            .with_attr("unit", unit)
            .with_attr("cpus", list::format(&bank.cpus))
    };
    (!banks.is_empty()).then(|| Element::new("cache").with_children(banks.iter().map(element)))
}

/// The document of the firmware's tables.
#[must_use]
pub fn sysinfo(tables: &[Filled]) -> Element {
    let table = |table: &Filled| {
        let entries = table.entries.iter().map(|(name, text)| {
            let entry = Element::new("entry").with_attr("name", name);
            entry.with_text(text)
        });
        Element::new(table.name).with_children(entries)
    };
    let element = Element::new("sysinfo").with_attr("type", "smbios");
    element.with_children(tables.iter().map(table))
}

#[cfg(test)]
mod tests {
    use super::super::testing::two_cells;
    use super::*;

    #[test]
    fn topology_looks_as_libvirt_prints_it() {
        let (_root, machine) = two_cells();
        let cells = machine.topology().unwrap();
        let base = cells[1].pools[0];
        let expected = format!(
            "<cell id='2'>\n  <memory unit='KiB'>1000</memory>\n  <pages unit='KiB' size='{}'>{}</pages>\n  \
             <pages unit='KiB' size='2048'>0</pages>\n  <distances>\n    <sibling id='0' value='21'/>\n    \
             <sibling id='2' value='10'/>\n  </distances>\n  <cpus num='2'>\n    \
             <cpu id='2' socket_id='1' die_id='0' core_id='4' siblings='2'/>\n    <cpu id='3'/>\n  </cpus>\n</cell>\n",
            base.size_kib, base.total
        );
        assert_eq!(cell(&cells[1]).to_string(), expected);
        assert!(
            topology(&cells)
                .to_string()
                .starts_with("<topology>\n  <cells num='2'>\n    <cell id='0'>")
        );
    }

    #[test]
    fn caches_have_the_greatest_unit_that_fits() {
        let (_root, machine) = two_cells();
        let text = caches(&machine.caches(&[0])).unwrap().to_string();
        let bank = "<bank id='0' level='3' type='both' size='32' unit='MiB' cpus='0-1'/>";
        assert_eq!(text, format!("<cache>\n  {bank}\n</cache>\n"));
        assert_eq!(caches(&[]), None);
    }

    #[test]
    fn what_the_machine_can_not_do_is_left_out() {
        assert_eq!(power_management(&[]).to_string(), "<power_management/>\n");
        let text = power_management(&[Target::Memory, Target::Disk, Target::Hybrid]).to_string();
        assert!(
            text.contains("<suspend_mem/>\n  <suspend_disk/>\n  <suspend_hybrid/>"),
            "{text}"
        );
    }

    #[test]
    fn texts_of_the_firmware_are_escaped() {
        let table = Filled {
            name: "bios",
            entries: vec![("vendor", "A & B".to_owned())],
        };
        let expected =
            "<sysinfo type='smbios'>\n  <bios>\n    <entry name='vendor'>A &amp; B</entry>\n  </bios>\n</sysinfo>\n";
        assert_eq!(sysinfo(&[table]).to_string(), expected);
    }
}
