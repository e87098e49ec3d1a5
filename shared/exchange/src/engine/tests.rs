//! The engine against a calendar and a ledger in memory that fail wherever they can.

mod world;

use proptest::prelude::*;

use world::{Fault, Staff, World};

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Book { slot: u8 },
    Move { which: u8, slot: u8 },
    Cancel { which: u8 },
    Dragged { which: u8, slot: u8 },
    Deleted { which: u8 },
    Renamed { which: u8 },
    Copied { which: u8, slot: u8 },
    Foreign { slot: u8, busy: bool },
    ForeignMoved { which: u8, slot: u8 },
    ForeignDeleted { which: u8 },
    Staff { which: u8, says: Staff },
    Synchronise { faults: Vec<(u8, Fault)>, follow: bool },
    Write { faults: Vec<(u8, Fault)> },
}

fn faults() -> impl Strategy<Value = Vec<(u8, Fault)>> {
    let fault = prop_oneof![
        Just(Fault::Before),
        Just(Fault::After),
        Just(Fault::Throttled),
        Just(Fault::Refused),
        Just(Fault::CursorLost),
        Just(Fault::Empty),
        Just(Fault::Cut),
        Just(Fault::Meanwhile),
        Just(Fault::LedgerBefore),
        Just(Fault::LedgerAfter),
    ];
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec((0..12_u8, fault), 1..4)]
}

fn step() -> impl Strategy<Value = Step> {
    let (slot, which) = (0..24_u8, any::<u8>());
    let staff = prop_oneof![Just(Staff::Follow), Just(Staff::Undo)];
    prop_oneof![
        3 => slot.clone().prop_map(|slot| Step::Book { slot }),
        1 => (which, slot.clone()).prop_map(|(which, slot)| Step::Move { which, slot }),
        1 => which.prop_map(|which| Step::Cancel { which }),
        1 => (which, slot.clone()).prop_map(|(which, slot)| Step::Dragged { which, slot }),
        1 => which.prop_map(|which| Step::Deleted { which }),
        1 => which.prop_map(|which| Step::Renamed { which }),
        1 => (which, slot.clone()).prop_map(|(which, slot)| Step::Copied { which, slot }),
        1 => (slot.clone(), any::<bool>()).prop_map(|(slot, busy)| Step::Foreign { slot, busy }),
        1 => (which, slot).prop_map(|(which, slot)| Step::ForeignMoved { which, slot }),
        1 => which.prop_map(|which| Step::ForeignDeleted { which }),
        1 => (which, staff).prop_map(|(which, says)| Step::Staff { which, says }),
        4 => (faults(), any::<bool>()).prop_map(|(faults, follow)| Step::Synchronise { faults, follow }),
        2 => faults().prop_map(|faults| Step::Write { faults }),
    ]
}

fn play(world: &World, step: Step) {
    match step {
        Step::Book { slot } => world.book(slot),
        Step::Move { which, slot } => world.move_to(which, slot),
        Step::Cancel { which } => world.cancel(which),
        Step::Dragged { which, slot } => world.outside(which, true, |item| item.face = world::at(slot, item.face)),
        Step::Deleted { which } => world.remove_outside(which, true),
        Step::Renamed { which } => {
            world.outside(which, true, |item| item.face.text = uuid::Uuid::from_u128(u128::from(which)));
        }
        Step::Copied { which, slot } => world.copy(which, slot),
        Step::Foreign { slot, busy } => world.foreign(slot, busy),
        Step::ForeignMoved { which, slot } => {
            world.outside(which, false, |item| item.face = world::at(slot, item.face));
        }
        Step::ForeignDeleted { which } => world.remove_outside(which, false),
        Step::Staff { which, says } => world.staff(which, says),
        Step::Synchronise { faults, follow } => drop(world.run(true, follow, faults)),
        Step::Write { faults } => drop(world.run(false, false, faults)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// Whatever is done on both sides, lost, doubled, broken off and killed in between: nothing is made twice, no visit is lost, nothing
    /// of theirs is touched, and it comes to rest.
    #[test]
    fn both_sides_come_together_and_nothing_is_lost(steps in prop::collection::vec(step(), 1..40)) {
        let world = World::default();
        for step in steps {
            play(&world, step);
            world.hold()?;
        }
        // An answer that lies and that nothing contradicts is made up for when everything is read again, within a week. In peace it comes to
        // rest in a few rounds, and then nothing is written any more.
        world.a_week_passes();
        for _ in 0..4 {
            world.rest_is_over();
            prop_assert!(world.run(true, false, Vec::new()).is_ok());
        }
        let before = world.writes();
        let last = world.run(true, false, Vec::new());
        prop_assert_eq!(world.writes(), before, "it does not come to rest: {:?}", last);
        world.hold()?;
        world.at_rest()?;
    }
}
