//! `plan add`: a few answers make the block for the configuration.

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveTime};
use simbell_api::{Client, PlanAddOutput, Sim};

use super::{Verdict, check, sims};
use crate::cli::PlanAddArgs;
use crate::failure::CtlError;
use crate::out::Out;
use crate::parse::Amount;
use crate::show::amount::amount;
use crate::show::text;

/// Largest increment that the configuration takes.
const MOST_INCREMENT: u64 = 1_000_000_000;

/// The service's configuration, unless another is named.
const CONFIG: &str = "/etc/simbell";

/// Everything the block says.
#[derive(Debug)]
struct Answers {
    iccid: String,
    sim: String,
    name: Option<String>,
    data: Option<String>,
    period: Period,
    timezone: Option<String>,
    billing: String,
    /// The plan that the SIM has now.
    before: Option<String>,
}

#[derive(Debug)]
enum Period {
    Month { day: String },
    Bundle { every: String, start: NaiveDate, renews: bool },
    Bucket { start: NaiveDate },
}

pub(super) async fn run(socket: &Path, out: &mut Out, args: PlanAddArgs) -> Result<Verdict, CtlError> {
    let ask = Ask { may: io::stdin().is_terminal() && !out.json };
    let answers = answers(socket, &ask, &args).await?;
    let toml = block(&answers);
    let dir = directory(args.config.as_deref());
    let file = args.write.map(|file| file.unwrap_or_else(|| drop_in(&dir, &answers.sim)));
    let mut holds = false;
    if let Some(file) = &file {
        holds = holds_together(&dir, file, &toml, &answers)?;
        write(file, &toml)?;
    }
    if out.json {
        out.json(&PlanAddOutput { toml, file: file.map(|file| file.display().to_string()) })?;
        return Ok(Verdict::Done);
    }
    if let Some(before) = &answers.before {
        out.note(&if holds {
            format!(
                "{} had the plan {before:?}: what this block says takes its place, key by key",
                answers.sim
            )
        } else {
            format!(
                "{} has the plan {before:?} already: take its block out, two blocks of one SIM are refused",
                answers.sim
            )
        });
    }
    match file {
        Some(file) => {
            out.note(&format!("written to {}; put it into effect with `simbellctl reload`", file.display()))
        }
        None => {
            out.text(&toml)?;
            out.note(&format!(
                "paste this into {} or a file in {}, then `simbellctl reload`; --write does the first for you",
                dir.join("simbell.toml").display(),
                dir.join("conf.d").display()
            ));
        }
    }
    Ok(Verdict::Done)
}

async fn answers(socket: &Path, ask: &Ask, args: &PlanAddArgs) -> Result<Answers, CtlError> {
    let known = which(socket, ask, args).await?;
    let tail = known.iccid.get(known.iccid.len().saturating_sub(4)..).unwrap_or(&known.iccid);
    let suggested = known.name.clone().unwrap_or_else(|| format!("sim-{tail}"));
    let sim = match (&args.sim_name, &known.name) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => ask.or("Name of the SIM", &suggested, plain)?,
    };
    let sim = plain(&sim).map_err(|message| CtlError::usage(message, "give another --sim-name"))?;
    let data = match &args.data {
        Some(data) => allowance(data).map_err(|message| CtlError::usage(message, "mend --data"))?,
        None => ask.needed("Allowance (such as 6GB, or unlimited)", "--data", allowance)?,
    };
    let period = period(ask, args)?;
    let name = match &args.name {
        Some(name) => Some(plain(name).map_err(|message| CtlError::usage(message, "give another --name"))?),
        None if ask.may => Some(ask.or(
            "Name of the plan",
            &data.as_deref().map_or_else(|| "unlimited".to_owned(), |data| format!("{data} plan")),
            plain,
        )?),
        None => None,
    };
    let timezone = match &args.timezone {
        Some(zone) => Some(zone_name(zone).map_err(|message| CtlError::usage(message, "mend --timezone"))?),
        // Unless somebody says so, the days of a plan are those of the service, whose zone this machine's need not be.
        None if ask.may => ask.or("Time zone (- for the service's own)", "-", |answer| {
            if answer == "-" { Ok(None) } else { zone_name(answer).map(Some) }
        })?,
        None => None,
    };
    let billing = billing(args)?;
    Ok(Answers { iccid: known.iccid, sim, name, data, period, timezone, billing, before: known.plan })
}

/// How the carrier bills, as lines of the block; only what was asked for.
fn billing(args: &PlanAddArgs) -> Result<String, CtlError> {
    let mut lines = String::new();
    if let Some(counts) = &args.counts {
        lines.push_str(&format!("counts = {}\n", quote(counts)));
    }
    if args.roaming_free {
        lines.push_str("roaming = \"free\"\n");
    }
    if let (Some(step), Some(per)) = (args.increment, &args.per) {
        if step.0 == 0 || step.0 > MOST_INCREMENT {
            return Err(CtlError::usage("an increment is 1 B to 1 GB".to_owned(), "mend --increment"));
        }
        lines.push_str(&format!("increment = {}\nper = {}\n", quote(&exactly(step)), quote(per)));
    }
    let spans: Vec<String> = args.free.iter().map(|span| free(span)).collect::<Result<_, _>>()?;
    if !spans.is_empty() {
        lines.push_str(&format!("free_hours = [{}]\n", spans.join(", ")));
    }
    Ok(lines)
}

fn free(span: &str) -> Result<String, CtlError> {
    let time = |text: &str, last: bool| {
        let whole = text.len() == 5 && NaiveTime::parse_from_str(text, "%H:%M").is_ok();
        whole || (last && text == "24:00")
    };
    match span.split_once('-') {
        Some((from, until)) if time(from, false) && time(until, true) && from != until => {
            Ok(format!("{{ from = {}, until = {} }}", quote(from), quote(until)))
        }
        _ => Err(CtlError::usage(format!("{span:?} is no span of hours"), "write --free 00:00-06:00")),
    }
}

/// The SIM: named, given by its ICCID, the only one there is, or asked for.
struct Chosen {
    iccid: String,
    name: Option<String>,
    plan: Option<String>,
}

async fn which(socket: &Path, ask: &Ask, args: &PlanAddArgs) -> Result<Chosen, CtlError> {
    if let Some(given) = &args.iccid {
        let iccid = iccid(given).map_err(|message| CtlError::usage(message, "mend --iccid"))?;
        return Ok(Chosen { iccid, name: None, plan: None });
    }
    let sims: Vec<Sim> = match Client::connect(socket).await {
        Ok(mut client) => client.sims().await?,
        // The service is not needed to write down a SIM whose number is on the card.
        Err(_) if ask.may && args.sim.is_none() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let chosen =
        |sim: &Sim| Chosen { iccid: sim.iccid.clone(), name: sim.name.clone(), plan: sim.plan.clone() };
    if let Some(wanted) = &args.sim {
        return sims::named(&sims, wanted).map(chosen).ok_or_else(|| {
            CtlError::failed(
                "UnknownSim",
                format!("no SIM is called {wanted:?}"),
                format!(
                    "see the SIMs with `simbellctl sims`; one without a name is named by --sim ICCID --sim-name {wanted}"
                ),
            )
        });
    }
    if let [only] = sims.as_slice() {
        return Ok(chosen(only));
    }
    if !sims.is_empty() {
        ask.say("SIMs that the service knows:");
        for (number, sim) in sims.iter().enumerate() {
            let plan = sim.plan.as_deref().unwrap_or("no plan");
            ask.say(&format!("  {}  {}  {}  {plan}", number.saturating_add(1), sim.iccid, sims::called(sim)));
        }
    }
    let pick = |answer: &str| -> Result<Chosen, String> {
        let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match number.and_then(|at| sims.get(at)).or_else(|| sims::named(&sims, answer)) {
            Some(sim) => Ok(chosen(sim)),
            None => iccid(answer).map(|iccid| Chosen { iccid, name: None, plan: None }),
        }
    };
    ask.needed("Which SIM (its number above, its name, or its ICCID)", "--sim or --iccid", pick)
}

fn period(ask: &Ask, args: &PlanAddArgs) -> Result<Period, CtlError> {
    let bad = |message: String| CtlError::usage(message, "see `simbellctl plan add --help`");
    let every = match (&args.every, &args.day) {
        (Some(every), _) => length(every).map_err(bad)?,
        (None, Some(_)) => "month".to_owned(),
        (None, None) => ask.needed("How long it lasts (month, 30 days, or used)", "--every", length)?,
    };
    if every == "month" {
        let day = match &args.day {
            Some(day) => anchor(day).map_err(bad)?,
            None if ask.may => ask.or("Day of the month it starts on (1 to 31, or last)", "1", anchor)?,
            None => return Err(missing("--day")),
        };
        if args.start.is_some() {
            return Err(bad("a month has a --day, not a --start".to_owned()));
        }
        if args.renews == Some(false) {
            return Err(
                bad("a month always starts anew; --renews is for bundles such as 30 days".to_owned()),
            );
        }
        return Ok(Period::Month { day });
    }
    if args.day.is_some() {
        return Err(bad(format!("{every:?} has a --start, not a --day")));
    }
    let start = match &args.start {
        Some(start) => date(start).map_err(bad)?,
        None => ask.needed("First day (such as 2026-11-01)", "--start", date)?,
    };
    if every == "used" {
        if args.renews == Some(true) {
            return Err(bad(
                "a bucket ends when it is used; --renews is for bundles such as 30 days".to_owned()
            ));
        }
        return Ok(Period::Bucket { start });
    }
    let renews = match args.renews {
        Some(renews) => renews,
        None if ask.may => ask.or("Does a new bundle follow by itself (yes or no)", "yes", yes)?,
        None => true,
    };
    Ok(Period::Bundle { every, start, renews })
}

/// The block as the configuration reads it.
fn block(answers: &Answers) -> String {
    let sim = key(&answers.sim);
    let mut toml = format!("[sims.{sim}]\niccid = {}\n", quote(&answers.iccid));
    if let Some(zone) = &answers.timezone {
        toml.push_str(&format!("timezone = {}\n", quote(zone)));
    }
    toml.push_str(&format!("\n[sims.{sim}.plan]\n"));
    if let Some(name) = &answers.name {
        toml.push_str(&format!("name = {}\n", quote(name)));
    }
    let data = answers.data.as_deref().unwrap_or("unlimited");
    toml.push_str(&format!("data = {}\n", quote(data)));
    match &answers.period {
        Period::Month { day } => {
            let day = if day == "last" { quote(day) } else { day.clone() };
            toml.push_str(&format!("every = \"month\"\nday = {day}\n"));
        }
        Period::Bundle { every, start, renews } => {
            toml.push_str(&format!("every = {}\nstart = {start}\nrenews = {renews}\n", quote(every)));
        }
        Period::Bucket { start } => toml.push_str(&format!("until = \"used\"\nstart = {start}\n")),
    }
    toml.push_str(&answers.billing);
    toml
}

/// What the service would refuse is not written: it would keep the service from its next start. Whether the service reads
/// it there.
fn holds_together(dir: &Path, file: &Path, toml: &str, answers: &Answers) -> Result<bool, CtlError> {
    let within = file.parent().and_then(|parent| parent.canonicalize().ok());
    let drop_ins = dir.join("conf.d");
    let read = within.is_some() && within == drop_ins.canonicalize().ok();
    // Elsewhere the service does not look; and what is there already is not written over.
    let (Some(name), true, false) = (file.file_name(), read, file.exists()) else { return Ok(false) };
    let Err(said) = check::with(dir, &drop_ins.join(name), toml)? else { return Ok(true) };
    Err(CtlError::failed(
        "WouldBeRefused",
        format!("{} is not written: with it the configuration would be refused\n{said}", file.display()),
        format!(
            "where the SIM has a block already, name that: `simbellctl plan add --iccid {} --sim-name ITS-NAME` changes its \
             plan; otherwise mend what is named above",
            answers.iccid
        ),
    ))
}

fn write(file: &Path, toml: &str) -> Result<(), CtlError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o644).open(file);
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => CtlError::failed(
            "FileExists",
            format!("{} exists already", file.display()),
            "edit it, name another file, or leave --write out and paste the block",
        ),
        io::ErrorKind::PermissionDenied => CtlError::failed(
            "NotWritable",
            format!("you may not write {}", file.display()),
            "run this as root, or leave --write out and paste the block",
        ),
        io::ErrorKind::NotFound => CtlError::failed(
            "NoFolder",
            format!("{} cannot be written: its folder is not there", file.display()),
            "make the folder, name another file, or leave --write out and paste the block",
        ),
        _ => CtlError::io(format!("{} cannot be written", file.display()), error),
    };
    opened.and_then(|mut file| file.write_all(toml.as_bytes())).map_err(cannot)
}

/// The configuration's directory: where a file is named, that which it lies in.
fn directory(config: Option<&Path>) -> PathBuf {
    let path = config.unwrap_or(Path::new(CONFIG));
    let within = path.parent().filter(|_| path.extension().is_some_and(|e| e == "toml") && !path.is_dir());
    match within {
        Some(dir) if dir.as_os_str().is_empty() => PathBuf::from("."),
        Some(dir) => dir.to_owned(),
        None => path.to_owned(),
    }
}

/// `conf.d/plan-NAME.toml` of the configuration, with a name any file system takes.
fn drop_in(dir: &Path, sim: &str) -> PathBuf {
    let name: String = sim.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
    dir.join("conf.d").join(format!("plan-{name}.toml"))
}

/// Questions on the terminal, on standard error so that standard output holds the block alone.
struct Ask {
    may: bool,
}

impl Ask {
    /// Asks until the answer can be read.
    fn needed<T>(
        &self,
        question: &str,
        flag: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, CtlError> {
        if !self.may {
            return Err(missing(flag));
        }
        self.until(question, None, read)
    }

    /// As `needed`, with what holds when nothing is said; not asked at all where nobody can answer.
    fn or<T>(
        &self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, CtlError> {
        if !self.may {
            return read(default).map_err(|message| CtlError::usage(message, "give it as a flag"));
        }
        self.until(question, Some(default), read)
    }

    fn until<T>(
        &self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, CtlError> {
        loop {
            let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            self.prompt(&text::safe(&format!("{question}{shown}: ")));
            let mut line = String::new();
            let count = io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| CtlError::io("the answer cannot be read", error))?;
            if count == 0 {
                return Err(CtlError::usage("there was no answer", "give the answers as flags"));
            }
            let answer = match (line.trim(), default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(message) => self.say(&format!("  {message}")),
            }
        }
    }

    fn say(&self, line: &str) {
        if self.may {
            self.prompt(&(text::safe(line) + "\n"));
        }
    }

    fn prompt(&self, words: &str) {
        let mut stderr = io::stderr();
        // Where it is closed nobody is asked; the answer that is missing says so.
        let _closed = stderr.write_all(words.as_bytes()).and_then(|()| stderr.flush());
    }
}

fn missing(flag: &str) -> CtlError {
    CtlError::usage(format!("{flag} is missing"), "give it, or run this on a terminal to be asked")
}

fn iccid(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let digits = digits.trim_end_matches('F');
    if (18..=22).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits.to_owned())
    } else {
        Err("an ICCID has 18 to 22 digits; it is printed on the card".to_owned())
    }
}

fn plain(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        return Err("a name has 1 to 64 characters and no control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn allowance(text: &str) -> Result<Option<String>, String> {
    if text.trim().eq_ignore_ascii_case("unlimited") {
        return Ok(None);
    }
    // Written as it was meant: what is not told exactly by two places keeps its own spelling.
    let parsed: Amount = text.parse()?;
    if parsed.0 == 0 {
        return Err(
            "a plan of 0 B is used up before it begins; write unlimited where nothing is counted down, \
                    or leave the plan out"
                .to_owned(),
        );
    }
    Ok(Some(exactly(parsed)))
}

fn exactly(given: Amount) -> String {
    let shown = amount(given.0).replace(".00 ", " ");
    if shown.parse() == Ok(given) { shown } else { format!("{} B", given.0) }
}

fn length(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let plain = matches!(text.as_str(), "month" | "week" | "day" | "used");
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "d" | "day" | "days" => "days",
        "w" | "week" | "weeks" => "weeks",
        _ => "",
    };
    match number.parse::<u16>() {
        _ if plain => Ok(text),
        Ok(number) if number > 0 && !unit.is_empty() => Ok(format!("{number} {unit}")),
        _ => Err(format!("{text:?} is no period; write month, 30 days, 4 weeks, or used")),
    }
}

fn anchor(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    match text.parse::<u8>() {
        Ok(day @ 1..=31) => Ok(day.to_string()),
        _ if text == "last" => Ok(text),
        _ => Err(format!("{text:?} is no day of a month; write 1 to 31, or last")),
    }
}

fn date(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
        .map_err(|_| format!("{text:?} is no date; write it like 2026-11-01"))
}

fn yes(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("answer yes or no".to_owned()),
    }
}

/// A zone that this machine knows, by its IANA name.
fn zone_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let sound = !text.is_empty()
        && !text.contains("..")
        && !text.starts_with('/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    if sound && (text == "UTC" || Path::new("/usr/share/zoneinfo").join(text).is_file()) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is no time zone of this machine; write it like Europe/Berlin (package tzdata)"))
    }
}

fn key(text: &str) -> String {
    let bare = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { quote(text) }
}

/// A basic string (TOML 1.0, section String).
fn quote(text: &str) -> String {
    let escaped = text.chars().fold(String::new(), |mut all, c| {
        if matches!(c, '"' | '\\') {
            all.push('\\');
        }
        all.push(c);
        all
    });
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_named_or_left_to_the_sims_name() {
        use clap::Parser as _;

        let write = |args: &[&str]| {
            let all = ["simbellctl", "plan", "add"].iter().chain(args);
            match crate::cli::Cli::try_parse_from(all).unwrap().verb {
                crate::cli::Verb::Plan(plan) => match plan.verb {
                    Some(crate::cli::PlanVerb::Add(args)) => args.write,
                    _ => None,
                },
                _ => None,
            }
        };
        assert_eq!(write(&[]), None);
        assert_eq!(write(&["--write"]), Some(None));
        assert_eq!(write(&["--write", "--day", "1"]), Some(None));
        assert_eq!(write(&["--write", "x.toml"]), Some(Some(PathBuf::from("x.toml"))));
    }

    #[test]
    fn answers_are_read_kindly_and_refused_clearly() {
        assert_eq!(iccid("8949 0200 0012 3456 789f").unwrap(), "8949020000123456789");
        assert!(iccid("8949").is_err());
        assert_eq!(allowance("6GB").unwrap().unwrap(), "6 GB");
        assert_eq!(allowance("1.5GiB").unwrap().unwrap(), "1610612736 B");
        assert_eq!(allowance("Unlimited").unwrap(), None);
        assert!(allowance("0 GB").is_err());
        assert_eq!(length("30days").unwrap(), "30 days");
        assert_eq!(length("4 Weeks").unwrap(), "4 weeks");
        assert_eq!(length("month").unwrap(), "month");
        assert!(length("year").is_err());
        assert!(length("0 days").is_err());
        assert_eq!(anchor("031").unwrap(), "31");
        assert!(anchor("32").is_err());
        assert!(zone_name("../../etc/passwd").is_err());
        let dir = |config: Option<&str>| directory(config.map(Path::new));
        assert_eq!(drop_in(&dir(None), "a/b 手机"), Path::new("/etc/simbell/conf.d/plan-a_b_手机.toml"));
        assert_eq!(drop_in(&dir(Some("mine")), "a"), Path::new("mine/conf.d/plan-a.toml"));
        assert_eq!(drop_in(&dir(Some("mine/simbell.toml")), "a"), Path::new("mine/conf.d/plan-a.toml"));
        assert_eq!(drop_in(&dir(Some("simbell.toml")), "a"), Path::new("./conf.d/plan-a.toml"));
    }
}
