//! The whole way from files to settings, and from bad files to problems.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use secrecy::ExposeSecret;
use simbell_core::bytes::Bytes;
use simbell_core::ident::{ChannelName, Iccid, RuleName};
use simbell_core::plan::{AnchorDay, Counts, Period};
use simbell_core::time::Span;
use simbell_notify::{ChannelConfig, NtfyAuth, SmtpTls};

use super::tests_support::{Scratch, scratch};
use super::*;

/// Found by grep in nothing that is shown.
const CANARY: &str = "canary-7f3a9d";

struct Place {
    dir: Scratch,
    env: Environment,
}

impl Place {
    fn new() -> Self {
        let dir = scratch();
        let credentials = dir.path().join("credentials");
        fs::create_dir(&credentials).unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        for name in ["smtp-password", "ntfy-token", "chat-login"] {
            fs::write(credentials.join(name), format!("{CANARY}\n")).unwrap();
        }
        fs::write(credentials.join("ntfy-topic"), CANARY).unwrap();
        fs::write(credentials.join("chat-url"), format!("https://chat.example.org/{CANARY}")).unwrap();
        let env = Environment {
            credentials_dir: Some(credentials),
            state_dir: None,
            runtime_dir: None,
            localtime: dir.path().join("localtime"),
            timezone: dir.path().join("timezone"),
            ..Environment::of_process()
        };
        Self { dir, env }
    }

    fn with(text: &str) -> Self {
        let place = Self::new();
        place.put("simbell.toml", text);
        place
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load(self.dir.path(), &self.env)
    }

    /// Problems as shown, the directory left out.
    fn shown(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn problems(text: &str) -> String {
    Place::with(text).shown()
}

/// Each problem as `line:column key: message`, without the source.
fn lines(text: &str) -> Vec<String> {
    let problems = Place::with(text).load().unwrap_err();
    problems
        .list()
        .iter()
        .map(|p| {
            let (line, column) = p.position().unwrap_or_default();
            format!("{line}:{column} {}: {}", p.key(), p.message())
        })
        .collect()
}

fn iccid(text: &str) -> Iccid {
    Iccid::new(text).unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn the_annotated_example_is_valid_and_means_what_it_says() {
    let place = Place::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/conf.d/example.toml");
    let loaded = load(Path::new(example), &place.env).unwrap_or_else(|problems| panic!("{problems}"));
    let settings = &loaded.settings;
    assert_eq!((settings.zone.name.as_str(), settings.language.as_str()), ("Europe/Berlin", "en"));
    let home = settings.sims[&iccid("89490200001234567890")].plan.as_ref().unwrap();
    assert_eq!(
        (home.data, home.counts, home.roaming_counts),
        (Some(Bytes(6_000_000_000)), Counts::Both, true)
    );
    assert_eq!(home.period, Period::Monthly(AnchorDay::Day(31)));
    let travel = &settings.sims[&iccid("89330000009876543210")];
    assert_eq!(travel.zone.name, "Europe/Paris");
    let bundle = Period::Days { days: 30, start: date("2026-11-01"), renews: false };
    assert_eq!(travel.plan.as_ref().unwrap().period, bundle);
    let backup = settings.sims[&iccid("89860000001111222233")].plan.as_ref().unwrap();
    assert_eq!((backup.name.as_str(), backup.roaming_counts), ("backup", false));
    assert_eq!(backup.period, Period::Bucket { start: date("2026-06-15") });
    assert_eq!(settings.default_channels, [channel("mail"), channel("phone")]);
    assert_eq!((settings.sample_every, settings.max_unsaved_bytes), (Span::secs(20), 10_000_000));
    let sms = settings.channels.iter().find(|c| c.kind == "sms").unwrap();
    assert_eq!((sms.daily_cap, sms.while_roaming), (Some(5), false));

    let service = &loaded.service;
    assert_eq!(service.admin_groups, ["simbell-admin"]);
    assert_eq!(service.rules.limits.memory_bytes, Some(16_000_000));
    assert_eq!(
        service.plugins[&RuleName::new("data-thresholds").unwrap()].settings["percent"],
        serde_json::json!([50, 80, 95])
    );
    let ChannelConfig::Email(mail) = &service.channels[&channel("mail")] else { panic!("mail is no mail") };
    assert_eq!((mail.tls, mail.port), (SmtpTls::StartTls, Some(587)));
    assert_eq!(mail.login.as_ref().unwrap().password.expose_secret(), CANARY);
    let ChannelConfig::Ntfy(phone) = &service.channels[&channel("phone")] else { panic!("phone is no ntfy") };
    assert!(matches!(&phone.auth, NtfyAuth::Token(token) if token.expose_secret() == CANARY));
    let ChannelConfig::Webhook(chat) = &service.channels[&channel("chat")] else {
        panic!("chat is no webhook")
    };
    let secret: Vec<_> = chat.headers.iter().map(|h| (h.name.as_str(), h.secret)).collect();
    assert_eq!(secret, [("Authorization", true), ("X-Source", false)]);
}

#[test]
fn the_example_shows_every_default() {
    let place = Place::with("");
    let settings = place.load().unwrap().settings;
    assert_eq!(settings.zone.name, "UTC");
    assert_eq!(settings.max_unsaved_time, Span::secs(300));
    assert_eq!((settings.channels.len(), settings.channels[0].kind.as_str()), (1, "journal"));
    assert_eq!(settings.default_channels, [channel("journal")]);
    let service = place.load().unwrap().service;
    assert_eq!(service.state_dir, Path::new("/var/lib/simbell"));
    assert_eq!(service.socket, Path::new("/run/simbell/control.sock"));
    assert_eq!(service.rules.dir, place.dir.path().join("rules.d"));
    assert_eq!(service.bus, None);
    fs::remove_file(place.dir.path().join("simbell.toml")).unwrap();
    assert_eq!(place.load().unwrap().files, Vec::<PathBuf>::new());
}

#[test]
fn many_problems_in_one_file_are_all_told() {
    let text = "\
langage = \"en\"
timezone = \"Europe/Berlim\"

[sims.home]
iccid = 8949020000123456789

[sims.home.plan]
dta = \"6 GB\"
data = \"10 Gb\"
every = \"moth\"
day = 32
counts = \"donwload\"
roaming = true

[counting]
sample_every = \"5m\"
max_unsaved_bytes = \"-1 MB\"

[reminders]
channels = [\"mial\", \"mail\"]
quiet = { from = \"22:00\", until = \"7:00\" }

[channels.mail]
kind = \"emial\"
";
    let expected = "\
simbell.toml:1:1: langage: unknown key; did you mean `language`?
  1 | langage …
    | ^^^^^^^
simbell.toml:2:12: timezone: \"Europe/Berlim\" is no time zone that this system knows (/usr/share/zoneinfo/Europe/Berlim cannot be read: No such file or directory (os error 2)); check the spelling, such as Europe/Berlin, or install the package tzdata
  2 | timezone = \"Europe/Berlim\"
    |            ^^^^^^^^^^^^^^^
simbell.toml:5:9: sims.home.iccid: is a whole number, expected a text: put the digits in quotes
  5 | iccid = …
    |         ^
simbell.toml:8:1: sims.home.plan.dta: unknown key; did you mean `data`?
  8 | dta …
    | ^^^
simbell.toml:9:8: sims.home.plan.data: \"10 Gb\" has the unit \"Gb\", which can mean two things; a small b is a bit: write B for bytes, such as 500 MB
  9 | data = \"10 Gb\"
    |        ^^^^^^^
simbell.toml:10:9: sims.home.plan.every: is not a cycle; write \"month\", or a number of days such as \"30 days\" (3660 at most)
  10 | every = \"moth\"
     |         ^^^^^^
simbell.toml:12:10: sims.home.plan.counts: \"donwload\" is not known here; did you mean \"download\"?
  12 | counts = \"donwload\"
     |          ^^^^^^^^^^
simbell.toml:13:11: sims.home.plan.roaming: is true or false, expected one of counts, free
  13 | roaming = true
     |           ^^^^
simbell.toml:16:16: counting.sample_every: \"5m\" has the unit m, which can mean minutes or months; write min
  16 | sample_every = \"5m\"
     |                ^^^^
simbell.toml:17:21: counting.max_unsaved_bytes: \"-1 MB\" is negative; an amount of data is 0 or more
  17 | max_unsaved_bytes = \"-1 MB\"
     |                     ^^^^^^^
simbell.toml:20:13: reminders.channels[0]: there is no channel \"mial\"; did you mean \"mail\"?
  20 | channels = [\"mial\", \"mail\"]
     |             ^^^^^^
simbell.toml:21:35: reminders.quiet.until: \"7:00\" is not a time of day; write hours and minutes of a 24-hour clock, such as 07:00 or 22:30
  21 | quiet = { from = \"22:00\", until = \"7:00\" }
     |                                   ^^^^^^
simbell.toml:24:8: channels.mail.kind: \"emial\" is not known here; did you mean \"email\"?
  24 | kind = \"emial\"
     |        ^^^^^^^
13 problems in the configuration";
    assert_eq!(problems(text), expected);
}

#[test]
fn syntax_errors_do_not_hide_the_rest_nor_other_files() {
    let place = Place::with("language = en\ntimezone = \"UTC\"\n[counting\nsample_evry = \"20s\"\n");
    place.put("conf.d/10.toml", "[control]\nadmin_group = [\"adm\"]\nx = = 1\n");
    place.put("conf.d/20.toml", "languag = \"zh\"\n");
    let problems = place.load().unwrap_err();
    let found: Vec<_> = problems
        .list()
        .iter()
        .map(|p| {
            (p.file().file_name().unwrap().to_str().unwrap(), p.position().unwrap().0, p.kind().as_str())
        })
        .collect();
    for wanted in [
        ("simbell.toml", 1, "syntax"),
        ("simbell.toml", 3, "syntax"),
        ("simbell.toml", 4, "unknown-key"),
        ("10.toml", 2, "unknown-key"),
        ("10.toml", 3, "syntax"),
        ("20.toml", 1, "unknown-key"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:#?}\n{problems}");
    }
}

#[test]
fn drop_ins_win_by_name_and_merge_key_by_key() {
    let place = Place::with(
        "language = \"zh\"\n[counting]\nsample_every = \"5s\"\nmax_unsaved_time = \"1min\"\n[rules]\ndisabled = [\"a\", \"b\"]\n",
    );
    place.put("conf.d/90.toml", "[counting]\nsample_every = \"9s\"\n[rules]\ndisabled = [\"c\"]\n");
    place.put("conf.d/10.toml", "[counting]\nsample_every = \"7s\"\n");
    place.put("conf.d/.hidden.toml", "x = 1");
    place.put("conf.d/README", "not TOML");
    let loaded = place.load().unwrap();
    assert_eq!(loaded.settings.sample_every, Span::secs(9));
    assert_eq!(loaded.settings.max_unsaved_time, Span::secs(60));
    assert_eq!(loaded.settings.language, "zh");
    assert_eq!(loaded.service.rules.disabled, [RuleName::new("c").unwrap()]);
    let names: Vec<_> = loaded.files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["simbell.toml", "10.toml", "90.toml"]);
}

#[test]
fn a_problem_is_told_where_the_winning_value_stands() {
    let place = Place::with("[counting]\nsample_every = \"5s\"\n");
    place.put("conf.d/10.toml", "# local\n[counting]\nsample_every = \"5\"\n");
    let shown = place.shown();
    assert!(shown.starts_with("conf.d/10.toml:3:16: counting.sample_every: \"5\" has no unit"), "{shown}");
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let sim = "[sims.a]\niccid = \"8949020000123456789\"\n[sims.a.plan]\n";
    for (plan, expected) in [
        ("data = \"1 GB\"", "3:9 sims.a.plan: the key `every` is missing; add every = \"month\""),
        ("every = \"month\"\nuntil = \"used\"", "5:1 sims.a.plan.until: cannot stand beside `every`"),
        ("every = \"month\"\nstart = 2026-01-01", "5:1 sims.a.plan.start: has no meaning for a month"),
        ("every = \"30 days\"", "3:9 sims.a.plan: the key `start` is missing"),
        ("every = \"30 days\"\nday = 1\nstart = 2026-01-01", "5:1 sims.a.plan.day: has no meaning"),
        ("every = \"0 days\"\nstart = 2026-01-01", "4:9 sims.a.plan.every: is not a cycle"),
        ("every = \"9999 weeks\"\nstart = 2026-01-01", "4:9 sims.a.plan.every: is not a cycle"),
        ("every = \"7 days\"\nstart = \"2026-01-01\"", "5:9 sims.a.plan.start: is a text, expected a date"),
        ("every = \"7 days\"\nstart = 2026-01-01T00:00:00Z", "5:9 sims.a.plan.start: is a date or time"),
        ("until = \"usd\"\nstart = 2026-01-01", "4:9 sims.a.plan.until: \"usd\" is not known here"),
        ("until = \"used\"\nstart = 2026-01-01\nrenews = true", "6:1 sims.a.plan.renews: has no meaning"),
        ("every = \"month\"\nday = \"lst\"", "5:7 sims.a.plan.day: \"lst\" is not a day of the month"),
        ("every = \"month\"\nday = 0", "5:7 sims.a.plan.day: is out of range"),
        ("every = \"month\"\ndata = 6.5", "5:8 sims.a.plan.data: is a number with a fraction"),
    ] {
        let found = lines(&format!("{sim}{plan}\n"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{plan}: {found:#?}");
    }
}

#[test]
fn two_sims_cannot_have_one_iccid() {
    let text = "[sims.a]\niccid = \"8949020000123456789F\"\n[sims.b]\niccid = \"8949020000123456789\"\n";
    let found = lines(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("4:9 sims.b.iccid: is the ICCID of another SIM too ("), "{found:#?}");
    assert!(found[0].contains("simbell.toml:2)"), "{found:#?}");
}

#[test]
fn channels_are_checked_key_by_key() {
    for (body, expected) in [
        ("to = [\"me@example.org\"]", "1:11 channels.c: the key `kind` is missing"),
        ("kind = \"email\"\nhost = \"h\"\nfrom = \"a@b.c\"", "1:11 channels.c: the key `to` is missing"),
        ("kind = \"email\"\nhost = \"h\"\nfrom = \"a@b.c\"\nto = []", "5:6 channels.c.to: is an empty list"),
        ("kind = \"email\"\nhost = \"h\"\nfrom = \"nobody\"\nto = [\"a@b.c\"]", "4:1 channels.c.from: "),
        (
            "kind = \"email\"\nhost = \"192.0.2.1\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\ntls = \"none\"",
            "6:7 channels.c.tls: sends mail and password in the clear",
        ),
        (
            "kind = \"email\"\nhost = \"h\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nuser = \"u\"",
            "1:11 channels.c: the key `password` is missing",
        ),
        ("kind = \"sms\"\nto = [\"0151 123\"]", "3:7 channels.c.to[0]: is not an international number"),
        (
            "kind = \"sms\"\nto = \"+4915112345678\"\nvia = \"hme\"",
            "4:7 channels.c.via: there is no SIM \"hme\"",
        ),
        (
            "kind = \"sms\"\nto = \"+4915112345678\"\ndaily_cap = 0",
            "4:13 channels.c.daily_cap: is out of range",
        ),
        ("kind = \"desktop\"\nhost = \"h\"", "3:1 channels.c.host: unknown key; known here: daily_cap,"),
        ("kind = \"ntfy\"\ntopic = \"a b\"", "3:1 channels.c.topic: must be 1 to 64 letters"),
        ("kind = \"webhook\"\nurl = \"http://example.org/x\"", "3:1 channels.c.url: is plain http"),
        ("kind = \"webhook\"\nurl = \"ftp://example.org/x\"", "3:1 channels.c.url: must begin with https://"),
        (
            "kind = \"webhook\"\nurl = \"https://e.org\"\nmethod = \"post\"",
            "4:10 channels.c.method: \"post\"",
        ),
        ("kind = \"webhook\"\nurl = \"https://e.org\"\ntemplate = \"{txt}\"", "4:1 channels.c.template: "),
        (
            "kind = \"webhook\"\nurl = \"https://e.org\"\ndeadline = \"1s\"",
            "4:12 channels.c.deadline: is out of",
        ),
    ] {
        let found = lines(&format!("[channels.c]\n{body}\n"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{body}: {found:#?}");
    }
    for body in [
        "kind = \"webhook\"\nurl = \"http://127.0.0.1:8080/x\"",
        "kind = \"webhook\"\nurl = \"http://192.168.1.2/x\"",
        "kind = \"webhook\"\nurl = \"http://[fd00::1]/x\"",
        "kind = \"webhook\"\nurl = \"http://example.org/x\"\nallow_plaintext = true",
        "kind = \"email\"\nhost = \"localhost\"\ntls = \"none\"\nfrom = \"a@b.c\"\nto = \"a@b.c\"",
        "kind = \"terminal\"",
    ] {
        let loaded = Place::with(&format!("[channels.c]\n{body}\n")).load();
        assert!(loaded.is_ok(), "{body}: {}", loaded.unwrap_err());
    }
}

#[test]
fn names_paths_and_rules_are_checked() {
    for (text, expected) in [
        ("sims = 1", "1:8 sims: is a whole number, expected sections [sims.NAME]"),
        ("language = \"english!\"", "1:12 language: is not a language"),
        (
            "[control]\nadmin_groups = [\"a b\"]",
            "2:17 control.admin_groups[0]: \"a b\" is not the name of a group",
        ),
        ("[service]\nbus = \"sytem\"", "2:7 service.bus: is not a D-Bus address"),
        (
            "[service]\nlog = \"verbose\"",
            "2:7 service.log: \"verbose\" is not known here; write one of error",
        ),
        ("[service]\nsocket = \"\"", "2:10 service.socket: is empty, expected a path"),
        ("[counting]\nppp_interface = \"a/b\"", "2:17 counting.ppp_interface: is not the name"),
        (
            "[plugins.x]\nsettings = { share = 0.8 }",
            "2:22 plugins.x.settings.share: is a number with a fraction",
        ),
        ("[plugins.x]\nenabled = \"yes\"", "2:11 plugins.x.enabled: is a text, expected true or false"),
        ("[rules.limits]\ntime = \"1h\"", "2:8 rules.limits.time: is out of range, expected 1s to 1min"),
        ("[reminders]\nquiet = { from = \"22:00\" }", "2:1 reminders.quiet: the key `until` is missing"),
        (
            "[reminders]\nquiet = { from = \"22:00\", until = \"22:00\" }",
            "2:35 reminders.quiet.until: is the same as `from`",
        ),
        ("[sims.\"a\\u0007b\"]\niccid = \"8949020000123456789\"", "1:7 sims.\"a\\u{7}b\": "),
    ] {
        let found = lines(&format!("{text}\n"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:#?}");
    }
}

#[test]
fn no_secret_is_shown_whatever_is_wrong_with_it() {
    let ntfy = "[channels.c]\nkind = \"ntfy\"\ntopic = \"t\"\n";
    for (text, kind) in [
        (format!("{ntfy}token = \"{CANARY}\""), ProblemKind::Secret),
        (format!("{ntfy}tokn = \"{CANARY}\""), ProblemKind::UnknownKey),
        (format!("{ntfy}token = \"{CANARY}"), ProblemKind::Syntax),
        (format!("{ntfy}token = {CANARY}"), ProblemKind::Syntax),
        (format!("{ntfy}token = \"\"\"\n{CANARY}"), ProblemKind::Syntax),
        (format!("{ntfy}token = [\"{CANARY}\"]"), ProblemKind::WrongType),
        (format!("{ntfy}token = {{ inline = \"{CANARY}\" }}"), ProblemKind::UnknownKey),
        (format!("[channels.c]\nkind = \"ntfy\"\ntopic = \"{CANARY}!\""), ProblemKind::InvalidValue),
        (
            format!("[channels.c]\nkind = \"webhook\"\nurl = \"http://e.org/{CANARY}\""),
            ProblemKind::InvalidValue,
        ),
        (
            format!(
                "[channels.c]\nkind = \"webhook\"\nurl = \"https://e.org\"\nheaders = {{ Authorization = \"{CANARY}\" }}"
            ),
            ProblemKind::Secret,
        ),
    ] {
        let problems = Place::with(&text).load().unwrap_err();
        assert!(problems.list().iter().any(|p| p.kind() == kind), "{text}: {problems}");
        assert!(
            !problems.to_string().contains(CANARY) && !format!("{problems:?}").contains(CANARY),
            "{problems}"
        );
    }
    let place = Place::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/conf.d/example.toml");
    let loaded = load(Path::new(example), &place.env).unwrap();
    assert!(!format!("{loaded:?}").contains(CANARY));
    assert!(!serde_json::to_string(&loaded.settings.channels).unwrap().contains(CANARY));
}

#[test]
fn no_iccid_or_number_is_shown() {
    let sims = "[sims.a]\niccid = \"8949020000123456789\"\n[sims.b]\niccid = \"8949020000123456789\"\n";
    for text in [
        sims,
        "[sims.a]\niccid = 8949020000123456789\n",
        "[sims.a]\niccid = 8949020000123456789x\n",
        "[channels.c]\nkind = \"sms\"\nto = [\"0151 23456789\", +8949020000123456789]\n",
        "[channels.c]\nkind = \"sms\"\nto = \"0151 23456789\"\n",
    ] {
        let shown = problems(text);
        assert!(!shown.contains("8949020000123456789") && !shown.contains("23456789"), "{shown}");
    }
}

#[test]
fn secrets_come_from_credentials_and_guarded_files_only() {
    let refer = |secret: &str| format!("[channels.c]\nkind = \"ntfy\"\ntopic = \"t\"\ntoken = {secret}\n");
    let place = Place::with(&refer("{ credential = \"nothing\" }"));
    assert!(place.shown().contains("LoadCredential=nothing:"), "{}", place.shown());
    place.put("simbell.toml", &refer("{ credential = \"../conf.d\" }"));
    assert!(place.shown().contains("is not the name of a credential"), "{}", place.shown());
    let mut without = Place::with(&refer("{ credential = \"ntfy-token\" }"));
    without.env.credentials_dir = None;
    assert!(without.shown().contains("$CREDENTIALS_DIRECTORY is not set"), "{}", without.shown());

    let file = place.put("token", &format!("{CANARY}\n"));
    place.put("simbell.toml", &refer("{ file = \"token\" }"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let shown = place.shown();
    assert!(shown.contains("may be read by others (mode 0640)") && shown.contains("chmod 600"), "{shown}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let loaded = place.load().unwrap();
    let ChannelConfig::Ntfy(ntfy) = &loaded.service.channels[&channel("c")] else { panic!("no ntfy") };
    assert!(matches!(&ntfy.auth, NtfyAuth::Token(token) if token.expose_secret() == CANARY));

    for (content, message) in [("", "is empty"), ("a\nb\n", "several lines"), ("\u{fffd}\0", "several lines")]
    {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, content).unwrap();
        assert!(place.shown().contains(message), "{}", place.shown());
    }
    place.put("simbell.toml", &refer("{ file = \"conf.d\" }"));
    assert!(place.shown().contains("is not a regular file"), "{}", place.shown());
    place.put("simbell.toml", &refer("{ file = \"token\", credential = \"x\" }"));
    assert!(place.shown().contains("names no source, or two"), "{}", place.shown());
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let place = Place::new();
    let problems = load(&place.dir.path().join("none.toml"), &place.env).unwrap_err();
    assert!(problems.kind() == "unreadable" && problems.to_string().contains("--config"), "{problems}");
    fs::create_dir(place.dir.path().join("simbell.toml")).unwrap();
    fs::write(place.dir.path().join("conf.d/10.toml"), [0x66, 0xff, 0xfe]).unwrap();
    fs::write(place.dir.path().join("conf.d/20.toml"), vec![b'#'; 2_000_000]).unwrap();
    let problems = place.load().unwrap_err();
    let messages: Vec<String> = problems.list().iter().map(Problem::message).collect();
    assert!(messages[0].contains("not a regular file"), "{messages:?}");
    assert!(messages[1].contains("not UTF-8"), "{messages:?}");
    assert!(messages[2].contains("larger than 1 MiB"), "{messages:?}");
}

#[test]
fn any_text_is_read_or_refused() {
    let place = Place::new();
    let example = include_str!("../../../contrib/conf.d/example.toml");
    // Each prefix and each file with one line left out: never a panic, and never a problem without a place.
    for end in (0..example.len()).step_by(101).filter(|end| example.is_char_boundary(*end)) {
        let _ = parsed(&example[..end], &place);
    }
    for skipped in (0..example.lines().count()).step_by(2) {
        let text: Vec<&str> =
            example.lines().enumerate().filter(|(i, _)| *i != skipped).map(|(_, l)| l).collect();
        if let Err(problems) = parsed(&text.join("\n"), &place) {
            assert!(problems.list().iter().all(|p| p.position().is_some()), "{problems}");
            assert!(!problems.to_string().contains(CANARY), "{problems}");
        }
    }
}

fn parsed(text: &str, place: &Place) -> Result<Loaded, Problems> {
    let path = PathBuf::from("simbell.toml");
    let (table, problems) = fragments::parse(&path, text, 0);
    read(&[Fragment { path, text: text.to_owned(), table }], problems, Path::new(""), &place.env)
}

#[test]
fn a_plan_block_is_ready_to_paste() {
    let place = Place::new();
    let fields = PlanFields {
        iccid: "89490200001234567890".to_owned(),
        sim: "家里 \"1\"".to_owned(),
        data: Some("6 GB".to_owned()),
        every: Some("month".to_owned()),
        day: Some("last".to_owned()),
        ..PlanFields::default()
    };
    let block = plan_block(&fields, &place.env).unwrap();
    assert_eq!(
        block,
        "[sims.\"家里 \\\"1\\\"\"]\niccid = \"89490200001234567890\"\n\n[sims.\"家里 \\\"1\\\"\".plan]\ndata = \"6 GB\"\nevery = \"month\"\nday = \"last\"\n"
    );
    place.put("conf.d/10-plan.toml", &block);
    let plan = place.load().unwrap().settings.sims[&iccid(&fields.iccid)].plan.clone().unwrap();
    assert_eq!((plan.data, plan.period), (Some(Bytes(6_000_000_000)), Period::Monthly(AnchorDay::Last)));

    let bundle = PlanFields {
        sim: "travel".to_owned(),
        every: Some("30 days".to_owned()),
        day: None,
        start: Some("2026-11-01".to_owned()),
        renews: Some(false),
        roaming: Some("free".to_owned()),
        ..fields.clone()
    };
    assert!(
        plan_block(&bundle, &place.env)
            .unwrap()
            .contains("start = 2026-11-01\nrenews = false\nroaming = \"free\"\n")
    );
    let bucket = PlanFields { every: None, renews: None, ..bundle.clone() };
    assert!(plan_block(&bucket, &place.env).unwrap().contains("until = \"used\"\n"));

    let bad = PlanFields {
        iccid: "12\"\n[control]\nadmin_groups = [\"games\"]".to_owned(),
        data: Some("6G".to_owned()),
        day: Some("01".to_owned()),
        start: Some("2026-13-99".to_owned()),
        ..fields
    };
    let problems = plan_block(&bad, &place.env).unwrap_err();
    let keys: Vec<&str> = problems.list().iter().map(Problem::key).filter(|key| !key.is_empty()).collect();
    assert!(
        keys.iter().any(|key| key.ends_with(".iccid")) && keys.iter().any(|key| key.ends_with(".data")),
        "{problems}"
    );
    assert!(!keys.iter().any(|key| key.starts_with("control")), "{problems}");
}
