//! The filter interfaces, each method as the reference does it but for what the mutant does.

use super::document::element;
use super::which::on;
use super::{Mutant, lock, recoded};
use driver_api::driver::{BindingDriver, FilterDriver, Inspect};
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::filter::{BindingBrief, FilterBrief, PortRequest};
use driver_api::types::inspect::{PortCounters, PortView, TestOutcome, TestRequest, TraceBatch};
use driver_api::types::uuid::Uuid;
use std::time::Duration;

fn told(error: Error) -> Error {
    match error.code() {
        Code::NO_NWFILTER if on("no_filter_is_an_internal_error") => recoded(error, 1),
        Code::NO_NWFILTER_BINDING if on("no_binding_is_an_internal_error") => recoded(error, 1),
        Code::XML_ERROR if on("bad_filter_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_FAILED if on("taken_filter_is_a_system_error") => recoded(error, 38),
        _ => error,
    }
}

fn between<'x>(xml: &'x str, begin: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(begin)?;
    let mark = rest.chars().next()?;
    rest[1..].split_once(mark).map(|(text, _)| text)
}

/// The filter without its rules.
fn emptied(xml: &str) -> String {
    match (xml.find("<rule"), xml.rfind("</rule>").map(|at| at + "</rule>".len())) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &xml[..begin], &xml[end..]),
        _ => xml.to_owned(),
    }
}

impl Mutant {
    /// Looks for rings before it has the lock, and takes its time until then; whether it is right to say that there is one.
    fn rings_are_seen_already(&self, xml: &str) -> bool {
        let Some(first) = between(xml, "filterref filter=") else {
            return true;
        };
        if !on("looks_for_rings_before_the_lock") {
            return true;
        }
        let (own, filters) = (between(xml, "name=").unwrap_or_default(), self.inner.filters());
        let mut next = Some(first.to_owned());
        for _ in 0..=filters.len() {
            if next.as_deref() == Some(own) {
                return true;
            }
            next = next
                .and_then(|name| filters.iter().find(|known| known.name == name))
                .and_then(|known| self.inner.filter_xml(known.uuid, 0).ok())
                .and_then(|xml| between(&xml, "filterref filter=").map(str::to_owned));
        }
        std::thread::sleep(Duration::from_millis(50));
        false
    }
}

impl FilterDriver for Mutant {
    fn filters(&self) -> Vec<FilterBrief> {
        lock::in_filter_read(&self.host);
        let hidden = self.shown.lock().hidden.clone();
        let mut filters = self.inner.filters();
        filters.retain(|filter| !hidden.contains(&filter.uuid));
        if on("lists_a_filter_twice") {
            filters.extend(filters.first().cloned());
        }
        filters
    }

    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        let flags = if on("takes_unknown_filter_flags") { 0 } else { flags };
        if on("drops_rules_on_the_way_out") {
            let xml = self.inner.filter_xml(uuid, flags).map_err(told)?;
            return Ok(xml
                .lines()
                .filter(|line| !line.trim_start().starts_with("<tcp"))
                .collect::<Vec<_>>()
                .join("\n"));
        }
        if on("shows_the_first_filter_for_ever")
            && let Some(first) = self.shown.lock().first_xml.get(&uuid)
        {
            return Ok(first.clone());
        }
        self.inner.filter_xml(uuid, flags).map_err(told)
    }

    fn define_filter(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<FilterBrief> {
        self.enter("define_filter");
        let flags = if on("takes_unknown_filter_flags") { 0 } else { flags };
        if on("takes_filters_that_go_round") {
            let round = self.inner.define_filter(cx, xml, flags);
            return match round {
                Err(error) if error.to_string().contains("ring") => {
                    let name = between(xml, "name=").unwrap_or_default();
                    let known = self.inner.filters().into_iter().find(|filter| filter.name == name);
                    known.ok_or(error)
                }
                other => other.map_err(told),
            };
        }
        let known =
            between(xml, "name=").and_then(|name| self.inner.filters().into_iter().find(|known| known.name == name));
        if on("refuses_the_same_filter_again") && known.is_some_and(|known| xml.contains(&known.uuid.to_string())) {
            return Err(recoded(
                super::error(Code::OPERATION_FAILED, "that filter is there already"),
                9,
            ));
        }
        if on("gives_all_filters_the_same_uuid") && !xml.contains("<uuid>") && xml.contains("</filter>") {
            let uuid = format!("<uuid>{}</uuid></filter>", Uuid::from_bytes([7; 16]));
            return self
                .inner
                .define_filter(cx, &xml.replacen("</filter>", &uuid, 1), flags);
        }
        if on("refuses_references_that_lead_nowhere")
            && let Some(name) = between(xml, "filterref filter=")
            && !self.inner.filters().iter().any(|known| known.name == name)
        {
            return Err(super::error(Code::NO_NWFILTER, "there is no such filter to refer to"));
        }
        if on("asks_for_filters_again_in_a_helper") {
            lock::helper_reads_again(&self.host, cx)?;
        }
        if on("opens_filters_while_they_change") {
            drop(self.inner.define_filter(cx, &emptied(xml), flags));
            std::thread::sleep(Duration::from_millis(3));
        }
        let rings_are_seen = self.rings_are_seen_already(xml);
        let own = lock::own();
        let defined = self.inner.define_filter(cx, xml, flags);
        drop(own);
        if on("shows_the_first_filter_for_ever")
            && let Ok(brief) = &defined
            && let Ok(xml) = self.inner.filter_xml(brief.uuid, 0)
        {
            self.shown.lock().first_xml.entry(brief.uuid).or_insert(xml);
        }
        match defined {
            Err(error) if on("takes_a_filter_name_twice") && error.code() == Code::OPERATION_FAILED => {
                let name = between(xml, "name=").unwrap_or_default();
                let known = self.inner.filters().into_iter().find(|filter| filter.name == name);
                known.ok_or(error)
            }
            Err(error) if !rings_are_seen && error.to_string().contains("ring") => {
                let uuid = element(xml, "uuid").and_then(|text| text.trim().parse().ok());
                let name = between(xml, "name=").unwrap_or_default().to_owned();
                uuid.map(|uuid| FilterBrief { uuid, name }).ok_or(error)
            }
            Err(error) if on("takes_a_bad_filter") && error.code() == Code::XML_ERROR => {
                let name = between(xml, "name=").unwrap_or("bad").to_owned();
                Ok(FilterBrief {
                    uuid: Uuid::from_bytes([9; 16]),
                    name,
                })
            }
            other => other.map_err(told),
        }
    }

    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.enter("undefine_filter");
        if on("undefines_no_filter") && self.inner.filter_xml(uuid, 0).is_ok() {
            return Ok(());
        }
        match self.inner.undefine_filter(cx, uuid) {
            Err(error) if on("undefines_filters_in_use") && error.code() == Code::OPERATION_INVALID => {
                self.shown.lock().hidden.push(uuid);
                Ok(())
            }
            other => other.map_err(told),
        }
    }
}

impl BindingDriver for Mutant {
    fn bindings(&self) -> Vec<BindingBrief> {
        lock::in_filter_read(&self.host);
        let mut bindings = self.inner.bindings();
        let half = self.shown.lock().half_bound.clone();
        bindings.extend(half.into_iter().map(|(port, filter)| BindingBrief { port, filter }));
        bindings
    }

    fn binding_xml(&self, port: &str, flags: u32) -> Result<String> {
        if on("binding_without_its_values") {
            let xml = self.inner.binding_xml(port, flags).map_err(told)?;
            return Ok(xml
                .lines()
                .filter(|line| !line.contains("<parameter"))
                .collect::<Vec<_>>()
                .join("\n"));
        }
        self.inner.binding_xml(port, flags).map_err(told)
    }

    fn create_binding(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<BindingBrief> {
        self.enter("create_binding");
        let created = self.inner.create_binding(cx, xml, flags);
        if on("leaves_half_a_binding")
            && let Err(error) = &created
            && error.code() != Code::OPERATION_FAILED
            && let Some(port) = between(xml, "portdev name=")
        {
            let filter = between(xml, "filterref filter=").unwrap_or_default();
            self.shown.lock().half_bound.push((port.to_owned(), filter.to_owned()));
        }
        match created {
            Err(error) if on("binds_a_port_twice") && error.code() == Code::OPERATION_FAILED => {
                let port = between(xml, "portdev name=").unwrap_or_default();
                let known = self.inner.bindings().into_iter().find(|bound| bound.port == port);
                known.ok_or(error)
            }
            Err(error) if on("binds_to_filters_that_are_not_there") && error.code() == Code::NO_NWFILTER => {
                let port = between(xml, "portdev name=").unwrap_or_default().to_owned();
                let filter = between(xml, "filterref filter=").unwrap_or_default().to_owned();
                Ok(BindingBrief { port, filter })
            }
            other => other.map_err(told),
        }
    }

    fn delete_binding(&self, cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()> {
        self.enter("delete_binding");
        if on("deletes_no_binding") && self.inner.binding_xml(port, 0).is_ok() {
            return Ok(());
        }
        if on("looks_long_before_it_deletes") {
            let known = self.inner.binding_xml(port, 0);
            std::thread::sleep(Duration::from_millis(5));
            known.map_err(told)?;
        }
        match self.inner.delete_binding(cx, port) {
            Err(error) if on("looks_long_before_it_deletes") && error.code() == Code::NO_NWFILTER_BINDING => {
                Err(recoded(error, 1))
            }
            Err(error) if on("deletes_bindings_of_guests") && error.code() == Code::OPERATION_INVALID => Ok(()),
            other => other.map_err(told),
        }
    }

    fn attach_port(&self, cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        if on("refuses_what_is_in_force") && self.inner.binding_xml(&request.port, 0).is_ok() {
            return Err(super::error(Code::OPERATION_FAILED, "that port is filtered already"));
        }
        if on("attaches_with_locks_of_its_own") {
            lock::filter_under_update(cx.call());
        }
        lock::own_under_a_lock()?;
        match self.inner.attach_port(cx, request) {
            Err(error) if on("attaches_ports_without_a_filter") && error.code() == Code::NO_NWFILTER => Ok(()),
            other => other.map_err(told),
        }
    }

    fn detach_port(&self, cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        if on("detaches_no_port") {
            return Ok(());
        }
        self.inner.detach_port(cx, port).map_err(told)
    }
}

impl Inspect for Mutant {
    fn facts(&self) -> Result<Vec<(String, String)>> {
        if on("knows_no_facts") {
            return Ok(Vec::new());
        }
        self.inner.facts()
    }

    fn show_port(&self, port: &str) -> Result<PortView> {
        lock::in_filter_read(&self.host);
        let mut view = self.inner.show_port(port).map_err(told)?;
        if on("shows_a_port_as_it_was_first") {
            let mut shown = self.shown.lock();
            return Ok(shown.first_views.entry(port.to_owned()).or_insert(view).clone());
        }
        if on("shows_no_rules") {
            view.rules.clear();
        }
        Ok(view)
    }

    fn counters(&self, port: &str) -> Result<PortCounters> {
        if on("counts_for_nobody") {
            return Ok(self.inner.counters(port).unwrap_or(PortCounters {
                ports: Vec::new(),
                rules: Vec::new(),
            }));
        }
        let counters = self.inner.counters(port).map_err(told)?;
        if on("counts_for_the_first_port")
            && let Some(first) = self.inner.bindings().first()
        {
            return self.inner.counters(&first.port).map_err(told);
        }
        Ok(counters)
    }

    fn test(&self, request: &TestRequest) -> Result<Vec<TestOutcome>> {
        if on("tests_half_of_the_packets") {
            let mut outcomes = self.inner.test(request).map_err(told)?;
            outcomes.pop();
            return Ok(outcomes);
        }
        self.inner.test(request).map_err(told)
    }

    fn start_trace(&self, port: &str) -> Result<u64> {
        if on("traces_without_a_bound") {
            return match self.inner.start_trace(port) {
                Err(error) if error.code() == Code::OPERATION_INVALID => Ok(4711),
                other => other.map_err(told),
            };
        }
        if on("numbers_traces_from_one") {
            return self.inner.start_trace(port).map(|_| 1).map_err(told);
        }
        self.inner.start_trace(port).map_err(told)
    }

    fn next_trace(&self, trace: u64) -> Result<TraceBatch> {
        if on("goes_on_with_ended_traces") {
            return Ok(TraceBatch {
                steps: Vec::new(),
                lost: 0,
            });
        }
        self.inner.next_trace(trace).map_err(told)
    }

    fn stop_trace(&self, trace: u64) -> Result<()> {
        self.inner.stop_trace(trace).map_err(told)
    }

    fn reload(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.enter("reload");
        if on("reads_nothing_anew") {
            return Ok(());
        }
        if on("drops_bindings_when_it_reads_anew") {
            for bound in self.inner.bindings() {
                drop(self.inner.delete_binding(cx, &bound.port));
            }
        }
        self.inner.reload(cx).map_err(told)
    }
}
