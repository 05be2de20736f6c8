//! A service whose clock goes as fast as it is told to, over a real ledger: the state, the store and the rules, driven
//! as the engine drives them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use simbell_core::counter::{LinkCounters, LinkReading};
use simbell_core::effect::{Effects, Notice};
use simbell_core::event::{DeliveryOutcome, Event};
use simbell_core::ident::{BootId, Iccid, IfIndex, ModemId, OperatorCode};
use simbell_core::ledger::Correction;
use simbell_core::modem::{BearerView, EsimStatus, ModemState, ModemView, Registration, SimKind, SimView};
use simbell_core::settings::Settings;
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_rules::RuleSet;
use simbell_store::{Store, StoreOptions, Synchronous};

/// A reminder that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rang {
    pub at: Timestamp,
    pub key: String,
    pub text: String,
    pub occurrence: u32,
}

/// A SIM in a modem of its own.
struct Seat {
    iccid: Iccid,
    counters: LinkCounters,
    roams: bool,
}

pub struct Life {
    state: State,
    store: Store,
    rules: Arc<RuleSet>,
    began: Timestamp,
    now: Timestamp,
    seats: Vec<Seat>,
    pub rang: Vec<Rang>,
}

impl Life {
    pub fn begin(ledger: &Path, settings: Settings, rules: RuleSet, now: Timestamp) -> Self {
        let options = StoreOptions { synchronous: Synchronous::Normal, ..StoreOptions::default() };
        let store = Store::open(ledger, &options).unwrap();
        let restored = store.restore(&boot()).unwrap();
        let mut life = Self {
            state: State::restored(settings, restored),
            store,
            rules: Arc::new(rules),
            began: now,
            now,
            seats: Vec::new(),
            rang: Vec::new(),
        };
        life.feed(Event::Started { boot: boot(), links: Vec::new() });
        life.feed(Event::RulesLoaded(life.rules.descriptions()));
        life.feed(Event::BusConnected);
        life.feed(Event::ModemManagerAppeared { version: "1.24.0".to_owned() });
        life
    }

    pub fn insert(&mut self, iccid: &str) {
        let iccid = Iccid::new(iccid).unwrap();
        self.seats.push(Seat { iccid, counters: LinkCounters::default(), roams: false });
        let number = self.seats.len() - 1;
        let link = self.link(number);
        self.feed(Event::LinkAppeared(link));
        self.show(number);
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// So much is received by each SIM, and then the counters are read.
    pub fn pass(&mut self, until: Timestamp, bytes: &[u64]) {
        self.wait(until);
        for (seat, bytes) in self.seats.iter_mut().zip(bytes) {
            seat.counters.rx_bytes += bytes;
        }
        self.read();
    }

    /// Time passes, and what the state asks to be woken for is done.
    pub fn wait(&mut self, until: Timestamp) {
        while let Some(wake) = self.state.next_wake(self.stamp()) {
            let due = self.now.saturating_add(Span(wake.after.as_millis().max(1)));
            if due > until {
                break;
            }
            self.now = due;
            self.read();
            self.feed(Event::WakeReached);
        }
        self.now = until;
    }

    pub fn roam(&mut self, number: usize, roams: bool) {
        self.read();
        self.seats[number].roams = roams;
        self.show(number);
    }

    pub fn correct(&mut self, number: usize, bytes: i64) {
        let correction = Correction {
            iccid: self.seats[number].iccid.clone(),
            at: self.now,
            bytes,
            author: "uid 0".to_owned(),
            reason: "a test".to_owned(),
            undoes: None,
        };
        self.feed(Event::UsageCorrected(correction));
    }

    /// What the state holds to be used.
    pub fn used(&self, number: usize) -> u64 {
        self.state.facts(&self.seats[number].iccid).unwrap().used_bytes
    }

    pub fn end(mut self) -> Vec<Rang> {
        self.read();
        self.feed(Event::StopRequested);
        let changes = self.state.flush(self.stamp());
        self.store.apply(&changes).unwrap();
        self.rang
    }

    fn stamp(&self) -> Stamp {
        let boot_ms = u64::try_from(self.now.since(self.began).as_millis()).unwrap();
        Stamp { wall: self.now, boot_ms, trusted: true }
    }

    fn read(&mut self) {
        let links = (0..self.seats.len()).map(|number| self.link(number)).collect();
        self.feed(Event::LinksRead(links));
    }

    fn link(&self, number: usize) -> LinkReading {
        LinkReading {
            ifindex: IfIndex(u32::try_from(number).unwrap() + 5),
            name: format!("wwan{number}").as_str().into(),
            ethernet: false,
            ppp: false,
            counters: self.seats[number].counters,
        }
    }

    fn show(&mut self, number: usize) {
        let seat = &self.seats[number];
        let operator = OperatorCode::new(if seat.roams { "20801" } else { "26201" }).unwrap();
        let view = ModemView {
            id: ModemId::new(format!("35000000000000{number}")).unwrap(),
            path: format!("/org/freedesktop/ModemManager1/Modem/{number}"),
            device: format!("/sys/devices/modem{number}"),
            manufacturer: "Example".to_owned(),
            model: "LTE".to_owned(),
            state: ModemState::Connected,
            failed_reason: None,
            unlock_required: None,
            own_numbers: Vec::new(),
            sim: Some(SimView {
                iccid: Some(seat.iccid.clone()),
                imsi: None,
                eid: None,
                operator_code: OperatorCode::new("26201").ok(),
                operator_name: Some("Example".to_owned()),
                kind: SimKind::Physical,
                esim: EsimStatus::Unknown,
                active: true,
            }),
            slots: Vec::new(),
            primary_slot: None,
            registration: if seat.roams { Registration::Roaming } else { Registration::Home },
            operator_code: Some(operator),
            operator_name: Some("Example".to_owned()),
            access: vec!["lte".to_owned()],
            signal_percent: Some(70),
            bearers: vec![BearerView {
                path: format!("/org/freedesktop/ModemManager1/Bearer/{number}"),
                connected: true,
                interface: Some(format!("wwan{number}").into()),
                ppp: false,
                apn: Some("internet".into()),
                stats: None,
                stats_supported: false,
                connection_error: None,
            }],
            net_ports: vec![format!("wwan{number}")],
        };
        self.feed(Event::ModemSeen(Box::new(view)));
        self.read();
    }

    fn feed(&mut self, event: Event) {
        let mut waiting = VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            let mut fx = self.state.step(self.stamp(), &event);
            if !fx.load_totals.is_empty() {
                fx.changes.extend(self.state.flush(self.stamp()));
            }
            let Effects { changes, load_totals, evaluate, deliver, notices, .. } = fx;
            self.store.apply(&changes).unwrap();
            let mut first = Vec::new();
            for query in load_totals {
                let totals = self.store.totals(&query).unwrap();
                let counts = Box::new(self.store.counts(&query).unwrap());
                first.push(Event::CountsLoaded { query: query.clone(), counts });
                first.push(Event::TotalsLoaded {
                    query,
                    by_zone: totals.by_zone,
                    units: Vec::new(),
                    corrections: totals.corrections,
                    first_at: totals.first_at,
                });
            }
            first.into_iter().rev().for_each(|event| waiting.push_front(event));
            for notice in notices {
                if let Notice::ReminderSaid { key, occurrence } = notice {
                    let text = self.state.reminders().find(|r| r.key == key).unwrap().text.clone();
                    self.rang.push(Rang { at: self.now, key: key.as_str().to_owned(), text, occurrence });
                }
            }
            for delivery in deliver {
                let ended = Event::DeliveryEnded { id: delivery.id, outcome: DeliveryOutcome::Delivered };
                waiting.push_back(ended);
            }
            if !evaluate.is_empty() {
                let results = self.rules.evaluate_all(evaluate);
                assert!(results.iter().all(|result| result.error.is_none()), "{results:?}");
                waiting.push_back(Event::RulesEvaluated(results));
            }
        }
    }
}

fn boot() -> BootId {
    BootId::new("boot").unwrap()
}
