//! The filters of system calls: a list of what a guest may do, and one of what a program beside it may not.

use super::calls;
use crate::supervisor::seccomp::{MACHINE, SECOND_TABLE, answer, at, equal, load, number, statement};
use crate::supervisor::sys::filter_system_calls;
use libc::{
    BPF_ALU, BPF_AND, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SYS_clone, SYS_clone3,
    SYS_ioctl, SYS_prctl, SYS_socket, c_int, sock_filter,
};
use std::io;

/// The first call of the present numbering, which all machines share. A C library that finds one missing takes another,
/// so these are answered with "no such call" instead of "not permitted".
const MODERN: u32 = 424;
/// New namespaces, in which a process would have rights again: mount, cgroup, UTS, IPC, user, PID and network.
const NAMESPACES: u32 = 0x7e02_0000;

const ALLOW: sock_filter = answer(SECCOMP_RET_ALLOW);
const FORBID: sock_filter = refuse(libc::EPERM);
const UNKNOWN: sock_filter = refuse(libc::ENOSYS);

const fn refuse(errno: c_int) -> sock_filter {
    answer(SECCOMP_RET_ERRNO | errno.cast_unsigned())
}

/// Leaves this process, and all that it becomes or starts, the calls that a guest needs; for good. Returns how many.
///
/// # Errors
/// `EINVAL` on a kernel without seccomp filters, `ENOSYS` on a machine whose calls are not known here.
pub(in crate::supervisor) fn allow_for_guest() -> io::Result<u32> {
    filter_system_calls(&guest()?)?;
    // With the four that are looked at more closely.
    Ok(u32::try_from(calls::GUEST.len()).unwrap_or(0) + 4)
}

/// Only keeps this process from asking to outlive its supervisor: where the list is turned off, that must hold still.
///
/// # Errors
/// As [`allow_for_guest`].
pub(in crate::supervisor) fn tie_to_supervisor() -> io::Result<()> {
    let mut program = machine()?;
    prctl(&mut program);
    program.push(ALLOW);
    filter_system_calls(&program)
}

/// Takes the calls from this process that a program beside a guest must not make; for good.
///
/// # Errors
/// As [`allow_for_guest`].
pub(in crate::supervisor) fn deny_for_companion() -> io::Result<()> {
    filter_system_calls(&companion()?)
}

fn guest() -> io::Result<Vec<sock_filter>> {
    let mut program = beginning()?;
    // Its consoles may be terminals: what is put into one is typed by nobody (TIOCSTI, TIOCLINUX).
    one(
        &mut program,
        SYS_ioctl,
        &[
            load(at::SECOND),
            equal(0x5412, 2, 0),
            equal(0x541c, 1, 0),
            ALLOW,
            FORBID,
        ],
    );
    // Unix, IPv4, IPv6: all others are doors into rarely used parts of the kernel.
    one(
        &mut program,
        SYS_socket,
        &[
            load(at::FIRST),
            equal(1, 2, 0),
            equal(2, 1, 0),
            equal(10, 0, 1),
            ALLOW,
            refuse(libc::EAFNOSUPPORT),
        ],
    );
    for (first, last) in ranges(calls::GUEST) {
        program.extend([
            statement(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
            statement(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
            ALLOW,
        ]);
    }
    program.extend([statement(BPF_JMP | BPF_JGE | BPF_K, MODERN, 1, 0), FORBID, UNKNOWN]);
    Ok(program)
}

fn companion() -> io::Result<Vec<sock_filter>> {
    let mut program = beginning()?;
    for (first, last) in ranges(calls::NOT_COMPANION) {
        program.extend([
            statement(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
            statement(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
            FORBID,
        ]);
    }
    program.push(ALLOW);
    Ok(program)
}

/// What all have in common; the call's number is loaded at its end.
fn machine() -> io::Result<Vec<sock_filter>> {
    let machine = MACHINE.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSYS))?;
    Ok(vec![
        // The same numbers mean other calls there.
        load(at::MACHINE),
        equal(machine, 1, 0),
        UNKNOWN,
        load(at::NUMBER),
        statement(BPF_JMP | BPF_JGE | BPF_K, SECOND_TABLE, 0, 1),
        UNKNOWN,
    ])
}

/// What a guest and a program beside it have in common.
fn beginning() -> io::Result<Vec<sock_filter>> {
    let mut program = machine()?;
    one(
        &mut program,
        SYS_clone,
        &[
            load(at::FIRST),
            statement(BPF_ALU | BPF_AND | BPF_K, NAMESPACES, 0, 0),
            equal(0, 0, 1),
            ALLOW,
            FORBID,
        ],
    );
    // Its flags are in memory, where no filter can look.
    one(&mut program, SYS_clone3, &[UNKNOWN]);
    prctl(&mut program);
    Ok(program)
}

fn prctl(program: &mut Vec<sock_filter>) {
    // A first process that asks to outlive its supervisor (PR_SET_PDEATHSIG without SIGKILL) must not be heard: its guest's
    // programs would run on the host.
    one(
        program,
        SYS_prctl,
        &[
            load(at::FIRST),
            equal(libc::PR_SET_PDEATHSIG.cast_unsigned(), 0, 2),
            load(at::SECOND),
            equal(libc::SIGKILL.cast_unsigned(), 0, 1),
            ALLOW,
            FORBID,
        ],
    );
}

/// `then` for one call; it must end in answers only.
fn one(program: &mut Vec<sock_filter>, call: libc::c_long, then: &[sock_filter]) {
    program.push(equal(number(call), 0, u8::try_from(then.len()).unwrap_or(u8::MAX)));
    program.extend_from_slice(then);
}

/// Calls as ranges of numbers, which make a shorter program than each for itself.
fn ranges(calls: &[libc::c_long]) -> Vec<(u32, u32)> {
    let mut numbers: Vec<u32> = calls.iter().map(|call| number(*call)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut found: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => found.push((number, number)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::sys::call;

    /// Runs with a filter, which is its thread's alone.
    fn behind<T: Send + 'static>(filter: fn() -> io::Result<()>, work: impl FnOnce() -> T + Send + 'static) -> T {
        let filtered = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            filter().unwrap();
            work()
        });
        filtered.join().unwrap()
    }

    /// A call with harmless or senseless arguments: its error tells who answered.
    fn errno(number: libc::c_long, arguments: [usize; 3]) -> i32 {
        call(number, arguments)
            .err()
            .and_then(|e| e.raw_os_error())
            .unwrap_or(0)
    }

    #[test]
    fn a_guest_has_what_it_needs_and_nothing_else() {
        let (newuser, newnet) = (0x1000_0000, 0x4000_0000);
        let found = behind(
            || allow_for_guest().map(drop),
            move || {
                let wrong = usize::MAX;
                let denied = [
                    errno(libc::SYS_unshare, [newuser, 0, 0]),
                    errno(libc::SYS_clone, [newuser, 0, 0]),
                    errno(libc::SYS_clone, [newnet, 0, 0]),
                    errno(libc::SYS_setns, [wrong, 0, 0]),
                    errno(libc::SYS_mount, [0, 0, 0]),
                    errno(libc::SYS_keyctl, [0, 0, 0]),
                    errno(libc::SYS_bpf, [wrong, 0, 0]),
                    errno(libc::SYS_userfaultfd, [0, 0, 0]),
                    errno(libc::SYS_perf_event_open, [0, 0, 0]),
                    errno(libc::SYS_open_by_handle_at, [wrong, 0, 0]),
                    errno(libc::SYS_ioctl, [wrong, 0x5412, 0]),
                    errno(libc::SYS_prctl, [1, 0, 0]),
                    errno(libc::SYS_prctl, [1, 15, 0]),
                ];
                let missing = [
                    errno(libc::SYS_clone3, [0, 0, 0]),
                    errno(libc::SYS_io_uring_setup, [1, 0, 0]),
                    errno(libc::SYS_move_mount, [wrong, 0, wrong]),
                    errno(9_999, [0, 0, 0]),
                ];
                let families = [16, 17, 38, 40].map(|family| errno(libc::SYS_socket, [family, 3, 0]));
                let open = [
                    errno(libc::SYS_getppid, [0, 0, 0]),
                    errno(libc::SYS_socket, [1, 1, 0]),
                    errno(libc::SYS_prctl, [1, 9, 0]),
                    errno(libc::SYS_ioctl, [wrong, 0x5401, 0]),
                ];
                (denied, missing, families, open)
            },
        );
        let (denied, missing, families, open) = found;
        assert_eq!(denied, [libc::EPERM; 13]);
        assert_eq!(missing, [libc::ENOSYS; 4]);
        assert_eq!(families, [libc::EAFNOSUPPORT; 4]);
        assert_eq!(open, [0, 0, 0, libc::EBADF]);
    }

    #[test]
    fn a_companion_has_all_but_what_it_has_no_use_for() {
        let found = behind(deny_for_companion, || {
            let denied = [
                errno(libc::SYS_unshare, [0x1000_0000, 0, 0]),
                errno(libc::SYS_ptrace, [usize::MAX, 0, 0]),
                errno(libc::SYS_keyctl, [0, 0, 0]),
                errno(libc::SYS_mount, [0, 0, 0]),
            ];
            (
                denied,
                errno(libc::SYS_socket, [2, 1, 0]),
                errno(libc::SYS_clone3, [0, 0, 0]),
            )
        });
        assert_eq!(found, ([libc::EPERM; 4], 0, libc::ENOSYS));
    }

    #[test]
    fn no_call_is_in_both_lists_that_exclude_each_other() {
        let both = calls::GUEST.iter().filter(|call| calls::NOT_COMPANION.contains(call));
        // What a kernel of UML is made of is nothing that a program beside it needs.
        let of_a_kernel = [
            libc::SYS_personality,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_ptrace,
        ];
        assert!(both.copied().all(|call| of_a_kernel.contains(&call)));
        assert!(guest().unwrap().len() < 4096);
    }
}
