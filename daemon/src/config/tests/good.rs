//! Good files and what is read from them.

use super::*;

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
    let uncounted = &settings.sims[&iccid("89490200001234567890")].uncounted_apns;
    assert_eq!(uncounted.iter().map(|apn| apn.as_str()).collect::<Vec<_>>(), ["ims", "mms"]);
    let travel = &settings.sims[&iccid("89330000009876543210")];
    assert_eq!(travel.zone.name, "Europe/Paris");
    let bundle = Period::Days { days: 30, start: date("2026-11-01"), renews: false };
    assert_eq!(travel.plan.as_ref().unwrap().period, bundle);
    let backup = settings.sims[&iccid("89860000001111222233")].plan.as_ref().unwrap();
    assert_eq!((backup.name.as_str(), backup.roaming_counts), ("backup", false));
    assert_eq!(backup.period, Period::Bucket { start: date("2026-06-15") });
    assert_eq!(settings.default_channels, [channel("mail"), channel("phone")]);
    assert_eq!((settings.sample_every, settings.max_unsaved_bytes), (Span::secs(60), Some(10_000_000)));
    assert_eq!(settings.line_rate, 125_000_000);
    let sms = settings.channels.iter().find(|c| c.kind == "sms").unwrap();
    assert_eq!((sms.daily_cap, sms.while_roaming), (Some(5), false));

    let service = &loaded.service;
    assert_eq!(service.admin_groups, ["simbell-admin"]);
    // Every key stands there with its default, and no other.
    assert_eq!(service.rules.limits, simbell_rules::Limits::default());
    assert_eq!(
        service.plugins[&RuleName::new("data-thresholds").unwrap()].settings["steps"],
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
fn every_limit_of_rules_has_a_key() {
    let example = include_str!("../../../../contrib/conf.d/example.toml");
    let section = example.split("[rules.limits]").nth(1).unwrap().split("\n[").next().unwrap();
    let keys: Vec<&str> =
        section.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    let own = |key: &str| match key {
        "time" => "\"700ms\"",
        "memory" => "\"2 MB\"",
        "stack" => "\"70 kB\"",
        "text" | "file" | "remembered_bytes" => "\"777 B\"",
        _ => "7",
    };
    let text: String = keys.iter().map(|key| format!("{key} = {}\n", own(key))).collect();
    let limits = Place::with(&format!("[rules.limits]\n{text}")).load().unwrap().service.rules.limits;
    let seven = simbell_rules::Limits {
        operations: 7,
        deadline: std::time::Duration::from_millis(700),
        memory: 2_000_000,
        stack: 70_000,
        call_levels: 7,
        expression_depth: 7,
        string_bytes: 777,
        array_elements: 7,
        map_entries: 7,
        variables: 7,
        functions: 7,
        source_bytes: 777,
        findings: 7,
        text_chars: 7,
        memory_keys: 7,
        memory_bytes: 777,
        actions: 7,
        schedules: 7,
        constant_elements: 7,
        modules: 7,
        module_depth: 7,
    };
    assert_eq!(limits, seven);
}

#[test]
fn the_example_shows_every_default() {
    let place = Place::with("");
    let settings = place.load().unwrap().settings;
    assert_eq!(settings.zone.name, "UTC");
    assert_eq!((settings.max_unsaved_bytes, settings.max_unsaved_time), (None, Span::secs(300)));
    assert_eq!((settings.sample_every, settings.line_rate), (Span::secs(60), 125_000_000));
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
