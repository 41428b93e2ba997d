//! What a driver does on its own ground: whether it panics, what it says when it refuses, what it keeps, its own threads.

use super::domains::startable;
use super::{life, process, steps};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use driver_api::error::Error;
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::uuid::Uuid;
use std::collections::BTreeMap;
use std::time::Duration;

/// A rule of every driver.
const ANY: Check = Check {
    id: "",
    title: "",
    clause: "",
    level: Level::Must,
    needs: &[],
    privileged: false,
    why: "",
    fix: "",
    run: never_panics,
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "OWN-001",
        title: "nothing that is asked makes it panic, and it goes on working",
        clause: "errors.panic",
        why: "A panic costs a client its call, and whoever holds a lock then leaves it poisoned to everybody else.",
        fix: "No `unwrap`, index or plain arithmetic on what came from outside; the text of the panic says where it was.",
        run: never_panics,
        ..ANY
    },
    Check {
        id: "OWN-002",
        title: "an error is one line that names its object, and no two failures share one",
        clause: "errors.texts",
        level: Level::Should,
        why: "The person who reads it has nothing else, and a second line is lost in most logs.",
        fix: "Context outside, cause inside: `cannot start domain 'one': cannot open '/k': no such file`.",
        run: says_what_is_wrong,
        ..ANY
    },
    Check {
        id: "OWN-003",
        title: "what it was given may be overwritten when the call has returned",
        clause: "strings.ownership",
        why: "The host uses its buffers again; a driver that kept a pointer shows one client what another one said.",
        fix: "`to_owned()` what you keep; in C copy it, and free only what you made.",
        run: keeps_copies,
        ..ANY
    },
    Check {
        id: "OWN-004",
        title: "each thread of its own has a name",
        clause: "threads.own",
        why: "Whoever looks at a busy host (`top -H`, a stack trace) must see whose thread that is.",
        fix: "`std::thread::Builder::new().name(\"DRIVER-what\")`; better: no thread.",
        run: names_its_threads,
        ..ANY
    },
    Check {
        id: "OWN-005",
        title: "its own threads end their sessions, with nothing held",
        clause: "threads.sessions",
        why: "What a thread of its own keeps nobody else can give back, and whoever needs it waits for ever.",
        fix: "Let guards go inside the closure of `Host::session`, and return from it.",
        run: ends_its_sessions,
        ..ANY
    },
];

/// How long a driver's own threads may take to be done with what a call began.
const SOON: Duration = Duration::from_secs(5);
/// Documents are made so long, so that one is not copied in passing.
const LONG: usize = 24 * 1024;

fn expect_no_panic(bench: &Bench, what: &str) -> Outcome {
    let panics = bench.recording().panics;
    match panics.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!(
            "{what}: expected no panic, found {}; the first: {first}",
            panics.len()
        ))),
    }
}

fn never_panics(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for text in strange_texts(ctx) {
        let _any = bench.define(&text);
        let _any = bench.create(&text);
        let _any = bench.by_name(&text);
        let _any = bench.define_filter(&text);
        expect_no_panic(&bench, &format!("{:?} as a document and as a name", short(&text)))?;
    }
    for uuid in [Uuid::default(), Uuid::from_bytes([0xff; 16]), ctx.uuid(1)] {
        for flags in [0, 1 << 30, u32::MAX] {
            ask_all(&bench, uuid, flags);
            expect_no_panic(&bench, &format!("calls about '{uuid}' with the flags {flags:#x}"))?;
        }
    }
    for id in [i32::MIN, -1, i32::MAX] {
        let _any = bench.by_id(id);
    }
    expect_no_panic(&bench, "by_id of numbers that are no ids")?;
    // Out of order: what does not fit the state is refused.
    for step in steps::of(ctx, &bench).iter().rev() {
        let _any = (step.forth)(ctx, &bench);
        expect_no_panic(&bench, &format!("{} where nothing is", step.name))?;
    }
    // In order: that it succeeds is for the checks of its contract.
    for step in steps::of(ctx, &bench) {
        let _any = (step.forth)(ctx, &bench);
        if bench.offers("virt.lifecycle/1") {
            ask_all(&bench, ctx.uuid(1), u32::MAX);
        }
        expect_no_panic(&bench, step.name)?;
    }
    Ok(())
}

/// What a client may send that means nothing.
fn strange_texts(ctx: &Ctx) -> Vec<String> {
    let deep = "<a>".repeat(2_000);
    let number = |memory: &str| format!("<domain type='@'><name>n</name><memory>{memory}</memory></domain>");
    let mut texts: Vec<String> = [
        "",
        "<",
        "\u{feff}",
        "<domain/>",
        "<filter/>",
        "</domain>",
        "<domain type=''><name/></domain>",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend([deep, "\0".to_owned(), "ä\u{10ffff}".repeat(500)]);
    let whole = ctx.domain(1);
    // Cut wherever a quarter ends, in an element's name or a value too; letters stay whole, since a text is UTF-8 to a driver.
    for part in 1..4 {
        let end = (1..=whole.len() * part / 4)
            .rev()
            .find(|end| whole.is_char_boundary(*end));
        texts.push(whole[..end.unwrap_or(0)].to_owned());
    }
    texts.extend(["-1", "99999999999999999999999", "1e9", "0x10", " "].map(number));
    texts
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Every call of `virt.lifecycle/1` about one domain; whatever it answers is for other checks.
fn ask_all(bench: &Bench, uuid: Uuid, flags: u32) {
    let _any = bench.by_uuid(uuid);
    let _any = bench.dump_xml(uuid, flags);
    let _any = bench.look("cpu_time", |virt| virt.cpu_time(uuid));
    if flags != 0 {
        // Unknown flags: nothing may be changed by these.
        let _any = bench.virt("start", |virt, call| virt.start(call, uuid, flags).map(drop));
        let _any = bench.virt("shutdown", |virt, call| virt.shutdown(call, uuid, flags));
        let _any = bench.virt("reboot", |virt, call| virt.reboot(call, uuid, flags));
        let _any = bench.virt("destroy", |virt, call| virt.destroy(call, uuid, flags));
        let _any = bench.virt("undefine", |virt, call| virt.undefine(call, uuid, flags));
    }
}

/// An error, the failure it is about, and what it must name.
type Said = (&'static str, Option<Error>, Vec<String>);

fn says_what_is_wrong(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let mut said: Vec<Said> = Vec::new();
    if bench.offers("virt.lifecycle/1") {
        let (uuid, stranger) = (ctx.uuid(1), ctx.uuid(9));
        let named = || vec![ctx.name(1), uuid.to_string()];
        said.push((
            "start of no domain",
            bench.start(stranger).err(),
            vec![stranger.to_string()],
        ));
        said.push(("define of no document", bench.define("<domain").err(), Vec::new()));
        bench.define(&ctx.domain(1)).succeeds("define")?;
        let twin = ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(1), stranger);
        said.push(("define of a name that is taken", bench.define(&twin).err(), named()));
        said.push(("destroy of a domain that is off", bench.destroy(uuid).err(), named()));
        if startable(ctx).is_ok() {
            bench.start(uuid).succeeds("start")?;
            said.push(("start of a domain that runs", bench.start(uuid).err(), named()));
            bench.destroy(uuid).succeeds("destroy")?;
        }
    }
    if bench.offers("nwfilter.define/1") {
        let (uuid, stranger) = (ctx.uuid(1), ctx.uuid(9));
        let gone = bench.undefine_filter(stranger).err();
        said.push(("undefine_filter of no filter", gone, vec![stranger.to_string()]));
        bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
        let twin = ctx.filter(1).replace(&uuid.to_string(), &stranger.to_string());
        let taken = bench.define_filter(&twin).err();
        said.push((
            "define_filter of a name that is taken",
            taken,
            vec![ctx.name(1), uuid.to_string()],
        ));
    }
    let said: Vec<(&str, String, Vec<String>)> = said
        .into_iter()
        // That it is refused at all is for the checks of its contract.
        .filter_map(|(what, error, named)| Some((what, error?.to_string(), named)))
        .collect();
    judge(&said)
}

/// Whether these texts are what a person can use.
fn judge(said: &[(&str, String, Vec<String>)]) -> Outcome {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (what, text, named) in said {
        ensure!(!text.trim().is_empty(), "{what}: expected a sentence, found {text:?}");
        ensure!(
            !text.chars().any(char::is_control),
            "{what}: expected one line of text, found {text:?}"
        );
        ensure!(
            named.is_empty() || named.iter().any(|name| text.contains(name)),
            "{what}: expected the text to name {}, found {text:?}",
            named.join(" or ")
        );
        if let Some(other) = seen.insert(text, what) {
            return Err(Failure::new(format!(
                "{what} and {other}: expected two sentences, found {text:?} for both"
            )));
        }
    }
    Ok(())
}

/// Calls with a text, and overwrites it afterwards where it lies. It stays there until the check is over, so that who reads
/// it later reads what somebody else wrote.
fn lent<T>(text: &str, kept: &mut Vec<Vec<u8>>, call: impl FnOnce(&str) -> T) -> T {
    let lent = text.to_owned();
    let answer = call(&lent);
    let mut bytes = lent.into_bytes();
    bytes.fill(b'#');
    kept.push(bytes);
    answer
}

fn keeps_copies(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let mut kept = Vec::new();
    for padding in [0, LONG] {
        let padded = |text: &str| format!("{text}{}", " ".repeat(padding));
        let what = format!("a document of {} bytes", padded(&ctx.domain(1)).len());
        if bench.offers("virt.lifecycle/1") {
            let uuid = ctx.uuid(1);
            // That a definition is taken and shown at all is for the checks of its contract.
            let look = || (bench.dump_xml(uuid, XML_INACTIVE).ok(), bench.list().ok());
            let _any = bench.define(&padded(&ctx.domain(1)));
            let before = look();
            let _any = lent(&padded(&ctx.domain(1)), &mut kept, |text| bench.define(text));
            let _any = lent(&ctx.name(1), &mut kept, |name| bench.by_name(name));
            expect_same(&what, &before, &look())?;
            let _any = bench.undefine(uuid);
        }
        if bench.offers("nwfilter.define/1") {
            let uuid = ctx.uuid(1);
            let look = || (bench.filter_xml(uuid).ok(), bench.filters().ok());
            let _any = bench.define_filter(&padded(&ctx.filter(1)));
            let before = look();
            let _any = lent(&padded(&ctx.filter(1)), &mut kept, |text| bench.define_filter(text));
            expect_same(&what, &before, &look())?;
            let _any = bench.undefine_filter(uuid);
        }
    }
    Ok(())
}

fn expect_same<T: PartialEq + std::fmt::Debug>(what: &str, before: &T, now: &T) -> Outcome {
    ensure!(
        before == now,
        "when {what} was overwritten after its definition: expected {}, found {}",
        cut(before),
        cut(now)
    );
    Ok(())
}

fn cut(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take(400).collect()
}

fn names_its_threads(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    expect_names(&bench, "the driver was brought up")?;
    for step in steps::of(ctx, &bench) {
        let _any = (step.forth)(ctx, &bench);
        expect_names(&bench, step.name)?;
    }
    Ok(())
}

/// A thread without a name has that of the thread that made it; this process makes none without one.
fn expect_names(bench: &Bench, after: &str) -> Outcome {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let unnamed = |bench: &Bench| {
        let now = process::threads();
        let new = |number: &i32| *number != own && !bench.threads_before().contains_key(number);
        let nobodys = now.get(&own);
        now.iter()
            .filter(|(number, name)| new(number) && Some(*name) == nobodys)
            .count()
    };
    // A thread names itself when it begins to run.
    let named = bench.wait(SOON, |bench| unnamed(bench) == 0);
    ensure!(
        named,
        "after {after}: expected each thread of the driver's to have a name, found {} called like their process",
        unnamed(bench)
    );
    Ok(())
}

fn ends_its_sessions(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for step in steps::of(ctx, &bench) {
        let _any = (step.forth)(ctx, &bench);
    }
    let _any = life::short(ctx, &bench, 2)?;
    let open = |bench: &Bench| {
        let recording = bench.recording();
        let count = |function: &str| {
            let calls = recording.of("lock/1");
            calls
                .filter(|call| call.function == function && call.error.is_none())
                .count()
        };
        (count("session_open") + count("adopt")).saturating_sub(count("session_close"))
    };
    ensure!(
        bench.wait(SOON, |bench| open(bench) == 0),
        "sessions {SOON:?} after a domain's or filter's life: expected all to have ended, found {} open",
        open(&bench)
    );
    let breaches = bench.recording().breaches;
    if let Some(breach) = breaches.iter().find(|breach| breach.call == "session_close") {
        return Err(Failure::new(format!(
            "the end of {}: expected nothing to be held, found: {}",
            breach.method, breach.text
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_help_nobody_are_found() {
        let named = || vec!["one".to_owned()];
        let one = |text: &str| judge(&[("start", text.to_owned(), named())]);
        one("domain 'one' runs already").unwrap();
        for bad in ["", " ", "domain 'one'\nruns", "it runs already"] {
            one(bad).unwrap_err();
        }
        let twice = ["start", "stop"].map(|what| (what, "domain 'one' is busy".to_owned(), named()));
        judge(&twice).unwrap_err();
    }
}
