//! `Mint`: makes the unguessable numbers by which plug-ins name calls, holds, loans and jobs.

use std::hash::{BuildHasher, RandomState};

/// A counter behind a keyed permutation: numbers never repeat, are never 0 and say nothing about one another.
///
/// One mint serves calls, holds, loans and jobs, so a number of one kind is never valid as another.
#[derive(Clone, Debug)]
pub struct Mint {
    secret: RandomState,
    next: u64,
}

impl Mint {
    /// A mint with a secret of its own, drawn from the kernel by the standard library.
    #[must_use]
    pub fn new() -> Self {
        Self {
            secret: RandomState::new(),
            next: 0,
        }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        loop {
            self.next = self.next.wrapping_add(1);
            let number = permute(self.next, |round, half| self.secret.hash_one((round, half)));
            if number != 0 {
                return number;
            }
        }
    }
}

impl Default for Mint {
    fn default() -> Self {
        Self::new()
    }
}

/// Four Feistel rounds: a permutation of the 64-bit numbers whatever `mix` is, and with a keyed pseudo-random `mix` one
/// that can not be told from a random permutation by who sees only some of its values.
fn permute(number: u64, mix: impl Fn(u8, u64) -> u64) -> u64 {
    const HALF: u64 = 0xffff_ffff;
    (0..4).fold(number, |n, round| {
        let (left, right) = (n >> 32, n & HALF);
        (right << 32) | (left ^ (mix(round, right) & HALF))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_do_not_repeat_and_are_not_zero() {
        let mut mint = Mint::new();
        let seen: HashSet<u64> = (0..100_000).map(|_| mint.draw()).collect();
        assert_eq!(seen.len(), 100_000);
        assert!(!seen.contains(&0));
    }

    #[test]
    fn permute_is_a_permutation_for_any_mix() {
        // Undo the rounds; whatever the mix, the number must come back.
        let mix = |round: u8, half: u64| {
            half.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(u32::from(round) * 7 + 13)
        };
        for number in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let back = (0..4).rev().fold(permute(number, mix), |n, round| {
                let (right, mixed) = (n >> 32, n & 0xffff_ffff);
                ((mixed ^ (mix(round, right) & 0xffff_ffff)) << 32) | right
            });
            assert_eq!(back, number);
        }
    }

    #[test]
    fn two_mints_disagree_and_neighbours_are_far_apart() {
        let (mut one, mut two) = (Mint::new(), Mint::new());
        let (a, b) = (one.draw(), one.draw());
        assert_ne!(a, two.draw());
        assert!(a.abs_diff(b) > 1 << 20, "{a:x} {b:x}");
    }
}
