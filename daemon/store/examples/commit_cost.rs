//! What a commit costs: commits like the service's own, at a steady pace, with the figures of `/proc/self/io` and of
//! the block device they end on.
//!
//! `commit_cost LEDGER DEVICE BEARERS WARM_UP COMMITS PAUSE_MS PAGE_SIZE CHECKPOINT full|normal readers|alone`: DEVICE is a name in
//! `/sys/block` that nothing else writes to; WARM_UP commits are made without a pause and not measured.

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
    let [ledger, device, bearers, warm_up, commits, pause, page_size, checkpoint, synchronous, readers] =
        arguments.as_slice()
    else {
        return Err("see the top of this file for the arguments".into());
    };
    let (bearers, warm_up, commits): (u32, i64, i64) = (bearers.parse()?, warm_up.parse()?, commits.parse()?);
    let pause = Duration::from_millis(pause.parse()?);
    let options = StoreOptions {
        page_size: page_size.parse()?,
        wal_autocheckpoint: checkpoint.parse()?,
        synchronous: if synchronous == "full" { Synchronous::Full } else { Synchronous::Normal },
        readers: readers == "readers",
        ..StoreOptions::default()
    };
    let boot = BootId::new("boot")?;
    let mut store = Store::open(Path::new(ledger), &options)?;
    let mut opening = Vec::new();
    for bearer in 1..=bearers {
        opening.push(Change::OpenEpoch(epoch(&boot, bearer)?));
    }
    store.apply(&opening)?;
    let mut before = (0, 0);
    for commit in 0..warm_up + commits {
        if commit == warm_up {
            before = (written()?, on_device(device, ledger)?);
        }
        let now = START + commit * 5 * MINUTE;
        let mut changes = Vec::new();
        for bearer in 1..=bearers {
            changes.push(Change::AddUsage(slot(bearer, now)?));
            changes.push(Change::SetBaseline(baseline(&boot, bearer, now)?));
        }
        store.apply(&changes)?;
        if commit >= warm_up {
            std::thread::sleep(pause);
        }
    }
    let each = |after: u64, before: u64| -> Result<u64, Box<dyn std::error::Error>> {
        Ok(after.saturating_sub(before) / u64::try_from(commits)?)
    };
    println!(
        "bytes per commit: {} by the process, {} at the device",
        each(written()?, before.0)?,
        each(on_device(device, ledger)?, before.1)?
    );
    Ok(())
}

/// Bytes that this process made dirty.
fn written() -> Result<u64, Box<dyn std::error::Error>> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.parse()?)
}

/// Bytes written to the device, after everything dirty was: the seventh figure of its `stat`, in sectors.
fn on_device(device: &str, ledger: &str) -> Result<u64, Box<dyn std::error::Error>> {
    std::process::Command::new("sync").arg("-f").arg(ledger).status()?;
    let stat = std::fs::read_to_string(format!("/sys/block/{device}/stat"))?;
    let sectors: u64 = stat.split_whitespace().nth(6).ok_or("no sectors written")?.parse()?;
    Ok(sectors * 512)
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
        interface: Some(format!("wwan{bearer}").into()),
        apn: None,
        began: Some(Timestamp::from_millis(START)),
        began_boot_ms: 0,
        session: None,
        modem: None,
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
        counter: format!("link:{bearer}").into(),
        boot: boot.clone(),
        ifindex: Some(IfIndex(bearer)),
        interface: Some(format!("wwan{bearer}").into()),
        rx_bytes: u64::try_from(now)?,
        tx_bytes: 5,
        connection_start: None,
        iccid: Some(iccid(bearer)?),
        zone: Zone::Home,
        epoch: Some(EpochId(bearer.into())),
        read_at: Some(Timestamp::from_millis(now)),
        read_boot_ms: u64::try_from(now)?,
        modem: None,
        apn: Some("internet".into()),
    })
}
