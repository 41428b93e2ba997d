//! Filters for the system calls of a guest: what would hang it, or reach beyond it, though it needs no right.

use super::link::filter_and_listen;
use super::sys::filter_system_calls;
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, SIGABRT, SYS_ioctl, SYS_kill, SYS_tgkill,
    c_long, sock_filter,
};
use std::io;
use std::os::fd::OwnedFd;

/// Where things are in `struct seccomp_data`: arguments have 64 bits each, the low half first.
pub(super) mod at {
    pub(in super::super) const NUMBER: u32 = 0;
    pub(in super::super) const MACHINE: u32 = 4;
    pub(in super::super) const FIRST: u32 = 16;
    pub(in super::super) const SECOND: u32 = 24;
    pub(in super::super) const THIRD: u32 = 32;
}

/// `AUDIT_ARCH_...` of this machine's own system calls; UML exists for x86 only.
pub(super) const MACHINE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else {
    None
};
/// From here on x86 has its calls a second time (`__X32_SYSCALL_BIT`).
pub(super) const SECOND_TABLE: u32 = 0x4000_0000;
/// The low half of the requests of taps, from `TUNSETNOCSUM` on; a terminal's requests of the same group are lower.
const TAP_REQUESTS: (u32, u32) = (0x54c8, 0x54ff);
/// `TUNSETIFF`, with which a process asks for a tap.
const TAKE: u32 = 0x54ca;
/// `TUNGETFEATURES`, `TUNSETOFFLOAD`, `TUNGETIFF` and `TUNSETVNETHDRSZ`: how frames look between the guest and its own tap.
/// A program that is born with a tap has no other way to learn what it was opened for than to ask.
const HARMLESS: [u32; 4] = [0x54cf, 0x54d0, 0x54d2, 0x54d8];
/// `SIOCSIFHWADDR`, which a tap takes without asking for a right.
const SET_ADDRESS: u32 = 0x8924;

/// Makes an abort of the program that is executed next deadly, although it is the first of its PID namespace: the
/// kernel lets such a process ignore its own SIGABRT, so that a UML kernel that panics would spin for ever. A filter
/// kills it instead (with SIGSYS) when it sends itself that signal.
///
/// # Errors
/// `EINVAL` on a kernel without seccomp filters.
pub(super) fn make_abort_deadly() -> io::Result<()> {
    let (first, abort) = (1, SIGABRT.cast_unsigned());
    filter_system_calls(&[
        load(at::NUMBER),
        equal(number(SYS_kill), 1, 0),
        equal(number(SYS_tgkill), 2, 7),
        // kill(1, SIGABRT)
        load(at::SECOND),
        equal(abort, 2, 5),
        // tgkill(1, …, SIGABRT)
        load(at::THIRD),
        equal(abort, 0, 3),
        load(at::FIRST),
        equal(first, 0, 1),
        answer(SECCOMP_RET_KILL_PROCESS),
        answer(SECCOMP_RET_ALLOW),
    ])
}

/// Forbids (with `EPERM`) to change a tap through its descriptor. A tap asks nobody for a right: whoever holds it could
/// give it an address that its bridge takes for its own or for another guest's, or let it outlive the guest. Requests for
/// a tap wait for an answer at the returned descriptor.
///
/// # Errors
/// As [`forbid_device_control`], and `EBUSY` where this process is listened to already.
pub(super) fn listen_for_taps() -> io::Result<OwnedFd> {
    filter_and_listen(&device_control(SECCOMP_RET_USER_NOTIF)?)
}

/// The same where nobody can listen: requests for a tap are forbidden too.
///
/// # Errors
/// `EINVAL` on a kernel without seccomp filters, `ENOSYS` on a machine whose system calls are not known here.
pub(super) fn forbid_device_control() -> io::Result<()> {
    filter_system_calls(&device_control(SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned())?)
}

/// The filter; `take` is what becomes of a request for a tap.
fn device_control(take: u32) -> io::Result<[sock_filter; 18]> {
    let machine = MACHINE.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSYS))?;
    Ok([
        // The same call has other numbers for programs of other machines, which a guest's kernel never is.
        load(at::MACHINE),
        equal(machine, 0, 13),
        load(at::NUMBER),
        statement(BPF_JMP | BPF_JGE | BPF_K, SECOND_TABLE, 11, 0),
        equal(number(SYS_ioctl), 0, 12),
        load(at::SECOND),
        // What a request is and does is in its low half; the rest is the size of its argument.
        statement(BPF_ALU | BPF_AND | BPF_K, 0xffff, 0, 0),
        equal(SET_ADDRESS, 7, 0),
        equal(TAKE, 7, 0),
        equal(HARMLESS[0], 7, 0),
        equal(HARMLESS[1], 6, 0),
        equal(HARMLESS[2], 5, 0),
        equal(HARMLESS[3], 4, 0),
        statement(BPF_JMP | BPF_JGE | BPF_K, TAP_REQUESTS.0, 0, 3),
        statement(BPF_JMP | BPF_JGT | BPF_K, TAP_REQUESTS.1, 2, 0),
        answer(SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned()),
        answer(take),
        answer(SECCOMP_RET_ALLOW),
    ])
}

pub(super) fn number(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

pub(super) fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

pub(super) fn equal(value: u32, yes: u8, no: u8) -> sock_filter {
    statement(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
}

pub(super) const fn answer(value: u32) -> sock_filter {
    sock_filter {
        // BPF_RET | BPF_K, of which a constant can not be made by conversion.
        code: 6,
        jt: 0,
        jf: 0,
        k: value,
    }
}

pub(super) fn statement(code: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt: yes,
        jf: no,
        k: value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sys::asked;
    use super::*;
    use rustix::io::Errno;
    use rustix::ioctl::{Opcode, opcode};

    const GET_FEATURES: Opcode = opcode::read::<u32>(b'T', 207);
    const SET_OFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
    const GET_INTERFACE: Opcode = opcode::read::<u32>(b'T', 210);
    const SET_HEADER: Opcode = opcode::write::<i32>(b'T', 216);
    const SET_PERSISTENT: Opcode = opcode::write::<i32>(b'T', 203);
    const SET_OWNER: Opcode = opcode::write::<i32>(b'T', 204);
    const SET_QUEUE: Opcode = opcode::write::<i32>(b'T', 217);
    const SET_CARRIER: Opcode = opcode::write::<i32>(b'T', 226);
    const TAKE_TAP: Opcode = opcode::write::<i32>(b'T', 202);

    /// What those hear that change a tap, and those that do not. A filter is its thread's alone.
    fn asked_behind(filter: impl FnOnce() + Send + 'static) -> (Vec<Errno>, Vec<Errno>) {
        let asking = std::thread::spawn(|| {
            rustix::thread::set_no_new_privs(true).unwrap();
            filter();
            let taps = vec![
                asked::<SET_PERSISTENT>(),
                asked::<SET_OWNER>(),
                asked::<SET_QUEUE>(),
                asked::<SET_CARRIER>(),
                asked::<SET_ADDRESS>(),
            ];
            // Terminal sizes, and how many bytes there are to read.
            let others = vec![
                asked::<0x5413>(),
                asked::<0x541b>(),
                asked::<0x5401>(),
                asked::<GET_FEATURES>(),
                asked::<SET_OFFLOAD>(),
                asked::<GET_INTERFACE>(),
                asked::<SET_HEADER>(),
            ];
            (taps, others)
        });
        asking.join().unwrap()
    }

    #[test]
    fn requests_that_change_taps_are_forbidden_and_others_are_not() {
        assert_eq!(asked::<SET_PERSISTENT>(), Errno::NOTTY);
        let wanted = (vec![Errno::PERM; 5], vec![Errno::NOTTY; 7]);
        assert_eq!(
            asked_behind(|| {
                forbid_device_control().unwrap();
                assert_eq!(asked::<TAKE_TAP>(), Errno::PERM);
            }),
            wanted
        );
        assert_eq!(asked_behind(|| drop(listen_for_taps().unwrap())), wanted);
    }

    #[test]
    fn who_asks_for_a_tap_waits_for_the_answer() {
        let (send, listener) = std::sync::mpsc::channel();
        let asking = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            send.send(listen_for_taps().unwrap()).unwrap();
            asked::<TAKE_TAP>()
        });
        let mut taps = super::super::link::Taps::default();
        taps.listen(Some(listener.recv().unwrap()));
        let mut state = [rustix::event::PollFd::from_borrowed_fd(
            taps.listener().unwrap(),
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut state, None).unwrap();
        taps.serve();
        // It asked without a name.
        assert_eq!(asking.join().unwrap(), Errno::FAULT);
    }
}
