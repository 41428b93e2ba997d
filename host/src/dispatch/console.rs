//! Consoles: from a domain's alias to a stream that the server pumps.

use super::Dispatch;
use super::domain::{find, unknown_flags};
use crate::rpc::codec::domain::DomainOpenConsole;
use crate::server::{Answer, Call, StreamEnd};
use crate::supervisor::ConsoleMode;
use driver_api::error::Result;
use driver_api::types::domain::flags::{CONSOLE_FORCE, CONSOLE_SAFE};

pub(super) fn open(host: &Dispatch, call: &Call<'_>) -> Result<Answer> {
    let args = call.args::<DomainOpenConsole>()?;
    // Every console here is safe: its supervisor knows all writers. So that flag asks for what is given anyway.
    let unknown = args.flags & !(CONSOLE_FORCE | CONSOLE_SAFE);
    if unknown != 0 {
        return Err(unknown_flags("opening a console", unknown));
    }
    let uuid = find(host, call, &args.dom)?.uuid;
    let console = host.console(call, uuid, args.device.as_deref())?;
    let mode = ConsoleMode {
        write: true,
        force: args.flags & CONSOLE_FORCE != 0,
        history: true,
    };
    let io = host.guests.open_console(console.guest, console.index, mode)?;
    // The supervisor ends the stream itself when the guest ends or another writer is forced in.
    let (end, _abort) = StreamEnd::new(io);
    Ok(Answer::stream(end))
}
