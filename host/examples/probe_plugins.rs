//! Loads every plug-in of a folder as a host would, defines and starts one domain with each virt driver, and prints what
//! came of it as JSON: `probe_plugins FOLDER`.

use driver_api::driver::Config;
use driver_api::error::{Code, Error, Origin, Result};
use lockstep::event::Events;
use lockstep::lock::{Limits, Locks};
use lockstep::plugin::{Context, Inbox, Plugin, Plugins, Rooms};
use std::path::PathBuf;

const DOMAIN: &str =
    "<domain type='hello'><name>probe</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></domain>";

fn main() -> Result<()> {
    let usage = || Error::new(Code::INVALID_ARG, Origin::NONE, "usage: probe_plugins FOLDER");
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    let locks = Locks::new(Limits::default());
    let rooms = Rooms {
        events: Events::new(&locks),
        guests: None,
        locks,
    };
    let plugins = Plugins::new(rooms, &Inbox::default());
    plugins.load(std::slice::from_ref(&folder), |name| {
        let own = folder.join(name);
        Ok(Config {
            conf_dir: own.join("conf"),
            state_dir: own.join("state"),
            run_dir: own.join("run"),
            log_dir: own.join("log"),
            privileged: false,
            options: Vec::new(),
        })
    });
    plugins.bring_up();
    let virts = plugins.virts();
    let domains: Vec<String> = virts.iter().map(|plugin| probe(plugin)).collect();
    let report = serde_json::json!({ "plugins": plugins.status(), "domains": domains });
    // The one thing that this program is for.
    #[allow(clippy::print_stdout, reason = "an example's output")]
    {
        println!("{report}");
    }
    Ok(())
}

fn probe(plugin: &Plugin) -> String {
    let context = Context::default();
    let lacks = || Error::new(Code::NO_SUPPORT, Origin::NONE, "no domains");
    let started = plugin
        .call("define", &context, |driver, call| {
            driver.virt().ok_or_else(lacks)?.define(call, DOMAIN, 0)
        })
        .and_then(|brief| {
            plugin.call("start", &context, |driver, call| {
                driver.virt().ok_or_else(lacks)?.start(call, brief.uuid, 0)
            })
        });
    match started {
        Ok(brief) => format!("{}: {} is {:?}", plugin.name(), brief.name, brief.state),
        Err(error) => format!("{}: {error}", plugin.name()),
    }
}
