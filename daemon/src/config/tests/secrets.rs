//! Secrets: where they come from, and that none is shown.

use super::*;

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
fn a_check_by_others_assumes_what_only_the_service_may_read() {
    let mut place = Place::new();
    place.env.credentials_dir = None;
    let env = place.env.clone().assuming_secrets();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/conf.d/example.toml");
    let loaded = load(Path::new(example), &env).unwrap_or_else(|problems| panic!("{problems}"));
    let notes = loaded.service.unchecked_secrets;
    assert_eq!(notes.len(), 5, "{notes:#?}");
    assert!(notes[0].starts_with("channels.chat.url.credential: not checked: no credentials"), "{notes:#?}");
    // A name that is wrong for everybody is still a problem.
    let text = "[channels.c]\nkind = \"ntfy\"\ntopic = { credential = \"a/b\" }\n";
    place.put("simbell.toml", text);
    assert_eq!(load(place.dir.path(), &env).unwrap_err().kind(), "secret");
}
