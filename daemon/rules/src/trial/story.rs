//! One story: the world it plays in, what was set up for it, and what of it was expected so far.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use simbell_core::action::Permission;
use simbell_core::ident::{Iccid, ReminderKey, SimName};
use simbell_core::number::OwnNumbers;
use simbell_core::plan::Plan;
use simbell_core::schedule::QuietHours;
use simbell_core::settings::{Settings, SimSettings, SourceChoice};
use simbell_core::time::{Span, Timestamp};
use simbell_core::view::SimFacts;
use simbell_core::zone::ZoneRules;

use super::{Subject, TrialOptions, ZoneSource};
use crate::limits::Limits;
use crate::lines::Trail;
use crate::manifest::SettingValues;
use crate::rehearsal::{Happening, Moment, Rehearsal};
use crate::ruleset::{LoadOptions, RuleSet};
use crate::text::short;

/// A story's steps of the state: far above what ninety days of hours take.
const MOST_STEPS: u64 = 60_000;

/// SIMs of one story.
const MOST_SIMS: u32 = 32;

/// When a story begins unless it says so: a Sunday, the first of a month of 30 days.
fn first_instant(zone: &ZoneRules) -> Timestamp {
    zone.day_start(NaiveDate::from_ymd_opt(2026, 11, 1).unwrap_or_default())
}

/// What every story of a file begins with.
#[derive(Clone)]
pub(super) struct Setup {
    subject: Subject,
    limits: Limits,
    zones: ZoneSource,
    trail: Arc<Trail>,
}

impl Setup {
    pub(super) fn new(subject: &Subject, options: &TrialOptions, trail: &Arc<Trail>) -> Self {
        Self {
            subject: subject.clone(),
            limits: options.limits,
            zones: Arc::clone(&options.zones),
            trail: Arc::clone(trail),
        }
    }

    /// Loads the rule as it is by itself.
    ///
    /// # Errors
    /// Why it cannot run.
    pub(super) fn check(&self) -> Result<(), String> {
        self.load(&Choices::default(), None).map(drop)
    }

    fn load(&self, choices: &Choices, trail: Option<&Arc<Trail>>) -> Result<RuleSet, String> {
        let name = self.subject.name.clone();
        let allowed: Vec<Permission> =
            Permission::ALL.into_iter().filter(|one| !choices.denied.contains(one)).collect();
        let options = LoadOptions {
            settings: BTreeMap::from([(name.clone(), choices.settings.clone())]),
            allowed: BTreeMap::from([(name, allowed)]),
            limits: self.limits,
            language: choices.language.clone(),
            ..LoadOptions::default()
        };
        let rules = RuleSet::alone(&options, &self.subject.path, trail);
        match rules.descriptions().into_iter().next() {
            Some(rule) => rule.problem.map_or(Ok(rules), Err),
            None => {
                let problems: Vec<String> = rules.problems().iter().map(ToString::to_string).collect();
                Err(if problems.is_empty() {
                    format!("{}: there is no rule here", self.subject.path.display())
                } else {
                    problems.join("\n")
                })
            }
        }
    }
}

/// What a story decided for itself.
#[derive(Debug, Clone)]
struct Choices {
    settings: SettingValues,
    denied: Vec<Permission>,
    language: String,
}

impl Default for Choices {
    fn default() -> Self {
        Self { settings: SettingValues::new(), denied: Vec::new(), language: "en".to_owned() }
    }
}

/// One SIM of a story, as its script holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestSim {
    pub(super) iccid: Iccid,
    pub(super) name: String,
}

/// A story under way.
pub(crate) struct Story {
    setup: Setup,
    choices: Choices,
    settings: Settings,
    start: Option<Timestamp>,
    world: Option<Rehearsal>,
    /// Which moments of the timeline were expected.
    pub(super) expected: Vec<bool>,
    /// What helps whoever reads of the failure.
    pub(super) hint: Option<String>,
    /// How much of the timeline was looked through for failures of the rule.
    looked: usize,
    sims: u32,
}

impl Story {
    pub(super) fn new(setup: Setup) -> Self {
        let zone = ZoneRules::utc();
        let settings = Settings {
            zone,
            language: "en".to_owned(),
            sims: BTreeMap::new(),
            sample_every: Span::secs(3_600),
            line_rate: 125_000_000,
            max_unsaved_bytes: None,
            max_unsaved_time: Span::secs(300),
            default_channels: Vec::new(),
            channels: Vec::new(),
            quiet: None,
            suspend_after: 3,
            actions_a_day: 10,
            ppp_interface: None,
        };
        Self {
            setup,
            choices: Choices::default(),
            settings,
            start: None,
            world: None,
            expected: Vec::new(),
            hint: None,
            looked: 0,
            sims: 0,
        }
    }

    pub(super) fn take_hint(&mut self) -> Option<String> {
        self.hint.take()
    }

    pub(super) fn zone(&self) -> &ZoneRules {
        &self.settings.zone
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.setup.subject.tests.parent().map(PathBuf::from).unwrap_or_default()
    }

    pub(super) fn now(&self) -> Timestamp {
        let began = self.start.unwrap_or_else(|| first_instant(&self.settings.zone));
        self.world.as_ref().map_or(began, Rehearsal::now)
    }

    pub(super) fn timeline(&self) -> &[Moment] {
        self.world.as_ref().map(Rehearsal::timeline).unwrap_or_default()
    }

    pub(super) fn facts(&self, iccid: &Iccid) -> Option<SimFacts> {
        self.world.as_ref()?.state().facts(iccid)
    }

    /// The world, which begins as it is asked for.
    pub(super) fn world(&mut self) -> Result<&mut Rehearsal, String> {
        if self.world.is_none() {
            let rules = Arc::new(self.setup.load(&self.choices, None)?);
            let shadow = Arc::new(self.setup.load(&self.choices, Some(&self.setup.trail))?);
            let began = self.now();
            let mut world = Rehearsal::begin_story(self.settings.clone(), rules, shadow, began)
                .map_err(|error| error.to_string())?;
            world.bound(MOST_STEPS);
            self.world = Some(world);
        }
        self.world.as_mut().ok_or_else(|| "there is no world".to_owned())
    }

    /// Does something in the world. A rule that fails meanwhile fails the test.
    pub(super) fn play<T>(
        &mut self,
        what: impl FnOnce(&mut Rehearsal) -> Result<T, crate::RehearsalError>,
    ) -> Result<T, String> {
        let done = what(self.world()?).map_err(|error| self.named(&error));
        self.failed()?;
        done
    }

    /// An error with the names that the story gave.
    fn named(&self, error: &crate::RehearsalError) -> String {
        use crate::RehearsalError::{NoModem, NotConnected};
        let name = |iccid: &Iccid| self.sim_name(Some(iccid)).unwrap_or_default();
        match error {
            NoModem(iccid) => format!("`{}` is in no modem", name(iccid)),
            NotConnected(iccid) => {
                format!("`{}` is not connected: its modem is gone, locked or offline", name(iccid))
            }
            other => other.to_string(),
        }
    }

    pub(super) fn sim_name(&self, iccid: Option<&Iccid>) -> Option<String> {
        let known = self.settings.sims.get(iccid?)?;
        known.name.as_ref().map(|name| name.as_str().to_owned())
    }

    pub(super) fn all_sims(&self) -> impl Iterator<Item = TestSim> + '_ {
        let name = |known: &SimSettings| known.name.as_ref().map(|name| name.as_str().to_owned());
        self.settings.sims.iter().map(move |(iccid, known)| TestSim {
            iccid: iccid.clone(),
            name: name(known).unwrap_or_default(),
        })
    }

    pub(super) fn sim_named(&self, name: &str) -> Option<TestSim> {
        self.all_sims().find(|sim| sim.name == name)
    }

    fn failed(&mut self) -> Result<(), String> {
        let failed = self.timeline().iter().skip(self.looked).find_map(|moment| match &moment.what {
            Happening::Failed(error) => Some(error.clone()),
            _ => None,
        });
        self.looked = self.timeline().len();
        match failed {
            Some(error) => Err(format!("the rule failed:\n{error}")),
            None => Ok(()),
        }
    }

    fn settings_changed(&mut self) -> Result<(), String> {
        if self.world.is_some() {
            let settings = self.settings.clone();
            self.play(|world| world.set_settings(settings))?;
        }
        Ok(())
    }

    fn rules_changed(&mut self) -> Result<(), String> {
        let rules = self.setup.load(&self.choices, None)?;
        if self.world.is_some() {
            let shadow = self.setup.load(&self.choices, Some(&self.setup.trail))?;
            self.play(|world| {
                world.shadow(Some(Arc::new(shadow)));
                world.set_rules(Arc::new(rules))
            })?;
        }
        Ok(())
    }

    pub(super) fn set_clock(&mut self, text: &str) -> Result<(), String> {
        let at = self.instant(text)?;
        if self.world.is_none() {
            self.start = Some(at);
            return Ok(());
        }
        if at < self.now() {
            return Err(format!(
                "the clock shows {} already: time does not go backward",
                self.shown(self.now())
            ));
        }
        self.play(|world| world.advance_to(at))
    }

    /// `2026-11-20 07:00`, `2026-11-20`, or `07:00` for the next time that the clock shows that.
    fn instant(&self, text: &str) -> Result<Timestamp, String> {
        let zone = &self.settings.zone;
        if let Ok(civil) = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M") {
            return Ok(zone.instant(civil));
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(zone.day_start(date));
        }
        let time = NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| {
            format!("`{}` is no time: write \"2026-11-20 07:00\", \"2026-11-20\" or \"07:00\"", short(text))
        })?;
        let now = self.now();
        let today = zone.date(now);
        let found = [Some(today), today.succ_opt(), today.succ_opt().and_then(|date| date.succ_opt())]
            .into_iter()
            .flatten()
            .map(|date| zone.instant(date.and_time(time)))
            .find(|at| *at > now);
        found.ok_or_else(|| "the calendar ends here".to_owned())
    }

    pub(super) fn advance(&mut self, ms: i64) -> Result<(), String> {
        if ms < 0 {
            return Err("time does not go backward".to_owned());
        }
        let until = self.now().saturating_add(Span(ms));
        self.play(|world| world.advance_to(until))
    }

    pub(super) fn set_zone(&mut self, name: &str) -> Result<(), String> {
        let zone = (self.setup.zones)(name)?;
        for sim in self.settings.sims.values_mut() {
            sim.zone = zone.clone();
        }
        self.settings.zone = zone;
        self.settings_changed()
    }

    pub(super) fn set_quiet(&mut self, quiet: Option<QuietHours>) -> Result<(), String> {
        self.settings.quiet = quiet;
        self.settings_changed()
    }

    pub(super) fn set_language(&mut self, language: &str) -> Result<(), String> {
        self.settings.language = language.to_owned();
        self.choices.language = language.to_owned();
        self.rules_changed()?;
        self.settings_changed()
    }

    pub(super) fn override_settings(&mut self, values: SettingValues) -> Result<(), String> {
        if !self.setup.subject.path.is_dir() {
            return Err("a single file has no settings: only a plugin declares some".to_owned());
        }
        self.choices.settings.extend(values);
        self.rules_changed()
    }

    pub(super) fn deny(&mut self, what: Permission, denied: bool) -> Result<(), String> {
        self.choices.denied.retain(|one| *one != what);
        if denied {
            self.choices.denied.push(what);
        }
        self.rules_changed()
    }

    /// A SIM that is configured, and in a modem where `inserted`.
    pub(super) fn add_sim(
        &mut self,
        name: &str,
        plan: Option<Plan>,
        operator: Option<String>,
        inserted: bool,
    ) -> Result<TestSim, String> {
        if self.sim_named(name).is_some() {
            return Err(format!("there is a SIM `{}` already", short(name)));
        }
        if self.sims >= MOST_SIMS {
            return Err(format!("a story has {MOST_SIMS} SIMs at most"));
        }
        // Before the SIM is known: the first is added to a world that is there, as any other is.
        self.world()?;
        self.sims = self.sims.saturating_add(1);
        let iccid =
            Iccid::new(format!("894900000000000{:04}", self.sims)).map_err(|error| error.to_string())?;
        let known = SimSettings {
            name: Some(SimName::new(name).map_err(|error| error.to_string())?),
            plan,
            zone: self.settings.zone.clone(),
            source: SourceChoice::Auto,
            uncounted_apns: Vec::new(),
            numbers: OwnNumbers::default(),
        };
        self.settings.sims.insert(iccid.clone(), known);
        let settings = self.settings.clone();
        let operator = operator.unwrap_or_else(|| "Example".to_owned());
        let sim = iccid.clone();
        self.play(move |world| {
            world.set_settings(settings)?;
            if inserted { world.insert(&sim, Some(&operator)) } else { Ok(()) }
        })?;
        Ok(TestSim { iccid, name: name.to_owned() })
    }

    pub(super) fn set_plan(&mut self, sim: &TestSim, plan: Option<Plan>) -> Result<(), String> {
        if let Some(known) = self.settings.sims.get_mut(&sim.iccid) {
            known.plan = plan;
        }
        self.settings_changed()
    }

    /// The whole key of the reminder that the rule knows by its own.
    pub(super) fn whole_key(&self, own: &str, sim: Option<&Iccid>) -> Option<ReminderKey> {
        let mine =
            |moment: &&Moment| moment.own_key() == Some(own) && (sim.is_none() || moment.sim.as_ref() == sim);
        self.timeline().iter().rev().find(mine)?.what.reminder().cloned()
    }
}
