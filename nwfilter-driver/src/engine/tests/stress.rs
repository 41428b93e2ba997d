//! Everything at once, from many threads: what the kernel has is what the ports say, and nothing hangs.

use super::*;
use parking_lot::{Mutex as Lock, RwLock};
use std::net::{IpAddr, Ipv4Addr};
use std::thread;

/// The same numbers each time.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % sides
    }
}

const ROUNDS: u32 = 60;

#[test]
fn changes_from_many_threads_leave_what_they_say() {
    let world = World::new().with("f", OWN_MAC).with("g", OWN_IP);
    // As the host's: who changes a filter is alone, and alone with other changes.
    let (filters, update) = (Lock::new(()), RwLock::new(()));
    thread::scope(|scope| {
        let (world, filters, update) = (&world, &filters, &update);
        for seed in 0..12 {
            scope.spawn(move || {
                let mut dice = Dice(seed);
                for _ in 0..ROUNDS {
                    let port = format!("tap{}", dice.roll(6));
                    let filter = ["f", "g"][usize::try_from(dice.roll(2)).unwrap()];
                    let _shared = update.read();
                    match dice.roll(4) {
                        0 => drop(world.create(&port, filter, &[])),
                        1 => drop(world.engine.create(request(&port, filter, &[]), Maker::Guest)),
                        2 => drop(world.engine.delete(&port, None)),
                        _ => {
                            let address = IpAddr::from(Ipv4Addr::new(10, 0, 0, u8::try_from(dice.roll(250)).unwrap()));
                            let generation = world.engine.ports().get(&port).map_or(0, |bound| bound.generation);
                            world.engine.learned(&port, generation, &[address]).unwrap();
                        }
                    }
                }
            });
        }
        for seed in 100..103 {
            scope.spawn(move || {
                let mut dice = Dice(seed);
                for _ in 0..ROUNDS {
                    let rules = [OWN_MAC, OWN_IP, DROP_IN][usize::try_from(dice.roll(3)).unwrap()];
                    let name = ["f", "g"][usize::try_from(dice.roll(2)).unwrap()];
                    let _one = filters.lock();
                    let _alone = update.write();
                    if dice.roll(10) == 0 {
                        let table = Filters::clone(&world.engine.filters());
                        world.engine.reload(table).unwrap();
                    } else {
                        world.define(super::filter(name, rules)).unwrap();
                    }
                }
            });
        }
    });
    let (now, ports) = (world.kernel.now(), world.engine.ports());
    assert!(now.ports.keys().eq(ports.keys()));
    for (port, bound) in ports.iter() {
        assert_eq!(now.ports[port].program, bound.program);
        assert_eq!(now.programs[&bound.program], bound.compiled.program);
        assert_eq!(now.ports[port].slots, bound.compiled.fill(&bound.values).unwrap());
        assert_eq!(world.school.lessons.lock().get(port).is_some(), bound.lesson.is_some());
    }
    assert_eq!(
        world.school.lessons.lock().len(),
        ports.values().filter(|bound| bound.lesson.is_some()).count()
    );
    // What a new host makes of the files is the same.
    let mut world = world;
    world.kernel.asked();
    world.restarted();
    assert_eq!(
        (world.kernel.asked(), world.kernel.now() == now),
        (vec!["verify"], true)
    );
}
