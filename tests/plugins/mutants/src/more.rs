//! The interfaces beside the lifecycle, each method as the reference does it but for what the mutant does.

use super::which::on;
use super::{Mutant, lock, recoded};
use driver_api::driver::{Console, Control, Devices, Metadata, Resources, Stats, VirtDriver};
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::{AddressSource, Control as ControlState, InterfaceAddresses, ParameterSet};
use driver_api::types::domain::DomainBrief;
use driver_api::types::guest::{ConsoleRef, GuestId};
use driver_api::types::metadata::MetadataChange;
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;

fn told(error: Error) -> Error {
    match error.code() {
        Code::NO_DOMAIN if on("no_domain_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_INVALID if on("wrong_state_is_an_internal_error") => recoded(error, 1),
        Code::XML_ERROR if on("bad_document_is_an_internal_error") => recoded(error, 1),
        _ => error,
    }
}

impl Console for Mutant {
    fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        if on("console_of_what_is_off") && self.inner.by_uuid(uuid).is_some() {
            return Ok(ConsoleRef {
                guest: GuestId(1),
                index: 0,
            });
        }
        self.inner.console(uuid, alias).map_err(told)
    }
}

impl Metadata for Mutant {
    fn set_metadata(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        flags: u32,
    ) -> Result<()> {
        self.enter("set_metadata");
        if on("notes_are_lost") && self.inner.by_uuid(uuid).is_some() {
            return Ok(());
        }
        self.inner.set_metadata(cx, uuid, change, flags).map_err(told)
    }
}

impl Devices for Mutant {
    fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        self.enter("attach_device");
        if on("attaches_nothing") && self.inner.by_uuid(uuid).is_some() {
            return Ok(());
        }
        let taken = self.inner.attach_device(cx, uuid, xml, flags);
        if on("panics_at_bad_devices")
            && let Err(error) = &taken
            && error.code() == Code::XML_ERROR
        {
            panic!("a mutant counts on devices that are some: {error}");
        }
        match taken {
            Err(error) if on("attaches_a_target_twice") && error.code() == Code::OPERATION_FAILED => Ok(()),
            other => other.map_err(told),
        }
    }

    fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        self.enter("detach_device");
        self.inner.detach_device(cx, uuid, xml, flags).map_err(told)
    }

    fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        self.enter("detach_alias");
        self.inner.detach_alias(cx, uuid, alias, flags).map_err(told)
    }

    fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        self.enter("update_device");
        match self.inner.update_device(cx, uuid, xml, flags) {
            Err(error) if on("updates_what_is_not_there") && error.code() == Code::DEVICE_MISSING => Ok(()),
            other => other.map_err(told),
        }
    }
}

impl Resources for Mutant {
    fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        self.enter("set_memory");
        match self.inner.set_memory(cx, uuid, kib, flags) {
            Err(error) if on("takes_more_memory_than_there_is") && error.code() == Code::INVALID_ARG => Ok(()),
            other => other.map_err(told),
        }
    }

    fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        self.enter("set_vcpus");
        match self.inner.set_vcpus(cx, uuid, count, flags) {
            Err(error) if on("takes_any_number_of_processors") && error.code() != Code::NO_DOMAIN => Ok(()),
            other => other.map_err(told),
        }
    }

    fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        self.inner.vcpus(uuid, flags).map_err(told)
    }

    fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>> {
        self.inner.parameters(uuid, set, device, flags).map_err(told)
    }

    fn set_parameters(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()> {
        self.enter("set_parameters");
        if on("limits_are_not_set") && self.inner.by_uuid(uuid).is_some() {
            return Ok(());
        }
        self.inner
            .set_parameters(cx, uuid, set, device, params, flags)
            .map_err(told)
    }
}

impl Stats for Mutant {
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        lock::in_read(&self.host);
        if on("figures_of_nobody") && self.inner.by_uuid(uuid).is_none() {
            return Ok(Vec::new());
        }
        let mut figures = self.inner.stats(uuid, groups).map_err(told)?;
        if on("figures_under_other_names") {
            for figure in &mut figures {
                figure.name = figure.name.replace('.', "_");
            }
        }
        if on("counters_go_back") {
            use driver_api::types::param::Value;
            for figure in figures.iter_mut().filter(|figure| figure.name.ends_with(".time")) {
                if let Value::Ulong(time) = figure.value {
                    figure.value = Value::Ulong(u64::MAX / 2 - time);
                }
            }
        }
        Ok(figures)
    }

    fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        self.inner.addresses(uuid, source).map_err(told)
    }
}

impl Control for Mutant {
    fn control(&self, uuid: Uuid) -> Result<ControlState> {
        if on("control_of_what_is_off") && self.inner.by_uuid(uuid).is_some() {
            return Ok(ControlState::Ok);
        }
        self.inner.control(uuid).map_err(told)
    }

    fn reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.enter("reset");
        if on("reset_ends_the_guest") {
            return self.inner.destroy(cx, uuid, 0).map_err(told);
        }
        self.inner.reset(cx, uuid).map_err(told)
    }

    fn rename(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        self.enter("rename");
        if on("renames_without_the_document") {
            let xml = self.inner.dump_xml(uuid, 2).map_err(told)?;
            let renamed = self.inner.rename(cx, uuid, name).map_err(told)?;
            self.shown.lock().old_documents.insert(uuid, xml);
            return Ok(renamed);
        }
        let renamed = self.inner.rename(cx, uuid, name);
        match renamed {
            Err(error) if on("renames_only_in_words") && error.code() == Code::OPERATION_FAILED => self
                .inner
                .by_uuid(uuid)
                .map(|brief| DomainBrief {
                    name: name.to_owned(),
                    ..brief
                })
                .ok_or(error),
            other => other.map_err(told),
        }
    }

    fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>> {
        if on("peeks_at_any_path") && self.inner.by_uuid(uuid).is_some() {
            return Ok(vec![0; usize::try_from(size).unwrap_or(0)]);
        }
        self.inner.block_peek(uuid, disk, offset, size).map_err(told)
    }

    fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on_or_off: bool) -> Result<()> {
        self.enter("set_autostart_once");
        if on("marks_for_ever_what_is_marked_once") {
            return self.inner.set_autostart(cx, uuid, on_or_off).map_err(told);
        }
        self.inner.set_autostart_once(cx, uuid, on_or_off).map_err(told)
    }

    fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        self.inner.messages(uuid).map_err(told)
    }
}
