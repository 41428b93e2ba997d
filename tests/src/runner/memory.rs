//! How much memory a check may have, so that one that takes all there is does not take the machine along.

/// Bytes that a check may have where the machine has enough: some guests and the driver fit well.
const MOST: u64 = 2 << 30;

/// Bytes that a check may have on this machine.
pub(super) fn most() -> u64 {
    let about = rustix::system::sysinfo();
    let unit = u64::from(about.mem_unit);
    part(about.totalram.saturating_mul(unit))
}

/// Half of a small machine: checks run beside one another, and something must be left to watch them.
const fn part(total: u64) -> u64 {
    if total / 2 < MOST { total / 2 } else { MOST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_never_gets_the_whole_machine() {
        assert_eq!(part(64 << 30), MOST);
        assert_eq!(part(2 << 30), 1 << 30);
        assert!(most() > 0 && most() <= MOST);
    }
}
