//! What a commit costs: commits like the service's own, at a steady pace, with the figures of `/proc/self/io`.
//!
//! `commit_cost LEDGER BEARERS COMMITS PAUSE_MS PAGE_SIZE full|normal`

use std::path::Path;
use std::time::Duration;

use simbell_core::effect::Change;
use simbell_core::ident::{BootId, Iccid, IfIndex};
use simbell_core::ledger::{Baseline, Epoch, EpochId, Source, UsageSlot, When, Zone};
use simbell_core::time::Timestamp;
use simbell_store::{Store, StoreOptions, Synchronous};

const START: i64 = 1_793_491_200_000;
const MINUTE: i64 = 60_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ledger, bearers, commits, pause, page_size, synchronous] = arguments.as_slice() else {
        return Err("commit_cost LEDGER BEARERS COMMITS PAUSE_MS PAGE_SIZE full|normal".into());
    };
    let (bearers, commits): (u32, i64) = (bearers.parse()?, commits.parse()?);
    let pause = Duration::from_millis(pause.parse()?);
    let options = StoreOptions {
        page_size: page_size.parse()?,
        synchronous: if synchronous == "full" { Synchronous::Full } else { Synchronous::Normal },
        ..StoreOptions::default()
    };
    let boot = BootId::new("boot")?;
    let mut store = Store::open(Path::new(ledger), &options)?;
    let mut opening = Vec::new();
    for bearer in 1..=bearers {
        opening.push(Change::OpenEpoch(epoch(&boot, bearer)?));
    }
    store.apply(&opening)?;
    let before = written()?;
    for commit in 0..commits {
        let now = START + commit * 5 * MINUTE;
        let mut changes = Vec::new();
        for bearer in 1..=bearers {
            changes.push(Change::AddUsage(slot(bearer, now)?));
            changes.push(Change::SetBaseline(baseline(&boot, bearer, now)?));
        }
        store.apply(&changes)?;
        std::thread::sleep(pause);
    }
    let bytes = written()?.saturating_sub(before);
    println!("write_bytes per commit: {}", bytes / u64::try_from(commits)?);
    Ok(())
}

fn written() -> Result<u64, Box<dyn std::error::Error>> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.parse()?)
}

fn iccid(bearer: u32) -> Result<Iccid, Box<dyn std::error::Error>> {
    Ok(Iccid::new(format!("894921100000{bearer:07}"))?)
}

fn epoch(boot: &BootId, bearer: u32) -> Result<Epoch, Box<dyn std::error::Error>> {
    Ok(Epoch {
        id: EpochId(bearer.into()),
        iccid: iccid(bearer)?,
        zone: Zone::Home,
        source: Source::Kernel,
        boot: boot.clone(),
        ifindex: Some(IfIndex(bearer)),
        interface: Some(format!("wwan{bearer}")),
        apn: None,
        began: Some(Timestamp::from_millis(START)),
        began_boot_ms: 0,
    })
}

fn slot(bearer: u32, now: i64) -> Result<UsageSlot, Box<dyn std::error::Error>> {
    Ok(UsageSlot {
        epoch: EpochId(bearer.into()),
        iccid: iccid(bearer)?,
        zone: Zone::Home,
        source: Source::Kernel,
        when: When::Hour(Timestamp::from_millis(now).hour_start()),
        rx_bytes: 37_500_000,
        tx_bytes: 1_500_000,
        from: now - 5 * MINUTE,
        until: now,
    })
}

fn baseline(boot: &BootId, bearer: u32, now: i64) -> Result<Baseline, Box<dyn std::error::Error>> {
    Ok(Baseline {
        counter: format!("link:{bearer}"),
        boot: boot.clone(),
        ifindex: Some(IfIndex(bearer)),
        interface: Some(format!("wwan{bearer}")),
        rx_bytes: u64::try_from(now)?,
        tx_bytes: 5,
        connection_start: None,
        iccid: Some(iccid(bearer)?),
        zone: Zone::Home,
        epoch: Some(EpochId(bearer.into())),
        read_at: Some(Timestamp::from_millis(now)),
        read_boot_ms: u64::try_from(now)?,
        modem: None,
        apn: Some("internet".to_owned()),
    })
}
