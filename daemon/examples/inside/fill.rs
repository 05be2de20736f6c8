//! A ledger with years of hours, made with the store's own commits: for `contrib/bench --scale`.

use std::path::Path;

use simbell_core::effect::{Change, SimRecord};
use simbell_core::ident::{BootId, Iccid, IfIndex};
use simbell_core::ledger::{Epoch, EpochId, Source, UsageSlot, When, Zone};
use simbell_core::time::Timestamp;
use simbell_store::{Store, StoreOptions};

const HOUR: i64 = 3_600;
/// Hours of a connection: a week.
const EPOCH: i64 = 7 * 24;

/// Fills a new ledger with each hour of so many years until `now`, for each SIM.
pub fn fill(ledger: &Path, years: i64, now: i64, sims: &[&str]) {
    let mut store = Store::open(ledger, &StoreOptions::default()).expect("a new ledger");
    let last = now.div_euclid(HOUR).saturating_sub(1);
    let first = last.saturating_sub(years.saturating_mul(8_766));
    let mut next = 0;
    for iccid in sims {
        let iccid = Iccid::new(iccid).expect("an ICCID");
        let mut changes = vec![Change::KeepSim(SimRecord {
            iccid: iccid.clone(),
            imsi: None,
            eid: None,
            operator: Some("Example".to_owned()),
            first_seen: at(first),
            last_seen: at(last),
        })];
        for hour in first..=last {
            if (hour - first) % EPOCH == 0 {
                next += 1;
                changes.push(Change::OpenEpoch(epoch(next, &iccid, hour)));
            }
            changes.push(Change::AddUsage(slot(next, &iccid, hour)));
            if changes.len() >= 20_000 {
                store.apply(&changes).expect("a commit");
                changes.clear();
            }
        }
        store.apply(&changes).expect("a commit");
    }
    store.roll_up(at(last)).expect("sums");
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_secs(hour.saturating_mul(HOUR))
}

fn epoch(id: i64, iccid: &Iccid, hour: i64) -> Epoch {
    Epoch {
        id: EpochId(id),
        iccid: iccid.clone(),
        zone: Zone::Home,
        source: Source::Kernel,
        boot: BootId::new("boot").expect("a boot"),
        ifindex: Some(IfIndex(7)),
        interface: Some("wwan0".into()),
        apn: Some("internet".into()),
        began: Some(at(hour)),
        began_boot_ms: 0,
        session: None,
        modem: None,
    }
}

/// Amounts that differ, so that nothing is compressed by being the same.
fn slot(epoch: i64, iccid: &Iccid, hour: i64) -> UsageSlot {
    let bytes = hour.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    UsageSlot {
        epoch: EpochId(epoch),
        iccid: iccid.clone(),
        zone: Zone::Home,
        source: Source::Kernel,
        when: When::Hour(at(hour)),
        rx_bytes: bytes,
        tx_bytes: bytes / 11,
        from: at(hour).as_millis(),
        until: at(hour).as_millis(),
    }
}
