//! Values that are wrong.

use super::*;

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
line_rate = \"1 GB/s\"
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
simbell.toml:11:7: sims.home.plan.day: is out of range, expected a whole number from 1 to 31
  11 | day = 32
     |       ^^
simbell.toml:12:10: sims.home.plan.counts: \"donwload\" is not known here; did you mean \"download\"?
  12 | counts = \"donwload\"
     |          ^^^^^^^^^^
simbell.toml:13:11: sims.home.plan.roaming: is true or false, expected one of counts, free
  13 | roaming = true
     |           ^^^^
simbell.toml:16:16: counting.sample_every: \"5m\" has the unit m, which can mean minutes or months; write min
  16 | sample_every = \"5m\"
     |                ^^^^
simbell.toml:17:13: counting.line_rate: \"1 GB/s\" has no unit that is a rate; write kbit/s, Mbit/s or Gbit/s after the number
  17 | line_rate = \"1 GB/s\"
     |             ^^^^^^^^
simbell.toml:18:21: counting.max_unsaved_bytes: \"-1 MB\" is negative; an amount of data is 0 or more
  18 | max_unsaved_bytes = \"-1 MB\"
     |                     ^^^^^^^
simbell.toml:21:13: reminders.channels[0]: there is no channel \"mial\"; did you mean \"mail\"?
  21 | channels = [\"mial\", \"mail\"]
     |             ^^^^^^
simbell.toml:22:35: reminders.quiet.until: \"7:00\" is not a time of day; write hours and minutes of a 24-hour clock, such as 07:00 or 22:30
  22 | quiet = { from = \"22:00\", until = \"7:00\" }
     |                                   ^^^^^^
simbell.toml:25:8: channels.mail.kind: \"emial\" is no kind of channel and no channel plugin; did you mean \"email\"?
  25 | kind = \"emial\"
     |        ^^^^^^^
15 problems in the configuration";
    assert_eq!(problems(text), expected);
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
        ("every = \"month\"\nper = \"day\"", "5:1 sims.a.plan.per: has no meaning without `increment`"),
        ("every = \"month\"\nincrement = \"1 MB\"", "3:9 sims.a.plan: the key `per` is missing"),
        ("every = \"month\"\nincrement = \"0 B\"\nper = \"day\"", "5:13 sims.a.plan.increment:"),
        (
            "every = \"month\"\nfree_hours = [{ from = \"06:00\", until = \"06:00\" }]",
            "5:41 sims.a.plan.free_hours[0].until: is \"06:00\" as is `from`",
        ),
        (
            "every = \"month\"\nfree_hours = [{ from = \"0:00\", until = \"06:00\" }]",
            "5:24 sims.a.plan.free_hours[0].from: \"0:00\" is not a time of day",
        ),
        ("every = \"month\"\ndata = \"0 GB\"", "5:8 sims.a.plan.data: is 0 B, of which no share can be used"),
        ("every = \"month\"\ncalibrate = \"yes\"", "5:13 sims.a.plan.calibrate: is a text"),
        ("every = \"month\"\ndata = 6.5", "5:8 sims.a.plan.data: is a number with a fraction"),
    ] {
        let found = lines(&format!("{sim}{plan}\n"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{plan}: {found:#?}");
    }
}

#[test]
fn a_source_is_one_of_three() {
    let sim = "[sims.a]\niccid = \"8949020000123456789\"\n";
    let found = lines(&format!("{sim}source = \"kernal\"\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let expected = "3:10 sims.a.source: \"kernal\" is not known here; did you mean \"kernel\"?";
    assert!(found[0].starts_with(expected), "{found:#?}");
    let found = lines(&format!("{sim}source = 1\n"));
    assert!(
        found[0].starts_with("3:10 sims.a.source: is a whole number, expected one of auto"),
        "{found:#?}"
    );
}

#[test]
fn uncounted_apns_are_apns() {
    let sim = "[sims.a]\niccid = \"8949020000123456789\"\n";
    for (value, expected) in [
        (
            "[\"ims\", \"a b\"]",
            "3:26 sims.a.uncounted_apns[1]: \"a b\" is no APN: it may only hold letters, digits, hyphens and dots",
        ),
        ("[\"\"]", "3:19 sims.a.uncounted_apns[0]: is empty, expected an APN such as \"ims\""),
        ("[7]", "3:19 sims.a.uncounted_apns[0]: is a whole number, expected an APN such as \"ims\""),
        ("true", "3:18 sims.a.uncounted_apns: is true or false, expected a list such as [\"ims\", \"mms\"]"),
    ] {
        let found = lines(&format!("{sim}uncounted_apns = {value}\n"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{value}: {found:#?}");
    }
}

#[test]
fn two_sims_cannot_have_one_iccid() {
    let text = "[sims.a]\niccid = \"8949020000123456789F\"\n[sims.b]\niccid = \"8949020000123456789\"\n";
    let found = lines(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("4:9 sims.b.iccid: is the ICCID of the SIM \"a\" too ("), "{found:#?}");
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
        ("[rules.limits]\ntime = \"1h\"", "2:8 rules.limits.time: is out of range, expected 10ms to 1min"),
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
