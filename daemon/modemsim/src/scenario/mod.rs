//! Scenarios: modems and what happens to them in time, written in TOML. Every key is described in the crate's
//! README.md.

mod action;
mod play;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

pub use action::{Action, Traffic};
pub use play::play;
pub use read::Problem;

use crate::lookalike::{Builder, Lookalike, ModemSpec, SimSpec, Technology};
use read::{Block, Problems, nearest};

/// A scenario, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Name, for people.
    pub name: String,
    /// Whether modems are enabled as they appear.
    pub auto_enable: bool,
    /// How often bearers tell their `Stats`.
    pub stats_every: Duration,
    /// After which span the steps begin anew; never where there is none.
    pub repeat: Option<Duration>,
    /// SIMs by name.
    pub sims: BTreeMap<String, SimSpec>,
    /// Modems.
    pub modems: Vec<ModemSpec>,
    /// USSD codes, replies, and whether a response is waited for.
    pub ussd: Vec<(String, String, bool)>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, from the beginning.
    pub at: Duration,
    /// After which span it happens again.
    pub every: Option<Duration>,
    /// How often; once where `every` is not given, else without end.
    pub times: Option<u32>,
    /// To which modem.
    pub modem: usize,
    /// Name of the action.
    pub name: String,
    /// What.
    pub action: Action,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}")]
    Read {
        /// Path given.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Something in it is wrong; all that was found.
    #[error("the scenario is wrong:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Wrong(Vec<Problem>),
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn load(path: &std::path::Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads text.
    ///
    /// # Errors
    /// [`ScenarioError::Wrong`] with every problem found, each with its line and, for an unknown key, the nearest
    /// known one.
    pub fn parse(source: &str) -> Result<Self, ScenarioError> {
        let mut problems = Problems::new(source);
        let (document, errors) = DeTable::parse_recoverable(source);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            problems.add(offset, "TOML", error.message());
        }
        if !problems.found.is_empty() {
            problems.found.sort_by_key(|problem| problem.line);
            return Err(ScenarioError::Wrong(problems.found));
        }
        let scenario = read_document(&mut problems, document.get_ref());
        if problems.found.is_empty() {
            Ok(scenario)
        } else {
            problems.found.sort_by_key(|problem| problem.line);
            Err(ScenarioError::Wrong(problems.found))
        }
    }

    /// The look-alike this scenario describes, not yet started.
    #[must_use]
    pub fn lookalike(&self) -> Builder {
        let builder = Lookalike::builder().auto_enable(self.auto_enable).stats_every(self.stats_every);
        let builder = self.modems.iter().cloned().fold(builder, Builder::modem);
        self.ussd.iter().fold(builder, |builder, (code, reply, menu)| builder.ussd(code, reply, *menu))
    }
}

fn read_document(problems: &mut Problems<'_>, table: &DeTable<'_>) -> Scenario {
    let mut top = Block::new(String::new(), 0, table);
    let name = top.text(problems, "name").unwrap_or_default();
    let auto_enable = top.flag(problems, "auto_enable").unwrap_or(true);
    let stats_every = top.span(problems, "stats_every").unwrap_or(Duration::from_secs(1));
    let repeat = top.span(problems, "loop");
    if repeat.is_some_and(|span| span.is_zero()) {
        problems.add(top.offset_of("loop"), "loop", "expected a span longer than none");
    }
    let mut sims = BTreeMap::new();
    for (index, block) in top.blocks(problems, "sim").into_iter().enumerate() {
        let offset = block.offset();
        let (name, sim) = read_sim(problems, block, index);
        if sims.insert(name.clone(), sim).is_some() {
            problems.add(offset, &format!("sim[{index}].name"), format!("“{name}” is there twice"));
        }
    }
    let modem_blocks = top.blocks(problems, "modem");
    let mut modems: Vec<ModemSpec> = Vec::new();
    for (index, block) in modem_blocks.into_iter().enumerate() {
        let offset = block.offset();
        let modem = read_modem(problems, block, index, &sims);
        if modems.iter().any(|other| other.name == modem.name) {
            problems.add(offset, &format!("modem[{index}].name"), format!("“{}” is there twice", modem.name));
        }
        modems.push(modem);
    }
    if modems.is_empty() {
        modems.push(ModemSpec::numbered(0));
    }
    let mut ussd = Vec::new();
    for mut block in top.blocks(problems, "ussd") {
        let code = action::required(problems, &mut block, "code");
        let reply = action::required(problems, &mut block, "reply");
        ussd.push((code, reply, block.flag(problems, "menu").unwrap_or(false)));
        block.finish(problems);
    }
    let mut steps = Vec::new();
    for block in top.blocks(problems, "step") {
        steps.extend(read_step(problems, block, &modems, &sims));
    }
    top.finish(problems);
    Scenario { name, auto_enable, stats_every, repeat, sims, modems, ussd, steps }
}

fn read_sim(problems: &mut Problems<'_>, mut block: Block<'_, '_>, index: usize) -> (String, SimSpec) {
    let default = SimSpec::default();
    let name = block.text(problems, "name").unwrap_or_else(|| format!("sim{index}"));
    let kind = block.text(problems, "type").unwrap_or_else(|| "physical".into());
    if kind != "physical" && kind != "esim" {
        problems.add(block.offset_of("type"), &block.key("type"), "expected \"physical\" or \"esim\"");
    }
    let esim = kind == "esim";
    let iccid = block.text(problems, "iccid").unwrap_or_default();
    if iccid.is_empty() && !esim {
        problems.add(block.offset_of("iccid"), &block.key("iccid"), "a physical SIM needs one");
    }
    let sim = SimSpec {
        iccid,
        imsi: block.text(problems, "imsi").unwrap_or_default(),
        eid: block.text(problems, "eid").unwrap_or_default(),
        operator_code: block.text(problems, "operator_code").unwrap_or(default.operator_code),
        operator_name: block.text(problems, "operator_name").unwrap_or(default.operator_name),
        esim,
        number: block.text(problems, "number").unwrap_or_default(),
    };
    block.finish(problems);
    (name, sim)
}

fn read_modem(
    problems: &mut Problems<'_>,
    mut block: Block<'_, '_>,
    index: usize,
    sims: &BTreeMap<String, SimSpec>,
) -> ModemSpec {
    let default = ModemSpec::numbered(index);
    let technology = match block.text(problems, "technology").as_deref() {
        None => default.technology,
        Some("gsm") => Technology::Gsm,
        Some("umts") => Technology::Umts,
        Some("lte") => Technology::Lte,
        Some("5gnr") => Technology::Nr5g,
        Some(_) => {
            let key = block.key("technology");
            problems.add(block.offset_of("technology"), &key, "expected gsm, umts, lte or 5gnr");
            default.technology
        }
    };
    let slots = block.lists(problems, "slots").map(|slots| {
        let place = (block.offset_of("slots"), block.key("slots"));
        let mut sim = |name: &String| find_sim(problems, sims, name, &place);
        slots.iter().map(|names| names.iter().map(&mut sim).collect()).collect::<Vec<Vec<SimSpec>>>()
    });
    let slots = slots.unwrap_or(default.slots);
    let primary_slot = block.number(problems, "primary_slot").map_or(1, |slot| slot as usize);
    if primary_slot == 0 || primary_slot > slots.len() {
        let text = format!("expected a slot from 1 to {}", slots.len());
        problems.add(block.offset_of("primary_slot"), &block.key("primary_slot"), text);
    }
    let signal = block.number(problems, "signal").unwrap_or(default.signal);
    if signal > 100 {
        problems.add(block.offset_of("signal"), &block.key("signal"), "expected a percentage from 0 to 100");
    }
    let modem = ModemSpec {
        name: block.text(problems, "name").unwrap_or(default.name),
        imei: block.text(problems, "imei").unwrap_or(default.imei),
        manufacturer: block.text(problems, "manufacturer").unwrap_or(default.manufacturer),
        model: block.text(problems, "model").unwrap_or(default.model),
        revision: block.text(problems, "revision").unwrap_or(default.revision),
        device: block.text(problems, "device").unwrap_or(default.device),
        plugin: block.text(problems, "plugin").unwrap_or(default.plugin),
        net_port: block.text(problems, "net_port").unwrap_or(default.net_port),
        slots,
        primary_slot,
        signal,
        technology,
        pin: block.text(problems, "pin").unwrap_or(default.pin),
        locked: block.flag(problems, "locked").unwrap_or(false),
        plugged: block.flag(problems, "plugged").unwrap_or(true),
    };
    block.finish(problems);
    modem
}

fn read_step(
    problems: &mut Problems<'_>,
    mut block: Block<'_, '_>,
    modems: &[ModemSpec],
    sims: &BTreeMap<String, SimSpec>,
) -> Option<Step> {
    let at = block.span(problems, "at").unwrap_or_default();
    let every = block.span(problems, "every");
    let times = block.number(problems, "times");
    if every.is_some_and(|span| span.is_zero()) {
        problems.add(block.offset_of("every"), &block.key("every"), "expected a span longer than none");
    }
    if times.is_some() && every.is_none() {
        problems.add(block.offset_of("times"), &block.key("times"), "needs the key “every” beside it");
    }
    let modem = match block.text(problems, "modem") {
        None => Some(0),
        Some(name) => {
            let found = modems.iter().position(|modem| modem.name == name);
            if found.is_none() {
                let near = nearest(&name, modems.iter().map(|modem| modem.name.as_str()));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean “{near}”?"));
                let text = format!("no modem is named “{name}”{hint}");
                problems.add(block.offset_of("modem"), &block.key("modem"), text);
            }
            found
        }
    };
    let before = problems.found.len();
    let name = action::required(problems, &mut block, "action");
    if problems.found.len() > before {
        return None;
    }
    let spec = modems.get(modem.unwrap_or(0));
    let action = action::read(problems, &mut block, &name, spec, sims)?;
    block.finish(problems);
    Some(Step { at, every, times, modem: modem?, name, action })
}

fn find_sim(
    problems: &mut Problems<'_>,
    sims: &BTreeMap<String, SimSpec>,
    name: &str,
    (offset, key): &(usize, String),
) -> SimSpec {
    sims.get(name).cloned().unwrap_or_else(|| {
        let near = nearest(name, sims.keys().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean “{near}”?"));
        problems.add(*offset, key, format!("no [[sim]] is named “{name}”{hint}"));
        SimSpec::default()
    })
}
