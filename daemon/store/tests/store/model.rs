//! Random changes against a model that is simple enough to be right.

use std::collections::BTreeMap;

use proptest::prelude::*;
use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ledger::{Correction, Source, UsageSlot, Volume, When, Zone};
use simbell_store::{Entry, UsageBy, UsageQuery};

use crate::common::{Dir, HOUR, NOVEMBER, at, boot, iccid, open, slot};

const SIMS: u32 = 2;
const BOOTS: [&str; 2] = ["boot-a", "boot-b"];

/// Every entry on its own, never merged.
#[derive(Debug, Default)]
struct Model {
    dated: Vec<(u32, i64, Zone, Volume)>,
    /// Boot, slot, SIM, epoch, zone, first instant, volume.
    undated: Vec<(usize, u64, u32, i64, Zone, i64, Volume)>,
    corrections: Vec<(u32, i64, i64)>,
}

#[derive(Debug, Clone)]
enum Step {
    Dated { sim: u32, epoch: i64, start: i64, zone: u8, rx: u64, tx: u64 },
    Undated { boot: usize, hour: u64, first: i64, sim: u32, epoch: i64, zone: u8, rx: u64, tx: u64 },
    Correct { sim: u32, at: i64, bytes: i64 },
    Date { boot: usize, offset: i64 },
}

fn zone(n: u8) -> Zone {
    [Zone::Home, Zone::Roaming(None), Zone::Unknown][usize::from(n)].clone()
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = 0..1_u64 << 40;
    // Few starts, so that slots meet; quarters of hours, so that some are parts of hours.
    let start = (0..40_i64).prop_map(|n| NOVEMBER + n * HOUR / 4);
    prop_oneof![
        6 => (1..=SIMS, 1..4_i64, start.clone(), 0..3_u8, bytes.clone(), bytes.clone())
            .prop_map(|(sim, epoch, start, zone, rx, tx)| Step::Dated { sim, epoch, start, zone, rx, tx }),
        4 => (0..2_usize, 0..3_u64, 0..HOUR, 1..=SIMS, 1..4_i64, 0..3_u8, bytes.clone(), bytes)
            .prop_map(|(boot, hour, within, sim, epoch, zone, rx, tx)| Step::Undated {
                boot, hour, first: i64::try_from(hour).unwrap() * HOUR + within, sim, epoch, zone, rx, tx,
            }),
        2 => (1..=SIMS, start, -(1_i64 << 40)..1_i64 << 40)
            .prop_map(|(sim, at, bytes)| Step::Correct { sim, at, bytes }),
        1 => (0..2_usize, -5..5_i64)
            .prop_map(|(boot, n)| Step::Date { boot, offset: NOVEMBER + n * HOUR / 3 }),
    ]
}

impl Model {
    fn take(&mut self, step: &Step) -> Change {
        match *step {
            Step::Dated { sim, epoch, start, zone: z, rx, tx } => {
                self.dated.push((sim, start, zone(z), Volume { rx, tx }));
                Change::AddUsage(UsageSlot { zone: zone(z), ..slot(sim, epoch, start, rx, tx) })
            }
            Step::Undated { boot: b, hour, first, sim, epoch, zone: z, rx, tx } => {
                let hour_ms = hour * 3_600_000;
                self.undated.push((b, hour_ms, sim, epoch, zone(z), first, Volume { rx, tx }));
                Change::AddUsage(UsageSlot {
                    zone: zone(z),
                    source: Source::Kernel,
                    when: When::Undated { boot: boot(BOOTS[b]), boot_hour_ms: hour_ms },
                    from: first,
                    until: first,
                    ..slot(sim, epoch, 0, rx, tx)
                })
            }
            Step::Correct { sim, at: when, bytes } => {
                self.corrections.push((sim, when, bytes));
                Change::AppendCorrection(Correction {
                    iccid: iccid(sim),
                    at: at(when),
                    bytes,
                    author: String::new(),
                    reason: String::new(),
                    undoes: None,
                })
            }
            Step::Date { boot: b, offset } => {
                let (mine, others): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.undated).into_iter().partition(|entry| entry.0 == b);
                for (_, hour, sim, epoch, zone, _, volume) in &mine {
                    // A slot is dated whole, from its earliest entry.
                    let same = |e: &&(usize, u64, u32, i64, Zone, i64, Volume)| {
                        (e.1, e.2, e.3, &e.4) == (*hour, *sim, *epoch, zone)
                    };
                    let first = mine.iter().filter(same).map(|e| e.5).min().unwrap();
                    self.dated.push((*sim, first + offset, zone.clone(), *volume));
                }
                self.undated = others;
                Change::DateEntries { boot: boot(BOOTS[b]), offset_ms: offset }
            }
        }
    }

    fn by_zone(&self, sim: u32, from: i64, until: i64) -> BTreeMap<String, Volume> {
        let mut sums: BTreeMap<String, Volume> = BTreeMap::new();
        for (_, _, zone, volume) in
            self.dated.iter().filter(|(s, start, ..)| *s == sim && *start >= from && *start < until)
        {
            let sum = sums.entry(zone.to_text()).or_default();
            *sum = sum.checked_add(*volume).unwrap();
        }
        sums
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn totals_are_the_sums_of_what_was_given(
        batches in prop::collection::vec(prop::collection::vec(step(), 1..8), 1..16),
        from in 0..48_i64, hours in 0..48_i64,
    ) {
        let dir = Dir::new();
        let mut store = open(&dir.ledger());
        let mut model = Model::default();
        for (n, batch) in batches.iter().enumerate() {
            let changes: Vec<Change> = batch.iter().map(|step| model.take(step)).collect();
            store.apply(&changes).unwrap();
            if n % 5 == 4 {
                drop(store);
                store = open(&dir.ledger());
            }
        }
        let from = NOVEMBER + (from - 4) * HOUR / 4;
        for sim in 1..=SIMS {
            for (from, until) in [(i64::MIN, i64::MAX), (from, from + hours * HOUR / 4)] {
                let totals = store
                    .totals(&TotalsQuery { iccid: iccid(sim), from: at(from), until: Some(at(until)) })
                    .unwrap();
                let expected = model.by_zone(sim, from, until);
                let got: BTreeMap<String, Volume> =
                    totals.by_zone.iter().map(|(zone, volume)| (zone.to_text(), *volume)).collect();
                prop_assert_eq!(&got, &expected);
                let corrected: i64 = model.corrections.iter()
                    .filter(|(s, when, _)| *s == sim && *when >= from && *when < until)
                    .map(|(.., bytes)| bytes).sum();
                prop_assert_eq!(totals.corrections, corrected);
                let waiting = model.undated.iter().filter(|e| e.2 == sim)
                    .fold(Volume::default(), |sum, e| sum.checked_add(e.6).unwrap());
                prop_assert_eq!(totals.undated, waiting);

                let page = store.usage(&UsageQuery {
                    iccid: iccid(sim), by: UsageBy::Hour, from: at(from), until: at(until), limit: 100_000,
                }).unwrap();
                let mut by_hour: BTreeMap<String, Volume> = BTreeMap::new();
                let mut bytes = 0;
                for row in page.rows {
                    match row.entry {
                        Entry::Usage { zone, volume, .. } => {
                            let sum = by_hour.entry(zone.to_text()).or_default();
                            *sum = sum.checked_add(volume).unwrap();
                        }
                        Entry::Correction { bytes: more } => bytes += more,
                        Entry::Gap { .. } => prop_assert!(false, "no gap was given"),
                    }
                }
                prop_assert_eq!(by_hour, expected);
                prop_assert_eq!(bytes, corrected);
            }
        }
    }
}
