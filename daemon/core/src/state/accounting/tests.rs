//! Traffic against a simple model: what the ledger holds is what passed wherever that can be known, and never more.

mod left_out;
mod model;
mod ppp;
mod sources;
mod unseen;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::counter::{LinkCounters, LinkEnd, LinkReading};
use crate::effect::{Change, SimRecord};
use crate::event::Event;
use crate::ident::{BootId, Iccid, IfIndex, ModemId};
use crate::ledger::{Epoch, EpochId, GapReason, Session, Source, When, Zone};
use crate::modem::{
    BearerStats, BearerView, EsimStatus, ModemState, ModemView, Registration, SimKind, SimView,
};
use crate::settings::Settings;
use crate::state::State;
use crate::state::restored::Restored;
use crate::time::{Span, Stamp, Timestamp};
use crate::zone::ZoneRules;
use crate::{ident::OperatorCode, ledger::Baseline};

const SIMS: [&str; 2] = ["8900100000000000017", "8900100000000000025"];
const PORT: &str = "wwan0";
/// 2026-11-10T12:00:00Z.
const NOON: i64 = 1_794_312_000;

/// What the ledger was told, kept as the ledger keeps it.
#[derive(Clone, Default)]
struct Ledger {
    usage: BTreeMap<(String, String), (u64, u64)>,
    sources: Vec<Source>,
    dated: bool,
    baselines: BTreeMap<Arc<str>, Baseline>,
    gaps: Vec<(String, GapReason)>,
    /// From and until, of each.
    gap_spans: Vec<(Option<i64>, Option<i64>)>,
    newest: Option<Timestamp>,
    sims: BTreeMap<String, SimRecord>,
    next_epoch: i64,
    epochs: BTreeMap<EpochId, Epoch>,
    sessions: BTreeMap<EpochId, Session>,
}

impl Ledger {
    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::AddUsage(slot) => {
                    self.dated = matches!(slot.when, When::Hour(_));
                    assert!(slot.from <= slot.until, "{slot:?}");
                    self.sources.push(slot.source);
                    let until = Timestamp::from_millis(slot.until);
                    self.newest = self.newest.max(Some(until).filter(|_| self.dated));
                    assert_eq!(self.epochs[&slot.epoch].source, slot.source, "an epoch has one source");
                    let sum =
                        self.usage.entry((slot.iccid.as_str().to_owned(), slot.zone.to_text())).or_default();
                    *sum = (sum.0 + slot.rx_bytes, sum.1 + slot.tx_bytes);
                }
                Change::SetBaseline(base) => {
                    self.newest = self.newest.max(base.read_at);
                    self.baselines.insert(base.counter.clone(), base);
                }
                Change::DropBaseline { counter } => {
                    self.baselines.remove(&counter);
                }
                Change::AppendGap(gap) => {
                    let whose = gap.iccid.map_or_else(String::new, |iccid| iccid.as_str().to_owned());
                    self.gaps.push((whose, gap.reason));
                    let secs = |at: Option<Timestamp>| at.map(|at| at.as_millis() / 1_000);
                    self.gap_spans.push((secs(gap.from), secs(gap.until)));
                    self.newest = self.newest.max(gap.until);
                }
                Change::KeepSim(sim) => {
                    self.sims.insert(sim.iccid.as_str().to_owned(), sim);
                }
                Change::OpenEpoch(epoch) => {
                    assert!(epoch.id.0 > self.next_epoch - 1, "an epoch is given out once");
                    self.next_epoch = epoch.id.0 + 1;
                    self.epochs.insert(epoch.id, epoch);
                }
                Change::KeepSession(session) => {
                    assert!(session.kernel.is_some() || session.told.is_some(), "{session:?}");
                    self.sessions.insert(session.id, *session);
                }
                _ => {}
            }
        }
    }

    fn sum(&self, sim: usize) -> (u64, u64) {
        let mine = self.usage.iter().filter(|((iccid, _), _)| iccid == SIMS[sim]);
        mine.fold((0, 0), |sum, (_, volume)| (sum.0 + volume.0, sum.1 + volume.1))
    }

    fn zone(&self, sim: usize, zone: &str) -> (u64, u64) {
        self.usage.get(&(SIMS[sim].to_owned(), zone.to_owned())).copied().unwrap_or_default()
    }

    fn reasons(&self) -> Vec<GapReason> {
        self.gaps.iter().map(|(_, reason)| *reason).collect()
    }

    fn restored(&self) -> Restored {
        Restored {
            sims: self.sims.values().cloned().collect(),
            baselines: self.baselines.values().cloned().collect(),
            epochs: self
                .epochs
                .values()
                .filter(|epoch| self.baselines.values().any(|base| base.epoch == Some(epoch.id)))
                .cloned()
                .collect(),
            sessions: self.sessions.values().filter(|session| !session.over).cloned().collect(),
            next_epoch: EpochId(self.next_epoch.max(1)),
            newest: self.newest,
            ..Restored::empty()
        }
    }
}

fn settings() -> Settings {
    Settings {
        zone: ZoneRules::utc(),
        language: "en".to_owned(),
        sims: BTreeMap::new(),
        line_rate: 125_000_000,
        sample_every: Span::secs(20),
        max_unsaved_bytes: Some(10_000),
        max_unsaved_time: Span::secs(300),
        default_channels: Vec::new(),
        channels: Vec::new(),
        quiet: None,
        suspend_after: 3,
        actions_a_day: 10,
        ppp_interface: None,
    }
}

fn reading(index: u32, rx: u64, tx: u64) -> LinkReading {
    LinkReading {
        ifindex: IfIndex(index),
        name: PORT.into(),
        ethernet: false,
        ppp: false,
        counters: LinkCounters { rx_bytes: rx, tx_bytes: tx, rx_packets: rx / 100, tx_packets: tx / 100 },
    }
}

fn view(sim: usize, state: ModemState, bearers: Vec<BearerView>) -> ModemView {
    ModemView {
        id: ModemId::new("350000000000000").unwrap(),
        path: "/org/freedesktop/ModemManager1/Modem/0".to_owned(),
        device: String::new(),
        manufacturer: String::new(),
        model: String::new(),
        state,
        failed_reason: None,
        unlock_required: None,
        own_numbers: Vec::new(),
        sim: Some(SimView {
            iccid: Some(Iccid::new(SIMS[sim]).unwrap()),
            imsi: None,
            eid: None,
            operator_code: None,
            operator_name: None,
            kind: SimKind::Physical,
            esim: EsimStatus::Unknown,
            active: true,
        }),
        slots: Vec::new(),
        primary_slot: None,
        registration: Registration::Home,
        operator_code: None,
        operator_name: None,
        access: Vec::new(),
        signal_percent: None,
        bearers,
        net_ports: vec![PORT.to_owned()],
    }
}

fn bearer(connected: bool, stats: Option<(u64, u64, i64)>) -> BearerView {
    BearerView {
        path: "/org/freedesktop/ModemManager1/Bearer/0".to_owned(),
        connected,
        interface: connected.then(|| PORT.into()),
        ppp: false,
        apn: Some("internet".into()),
        stats: stats.map(|(rx_bytes, tx_bytes, start)| BearerStats {
            rx_bytes,
            tx_bytes,
            duration_s: 60,
            start: Some(Timestamp::from_secs(start)),
        }),
        stats_supported: stats.is_some(),
        connection_error: None,
    }
}

/// The service with its ledger; time goes on by itself.
struct Bench {
    state: State,
    ledger: Ledger,
    secs: i64,
    /// How far the wall clock is off.
    off: i64,
    trusted: bool,
    boot: u32,
    settings: Settings,
}

impl Bench {
    fn new(links: &[LinkReading]) -> Self {
        let state = State::restored(settings(), Restored::empty());
        let mut bench = Self {
            state,
            ledger: Ledger::default(),
            secs: NOON,
            off: 0,
            trusted: true,
            boot: 1,
            settings: settings(),
        };
        bench.start(links);
        bench
    }

    fn start(&mut self, links: &[LinkReading]) {
        self.state = State::restored(self.settings.clone(), self.ledger.restored());
        let boot = BootId::new(format!("boot-{}", self.boot)).unwrap();
        self.feed(&Event::Started { boot, links: links.to_vec() });
    }

    /// A copy takes the ledger's place.
    fn restore(&mut self, copy: Ledger, links: &[LinkReading]) {
        self.ledger = copy;
        let ended = self.ledger.sessions.values().filter(|session| session.over).cloned().collect();
        let restored = Box::new(Restored { ended, ..self.ledger.restored() });
        let reason = GapReason::LedgerRestored;
        self.feed(&Event::LedgerReplaced { restored, links: links.to_vec(), reason });
    }

    fn at(&self) -> Stamp {
        Stamp {
            wall: Timestamp::from_secs(self.secs + self.off),
            boot_ms: u64::try_from((self.secs - NOON) * 1000).unwrap(),
            trusted: self.trusted,
        }
    }

    fn feed(&mut self, event: &Event) {
        self.secs += 1;
        let at = self.at();
        let mut fx = self.state.step(at, event);
        self.ledger.apply(std::mem::take(&mut fx.changes));
        for query in std::mem::take(&mut fx.load_totals) {
            self.ledger.apply(self.state.flush(at));
            let sim = SIMS.iter().position(|sim| *sim == query.iccid.as_str()).unwrap();
            let by_zone = self
                .ledger
                .usage
                .iter()
                .filter(|((iccid, _), _)| iccid == SIMS[sim])
                .map(|((_, zone), (rx, tx))| {
                    (Zone::from_text(zone), crate::ledger::Volume { rx: *rx, tx: *tx })
                })
                .collect();
            let known = self.ledger.usage.keys().any(|(iccid, _)| iccid == SIMS[sim]);
            let first_at = known.then(|| Timestamp::from_secs(NOON));
            let loaded = Event::TotalsLoaded { query, by_zone, units: Vec::new(), corrections: 0, first_at };
            let more = self.state.step(at, &loaded);
            self.ledger.apply(more.changes);
        }
    }

    fn seen(&mut self, links: &[LinkReading], view: ModemView) {
        self.feed(&Event::LinksRead(links.to_vec()));
        self.feed(&Event::ModemSeen(Box::new(view)));
        if self.state.accounting.wants_read() {
            self.feed(&Event::LinksRead(links.to_vec()));
        }
    }

    fn connect(&mut self, sim: usize, links: &[LinkReading]) {
        self.seen(links, view(sim, ModemState::Connecting, vec![bearer(false, None)]));
        self.seen(links, view(sim, ModemState::Connected, vec![bearer(true, None)]));
    }

    fn commit(&mut self) {
        let at = self.at();
        self.ledger.apply(self.state.flush(at));
    }

    fn measured(&self, sim: usize) -> u64 {
        self.state.sims().find(|s| s.record.iccid.as_str() == SIMS[sim]).map_or(0, |s| s.totals.measured())
    }
}

#[test]
fn only_what_passes_while_connected_counts() {
    let mut bench = Bench::new(&[reading(5, 100, 100)]);
    bench.seen(&[reading(5, 100, 100)], view(0, ModemState::Registered, vec![]));
    bench.connect(0, &[reading(5, 150, 150)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 1_150, 250)]));
    bench.seen(&[reading(5, 2_150, 350)], view(0, ModemState::Registered, vec![bearer(false, None)]));
    bench.feed(&Event::LinksRead(vec![reading(5, 9_000, 9_000)]));
    bench.connect(0, &[reading(5, 9_500, 9_500)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 9_501, 9_502)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (2_001, 202));
    assert_eq!(bench.measured(0), 2_203);
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn what_passes_between_connecting_and_connected_is_the_connections() {
    let mut bench = Bench::new(&[reading(5, 100, 0)]);
    bench.seen(&[reading(5, 100, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, 130, 0)], view(0, ModemState::Connected, vec![bearer(true, None)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (30, 0));
}

#[test]
fn final_counters_and_the_next_link_of_the_name_count_in_full() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinkVanished(reading(5, 700, 70).into()));
    bench.feed(&Event::LinkAppeared(reading(6, 0, 0)));
    bench.feed(&Event::LinksRead(vec![reading(6, 30, 3)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (730, 73));
    assert_eq!(bench.ledger.baselines.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["link:6"]);
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn what_a_link_sets_back_as_it_goes_is_a_gap_from_the_last_reading_on() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 700, 70)]));
    let read = bench.at().wall.as_millis() / 1_000;
    bench.secs += 300;
    bench.feed(&Event::LinkVanished(LinkEnd { reading: reading(5, 700, 90), set_back: true }));
    let gone = bench.at().wall.as_millis() / 1_000;
    bench.feed(&Event::LinkAppeared(reading(6, 0, 0)));
    bench.feed(&Event::LinksRead(vec![reading(6, 30, 3)]));
    // Of one that nobody uses nothing is missing.
    bench.feed(&Event::LinkAppeared(reading(7, 0, 0)));
    bench.feed(&Event::LinkVanished(LinkEnd { reading: reading(7, 5, 5), set_back: true }));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (730, 93), "what was read and what it told stays");
    assert_eq!(bench.ledger.reasons(), [GapReason::CounterReset]);
    assert_eq!(bench.ledger.gap_spans, [(Some(read), Some(gone))]);
}

/// Figures are told without a reading of the kernel.
#[test]
fn what_passes_between_two_readings_is_dated_by_both_whatever_is_settled_in_between() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.secs = NOON + 3_540;
    bench.feed(&Event::LinksRead(vec![reading(5, 100, 0)]));
    bench.commit();
    bench.secs = NOON + 3_598;
    let up = view(0, ModemState::Connected, vec![bearer(true, Some((100, 0, NOON)))]);
    bench.feed(&Event::ModemSeen(Box::new(up)));
    bench.secs = NOON + 3_604;
    bench.feed(&Event::LinksRead(vec![reading(5, 300, 0)]));
    let pending = &bench.state.accounting.pending;
    let hours: Vec<(&When, u64)> = pending.iter().map(|slot| (&slot.when, slot.rx_bytes)).collect();
    assert_eq!(
        hours,
        [(&When::Hour(Timestamp::from_secs(NOON)), 200)],
        "most of the time between was before one"
    );
}

/// The kernel tells of a modem that is pulled out before ModemManager does: that is no alarm.
#[test]
fn a_connection_without_its_link_is_unmeasured_only_where_its_modem_stays() {
    let unmeasured = |bench: &Bench| {
        bench.state.warnings().any(|warning| warning.code == crate::health::WarningCode::NotMeasured)
    };
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinkVanished(reading(5, 700, 70).into()));
    assert!(!unmeasured(&bench));
    bench.feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
    bench.secs += 10;
    bench.feed(&Event::WakeReached);
    assert!(!unmeasured(&bench));

    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinkVanished(reading(5, 700, 70).into()));
    let wake = bench.state.next_wake(bench.at()).unwrap();
    assert!(wake.after <= Span::secs(10), "{wake:?}");
    bench.secs += 10;
    bench.feed(&Event::WakeReached);
    assert!(unmeasured(&bench), "its modem is still there");
}

#[test]
fn a_link_that_comes_from_elsewhere_brings_nothing_along() {
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.feed(&Event::LinkAppeared(reading(6, 5_000, 5_000)));
    bench.seen(&[reading(6, 5_010, 5_001)], view(0, ModemState::Connected, vec![bearer(true, None)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (10, 1), "what it counted in another network namespace is not the SIM's");
}

#[test]
fn a_replacement_seen_unconnected_counts_from_its_next_connection() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
    bench.feed(&Event::LinkVanished(reading(5, 10, 0).into()));
    bench.feed(&Event::LinkAppeared(reading(6, 0, 0)));
    bench.seen(&[reading(6, 400, 400)], view(0, ModemState::Registered, vec![]));
    bench.connect(0, &[reading(6, 500, 500)]);
    bench.feed(&Event::LinksRead(vec![reading(6, 507, 500)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (17, 0));
}

#[test]
fn a_counter_that_falls_is_a_gap_and_goes_on_from_there() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 1_000, 0)]));
    bench.feed(&Event::LinksRead(vec![reading(5, 400, 0)]));
    bench.feed(&Event::LinksRead(vec![reading(5, 450, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (1_050, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::CounterReset]);
}

#[test]
fn a_counter_that_fell_while_the_service_did_not_run_is_one_gap_however_often_it_starts() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 20_000, 0)]));
    bench.start(&[reading(5, 300, 0)]);
    bench.commit();
    bench.start(&[reading(5, 320, 0)]);
    bench.connect(0, &[reading(5, 350, 0)]);
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (20_050, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::CounterReset]);
}

#[test]
fn growth_while_nobody_vouches_for_the_sim_waits_and_is_booked_whole_or_not_at_all() {
    for (sim, sum, gaps) in [(0, (900, 9), vec![]), (1, (100, 1), vec![GapReason::SimChanged])] {
        let mut bench = Bench::new(&[reading(5, 0, 0)]);
        bench.connect(0, &[reading(5, 0, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 100, 1)]));
        bench.feed(&Event::ModemManagerVanished);
        bench.feed(&Event::LinksRead(vec![reading(5, 900, 9)]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (100, 1));
        assert!(bench.state.is_uncertain(&Iccid::new(SIMS[0]).unwrap()));
        bench.seen(&[reading(5, 900, 9)], view(sim, ModemState::Registered, vec![]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), sum);
        assert_eq!(bench.ledger.sum(1), (0, 0));
        assert_eq!(bench.ledger.reasons(), gaps);
    }
}

#[test]
fn a_link_that_vanishes_before_its_sim_is_confirmed_is_a_gap() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 100, 1)]));
    bench.commit();
    bench.start(&[reading(5, 300, 3)]);
    bench.feed(&Event::LinkVanished(reading(5, 400, 4).into()));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (100, 1));
    assert_eq!(bench.ledger.reasons(), [GapReason::InterfaceVanished]);
    assert!(bench.ledger.baselines.is_empty());
}

#[test]
fn what_replaces_a_link_that_vanished_unwatched_counts_from_the_start_of_the_service() {
    for (boot, reason) in [(1, GapReason::InterfaceVanished), (2, GapReason::Rebooted)] {
        let mut bench = Bench::new(&[reading(5, 0, 0)]);
        bench.connect(0, &[reading(5, 0, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 100, 1)]));
        bench.commit();
        bench.boot = boot;
        bench.start(&[reading(6, 40, 4)]);
        bench.seen(&[reading(6, 50, 5)], view(0, ModemState::Connected, vec![bearer(true, None)]));
        bench.feed(&Event::LinksRead(vec![reading(6, 70, 7)]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (130, 4));
        assert_eq!(bench.ledger.reasons(), [reason]);
    }
}

#[test]
fn roaming_splits_the_sum_and_loses_nothing() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    let mut abroad = view(0, ModemState::Connected, vec![bearer(true, None)]);
    abroad.registration = Registration::Roaming;
    abroad.operator_code = Some(OperatorCode::new("26202").unwrap());
    bench.seen(&[reading(5, 600, 6)], abroad);
    bench.feed(&Event::LinksRead(vec![reading(5, 1_000, 10)]));
    bench.commit();
    assert_eq!(bench.ledger.zone(0, "home"), (600, 6));
    assert_eq!(bench.ledger.zone(0, "roaming:26202"), (400, 4));
}

#[test]
fn a_link_that_loses_its_ethernet_header_invents_nothing() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    let raw = |packets: u64, ethernet: bool| LinkReading {
        ethernet,
        counters: LinkCounters {
            rx_bytes: packets * 114,
            rx_packets: packets,
            tx_bytes: packets * 214,
            tx_packets: packets,
        },
        ..reading(5, 0, 0)
    };
    bench.feed(&Event::LinkAppeared(raw(0, true)));
    bench.connect(0, &[raw(0, true)]);
    bench.feed(&Event::LinksRead(vec![raw(10, true)]));
    bench.feed(&Event::LinkAppeared(raw(20, false)));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (20 * 100, 20 * 200));
    bench.feed(&Event::LinksRead(vec![raw(21, false)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (20 * 100 + 114, 20 * 200 + 214));
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn a_link_missing_after_lost_events_is_a_gap_and_its_successor_counts() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 100, 0)]));
    bench.feed(&Event::LinksResynchronised(vec![reading(9, 40, 4)]));
    bench.feed(&Event::LinksRead(vec![reading(9, 45, 4)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (105, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::EventsLost]);
}

#[test]
fn modemmanagers_figures_count_where_there_is_no_link() {
    let mut bench = Bench::new(&[]);
    bench.feed(&Event::ModemSeen(Box::new(view(
        0,
        ModemState::Registered,
        vec![bearer(false, Some((0, 0, 0)))],
    ))));
    let up = |rx, tx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, tx, 50)))]);
    bench.feed(&Event::ModemSeen(Box::new(up(10, 1))));
    bench.feed(&Event::ModemSeen(Box::new(up(500, 50))));
    bench.commit();
    // Killed; it goes on in the same connection.
    bench.start(&[]);
    bench.feed(&Event::ModemSeen(Box::new(up(700, 70))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (700, 70));
    // Killed, and the connection ended meanwhile: its last figures are there.
    bench.start(&[]);
    let ended = view(0, ModemState::Registered, vec![bearer(false, Some((800, 80, 50)))]);
    bench.feed(&Event::ModemSeen(Box::new(ended.clone())));
    bench.feed(&Event::ModemSeen(Box::new(ended)));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (800, 80));
    assert!(bench.ledger.sources.iter().all(|source| *source == Source::Modem));
    assert!(bench.ledger.baselines.is_empty());
    assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter], "what followed them");
}

#[test]
fn another_connection_on_the_path_of_the_last_one_is_a_gap_and_counts_in_full() {
    let mut bench = Bench::new(&[]);
    let up = |rx, start| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, start)))]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(up(0, 50))));
    bench.feed(&Event::ModemSeen(Box::new(up(500, 50))));
    bench.commit();
    bench.start(&[]);
    bench.feed(&Event::ModemSeen(Box::new(up(30, 99))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (530, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::InterfaceVanished]);
}

#[test]
fn a_connection_gone_with_its_modemmanager_is_a_gap_and_leaves_no_baseline() {
    let mut bench = Bench::new(&[]);
    let up = |rx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(up(0))));
    bench.feed(&Event::ModemSeen(Box::new(up(500))));
    bench.commit();
    bench.start(&[]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Disabled, vec![]))));
    bench.commit();
    assert_eq!(bench.ledger.reasons(), [GapReason::InterfaceVanished]);
    assert!(bench.ledger.baselines.is_empty());
}

#[test]
fn a_connection_that_the_kernel_counts_is_never_counted_by_modemmanager_too() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    let up = |rx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
    bench.seen(&[reading(5, 1_000, 0)], up(900));
    // Unplugged: the link goes first, ModemManager notices later.
    bench.feed(&Event::LinkVanished(reading(5, 1_100, 0).into()));
    bench.feed(&Event::ModemSeen(Box::new(up(1_100))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (1_100, 0));
    assert!(!bench.state.facts(&Iccid::new(SIMS[0]).unwrap()).unwrap().measured, "and says so");
    // It comes back under the same connection.
    bench.feed(&Event::LinkAppeared(reading(6, 0, 0)));
    bench.seen(&[reading(6, 50, 0)], up(1_150));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (1_150, 0));
}

#[test]
fn usage_before_the_clock_is_believed_is_undated_and_begins_when_it_began() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.trusted = false;
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 50_000, 0)]));
    assert!(!bench.ledger.dated);
    assert_eq!(bench.ledger.sum(0), (50_000, 0));
    bench.trusted = true;
    bench.feed(&Event::LinksRead(vec![reading(5, 99_000, 0)]));
    bench.commit();
    assert!(bench.ledger.dated);
    assert_eq!(bench.ledger.sum(0), (99_000, 0));
}
