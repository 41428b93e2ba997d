//! What a compiler must agree to: the size of each record and the offset of each field; and the stamps that say so.

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use abi_stable::type_layout::{TLField, TypeLayout};
use driver_api::abi::console::ConsoleV1;
use driver_api::abi::core::CoreV1;
use driver_api::abi::descriptors::DescriptorsV1;
use driver_api::abi::device::{ControlRecord, ControlV1, DevicesV1, InterfaceAddressesRecord, ResourcesV1, StatsV1};
use driver_api::abi::domain::DomainRecord;
use driver_api::abi::event::EventV1;
use driver_api::abi::filter::{BindingRecord, FilterRecord, PortRecord};
use driver_api::abi::guest::{ConsoleRefRecord, StartedRecord};
use driver_api::abi::inspect::{BatchRecord, CountersRecord, InspectV1, OutcomeRecord, PlaceRecord, ViewRecord};
use driver_api::abi::interface::{Interface, Table};
use driver_api::abi::launch::{SpawnV2, UserRecord};
use driver_api::abi::layout::stamp;
use driver_api::abi::lock::{Adopted, Call, Held, LockV1};
use driver_api::abi::log::LogV1;
use driver_api::abi::manifest::Manifest;
use driver_api::abi::metadata::MetadataV1;
use driver_api::abi::node::NodeRecord;
use driver_api::abi::notice::NoticeV1;
use driver_api::abi::nwfilter::{BindingV1, FilterV1};
use driver_api::abi::param::ParamRecord;
use driver_api::abi::plain::{PlainInterface, PlainRoot};
use driver_api::abi::plug::PluggedRecord;
use driver_api::abi::ports::PortsV1;
use driver_api::abi::root::{HostRef, Obj};
use driver_api::abi::spawn::SpawnV1;
use driver_api::abi::value::{Fault, Pair};
use driver_api::abi::virt::VirtV1;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::offset_of;

/// The last part of the header.
pub(crate) fn all() -> String {
    let mut text = String::from(HEAD);
    let mut records = BTreeMap::new();
    for layout in [
        PlainRoot::LAYOUT,
        HostRef::LAYOUT,
        CoreV1::LAYOUT,
        VirtV1::LAYOUT,
        ConsoleV1::LAYOUT,
        LockV1::LAYOUT,
        LogV1::LAYOUT,
        EventV1::LAYOUT,
        SpawnV1::LAYOUT,
        PortsV1::LAYOUT,
        MetadataV1::LAYOUT,
        DevicesV1::LAYOUT,
        ResourcesV1::LAYOUT,
        StatsV1::LAYOUT,
        ControlV1::LAYOUT,
        FilterV1::LAYOUT,
        BindingV1::LAYOUT,
        InspectV1::LAYOUT,
        DescriptorsV1::LAYOUT,
        SpawnV2::LAYOUT,
        NoticeV1::LAYOUT,
    ] {
        collect(layout, &mut records);
    }
    for (name, layout) in records {
        record(&mut text, name, layout);
    }
    text.push_str(&manifest());
    text.push_str(&generics());
    text.push_str(&stamps());
    text.push_str("\n#endif /* LOCKSTEP_DRIVER_H */\n");
    text
}

const HEAD: &str = "\
/* The layouts above, as a host reckons them: a compiler that lays out anything in another way stops here. */

";

/// Every record of ours that a type leads to.
fn collect(layout: &'static TypeLayout, records: &mut BTreeMap<&'static str, &'static TypeLayout>) {
    let ours = layout.package().as_str() == "driver-api";
    if ours && records.insert(layout.name(), layout).is_some() {
        return;
    }
    for field in layout.get_fields().into_iter().flatten() {
        for function in field.function_range().iter() {
            function
                .param_type_layouts
                .iter()
                .for_each(|get| collect(get(), records));
            if let Some(answer) = function.return_type_layout() {
                collect(answer(), records);
            }
        }
        // What is ours alone: the types of abi_stable lead into themselves.
        if field.layout().package().as_str() == "driver-api" || !ours {
            collect(field.layout(), records);
        }
        let inner = field.layout().get_fields().into_iter().flatten();
        inner
            .filter(|field| field.layout().package().as_str() == "driver-api")
            .for_each(|field| collect(field.layout(), records));
    }
    for field in layout.phantom_fields().iter() {
        collect(field.layout(), records);
    }
}

fn line(text: &mut String, condition: &str, what: &str) {
    writeln!(text, "_Static_assert({condition}, \"{what}\");").expect("a text takes more text");
}

fn record(text: &mut String, name: &str, layout: &'static TypeLayout) {
    line(
        text,
        &format!("sizeof(Lockstep{name}) == {}", layout.size()),
        &format!("size of {name}"),
    );
    let fields: Vec<TLField> = layout.get_fields().into_iter().flatten().collect();
    // A transparent record is its field, and C knows no other name for it.
    if name == "Obj" || name == "HostObj" || name == "TablePtr" {
        return;
    }
    let mut end = 0_usize;
    for field in &fields {
        let place = end.next_multiple_of(field.layout().alignment());
        end = place + field.layout().size();
        let condition = format!("offsetof(Lockstep{name}, {}) == {place}", c_name(name, field.name()));
        line(text, &condition, &format!("place of {name}.{}", field.name()));
    }
}

/// A field's name in C.
fn c_name<'a>(record: &str, field: &'a str) -> &'a str {
    match (record, field) {
        ("Uuid", _) => "bytes",
        // A word of the language.
        (_, "register") => "register_",
        _ => field,
    }
}

fn manifest() -> String {
    let mut text = String::new();
    line(
        &mut text,
        &format!("sizeof(LockstepManifest) == {}", size_of::<Manifest>()),
        "size of Manifest",
    );
    macro_rules! places {
        ($($field:ident),+) => { $(
            let condition = format!(
                "offsetof(LockstepManifest, {}) == {}", stringify!($field), offset_of!(Manifest, $field)
            );
            line(&mut text, &condition, concat!("place of Manifest.", stringify!($field)));
        )+ };
    }
    places!(
        magic, size, api_major, api_minor, abi_stable, reserved, kind, panic, name, title, version, rustc, licence,
        needs, needs_len, root
    );
    text
}

fn generics() -> String {
    let mut text = String::new();
    macro_rules! sizes {
        ($($name:literal: $ty:ty),+ $(,)?) => { $(
            line(&mut text, &format!("sizeof(Lockstep{}) == {}", $name, size_of::<$ty>()), concat!("size of ", $name));
        )+ };
    }
    sizes!(
        "RStr": RStr<'static>,
        "RString": RString,
        "RVecU8": RVec<u8>,
        "RVecDomainRecord": RVec<DomainRecord>,
        "ROptionRStr": ROption<RStr<'static>>,
        "ROptionDomainRecord": ROption<DomainRecord>,
        "ROptionInterface": ROption<Interface>,
        "ROptionPlainInterface": ROption<PlainInterface>,
        "Done": RResult<(), Fault>,
        "RResultObjFault": RResult<Obj, Fault>,
        "RResultU64Fault": RResult<u64, Fault>,
        "RResultRStringFault": RResult<RString, Fault>,
        "RResultNodeRecordFault": RResult<NodeRecord, Fault>,
        "RResultDomainRecordFault": RResult<DomainRecord, Fault>,
        "RResultRVecDomainRecordFault": RResult<RVec<DomainRecord>, Fault>,
        "RResultROptionDomainRecordFault": RResult<ROption<DomainRecord>, Fault>,
        "RResultRVecPortRecordFault": RResult<RVec<PortRecord>, Fault>,
        "RResultHeldFault": RResult<Held, Fault>,
        "RResultCallFault": RResult<Call, Fault>,
        "RResultAdoptedFault": RResult<Adopted, Fault>,
        "RResultStartedRecordFault": RResult<StartedRecord, Fault>,
        "RResultConsoleRefRecordFault": RResult<ConsoleRefRecord, Fault>,
        "ROptionU32": ROption<u32>,
        "ROptionI32": ROption<i32>,
        "ROptionRString": ROption<RString>,
        "ROptionPlaceRecord": ROption<PlaceRecord>,
        "ROptionUserRecord": ROption<UserRecord>,
        "RResultU32Fault": RResult<u32, Fault>,
        "RResultRVecU8Fault": RResult<RVec<u8>, Fault>,
        "RResultRVecRStringFault": RResult<RVec<RString>, Fault>,
        "RResultRVecPairFault": RResult<RVec<Pair>, Fault>,
        "RResultRVecParamRecordFault": RResult<RVec<ParamRecord>, Fault>,
        "RResultRVecInterfaceAddressesRecordFault": RResult<RVec<InterfaceAddressesRecord>, Fault>,
        "RResultControlRecordFault": RResult<ControlRecord, Fault>,
        "RResultFilterRecordFault": RResult<FilterRecord, Fault>,
        "RResultRVecFilterRecordFault": RResult<RVec<FilterRecord>, Fault>,
        "RResultBindingRecordFault": RResult<BindingRecord, Fault>,
        "RResultRVecBindingRecordFault": RResult<RVec<BindingRecord>, Fault>,
        "RResultViewRecordFault": RResult<ViewRecord, Fault>,
        "RResultCountersRecordFault": RResult<CountersRecord, Fault>,
        "RResultRVecOutcomeRecordFault": RResult<RVec<OutcomeRecord>, Fault>,
        "RResultBatchRecordFault": RResult<BatchRecord, Fault>,
        "RResultPluggedRecordFault": RResult<PluggedRecord, Fault>,
    );
    text
}

/// For the tables that a driver offers; those of the host are frozen alike, and nobody asks a driver for their stamps.
fn stamps() -> String {
    let mut text = String::from(
        "\n/* What a driver shows with each table that it offers: the table's size as its compiler reckons it, and the layout\n   \
         that this header was made from. */\n",
    );
    fn one<T: Table>(text: &mut String, name: &str) {
        let hash = stamp::<T>().hash;
        writeln!(
            text,
            "#define LOCKSTEP_{name}_ID \"{}\"\n#define LOCKSTEP_{name}_STAMP {{sizeof(Lockstep{}), UINT64_C({hash:#018x})}}",
            T::ID,
            T::LAYOUT.name()
        )
        .expect("a text takes more text");
    }
    one::<CoreV1>(&mut text, "CORE_V1");
    one::<VirtV1>(&mut text, "VIRT_V1");
    one::<ConsoleV1>(&mut text, "CONSOLE_V1");
    one::<MetadataV1>(&mut text, "METADATA_V1");
    one::<DevicesV1>(&mut text, "DEVICES_V1");
    one::<ResourcesV1>(&mut text, "RESOURCES_V1");
    one::<StatsV1>(&mut text, "STATS_V1");
    one::<ControlV1>(&mut text, "CONTROL_V1");
    one::<FilterV1>(&mut text, "FILTER_V1");
    one::<BindingV1>(&mut text, "BINDING_V1");
    one::<InspectV1>(&mut text, "INSPECT_V1");
    text.push_str("\n/* The services of the host that this header knows. */\n");
    for (name, id) in [
        ("LOCK_V1", LockV1::ID),
        ("LOG_V1", LogV1::ID),
        ("EVENT_V1", EventV1::ID),
        ("SPAWN_V1", SpawnV1::ID),
        ("PORTS_V1", PortsV1::ID),
        ("NOTICE_V1", NoticeV1::ID),
        ("DESCRIPTORS_V1", DescriptorsV1::ID),
        ("SPAWN_V2", SpawnV2::ID),
    ] {
        writeln!(text, "#define LOCKSTEP_{name}_ID \"{id}\"").expect("a text takes more text");
    }
    text
}
