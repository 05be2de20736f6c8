//! Files that are not TOML, or cannot be read.

use super::*;

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
fn a_problem_is_told_where_the_winning_value_stands() {
    let place = Place::with("[counting]\nsample_every = \"5s\"\n");
    place.put("conf.d/10.toml", "# local\n[counting]\nsample_every = \"5\"\n");
    let shown = place.shown();
    assert!(shown.starts_with("conf.d/10.toml:3:16: counting.sample_every: \"5\" has no unit"), "{shown}");
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let place = Place::new();
    let problems = load(&place.dir.path().join("none.toml"), &place.env).unwrap_err();
    assert!(
        problems.kind() == "unreadable" && problems.to_string().contains("create it, or name another"),
        "{problems}"
    );
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
    let example = include_str!("../../../../contrib/conf.d/example.toml");
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
    let (fragment, problems) = fragments::parse(PathBuf::from("simbell.toml"), text.to_owned(), 0);
    read(&[fragment], problems, Path::new("simbell.toml"), &place.env)
}

#[test]
fn a_list_that_is_not_closed_is_one_problem() {
    let text = "\
[channels.mail]
kind = \"email\"
to = [\"me@example.org\"
from = \"x@example.org\"

[channels.phone]
kind = 7
";
    assert_eq!(lines(text), ["4:1 : not TOML: a list before this line is not closed; add `]` where it ends"]);
}

#[test]
fn each_line_has_one_syntax_error_and_no_echo() {
    let text = "\
language = en
timezone = \"UTC\"
timezone = \"UTC\"
[sims.home
iccid = \"894902\"
[counting]
sample_every = 5 min
smple = 1
";
    assert_eq!(
        lines(text),
        [
            "1:12 : not TOML: string values must be quoted, expected literal string",
            "3:1 : not TOML: duplicate key",
            "4:11 : not TOML: unclosed table, expected `]`",
            // The parser leaves out the section of a broken header.
            "7:16 : not TOML: string values must be quoted, expected literal string",
            "8:1 counting.smple: unknown key; known here: line_rate, max_unsaved_bytes, max_unsaved_time, ppp_interface, quota, sample_every",
        ]
    );
}

#[test]
fn a_system_zone_that_is_not_there_is_said_without_a_file() {
    let place = Place::new();
    fs::write(&place.env.timezone, "Mars/Olympus\n").unwrap();
    let problems = place.load().unwrap_err();
    assert_eq!(problems.list().len(), 1);
    let message = problems.list()[0].message();
    assert!(message.contains("timezone: the system's time zone Mars/Olympus"), "{message}");
    assert!(message.contains("tzdata"), "{message}");
}
