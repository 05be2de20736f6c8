//! Plugins: copied, enabled, asked for more after an upgrade, approved, switched off; by the real programs.

use std::fs;

use simbell_api::{Client, Plugin};

use crate::bell::{Bell, Home, until};
use crate::receivers::Receiver;
use crate::stage::Stage;

const MANIFEST: &str = "api = 1\nname = \"helper\"\nkind = \"rule\"\ndescription = \"Calls for help.\"\n";
const MAIN: &str =
    "fn on_sms(sim, sms) { remind(\"k\", `${settings.word}: ${sms.text}`); send_ussd(\"u\", \"*100#\"); }\n";
const SETTING: &str =
    "[settings.word]\ntype = \"text\"\ndefault = \"heard\"\ndescription = \"How it begins.\"\n";

fn copy(home: &Home, permissions: &str) {
    let dir = home.path("etc/plugins/helper");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("main.rhai"), MAIN).unwrap();
    fs::write(dir.join("plugin.toml"), format!("{MANIFEST}permissions = [{permissions}]\n{SETTING}"))
        .unwrap();
}

/// The owner's folder of plugins is looked into.
fn home(config: &str) -> Home {
    let home = Home::new("");
    fs::write(
        home.path("etc/conf.d/90-plugins.toml"),
        format!("[rules]\nplugin_dirs = [\"../plugins\"]\n{config}"),
    )
    .unwrap();
    home
}

fn ctl(home: &Home, arguments: &[&str]) -> (i32, String, String) {
    let output = std::process::Command::new(crate::bell::beside("simbellctl"))
        .arg("--socket")
        .arg(home.socket())
        .args(arguments)
        .env("COLUMNS", "300")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn plugin(client: &mut Client, name: &str) -> Option<Plugin> {
    client.plugins().await.unwrap().into_iter().find(|plugin| plugin.name == name)
}

async fn plugin_is(bell: &Bell<'_>, what: &str, wanted: impl Fn(&Plugin) -> bool) -> Plugin {
    until(&format!("the plugin {what}"), async || {
        plugin(&mut bell.client().await, "helper").await.filter(|plugin| wanted(plugin))
    })
    .await
}

#[tokio::test]
async fn what_is_copied_waits_to_be_enabled_and_what_is_decided_outlives_a_restart() {
    let stage = Stage::new().await;
    let home = home("");
    copy(&home, "\"send-ussd\"");
    let bell = stage.bell(&home).await;
    let found = plugin_is(&bell, "is there", |_| true).await;
    assert!(!found.enabled && found.decided_by == "nobody" && bell.rules().await.is_empty(), "{found:?}");
    let (code, said, _) = ctl(&home, &["plugins"]);
    assert_eq!(code, 0);
    assert!(
        said.contains("helper") && said.contains("new") && said.contains("plugins enable helper"),
        "{said}"
    );

    // Nobody is there to be asked, so that it has to be said; then it runs.
    let (code, _, said) = ctl(&home, &["plugins", "enable", "helper"]);
    assert_eq!(code, 2);
    assert!(said.contains("send-ussd") && said.contains("--yes"), "{said}");
    let (code, said, _) = ctl(&home, &["plugins", "enable", "helper", "--yes"]);
    assert_eq!(code, 0, "{said}");
    // Both have to allow it, and the answer says what is missing.
    assert!(said.starts_with("helper is on.\n") && said.contains("[plugins.helper]"), "{said}");
    assert_eq!(bell.rules().await[0].may, [""; 0]);
    stage.says("one");
    bell.reminder_is("helper/k/", |reminder| reminder.text == "heard: one").await;
    let kept = home.sql("SELECT plugin, author, choice, approved FROM plugin_decision");
    assert!(kept.trim().starts_with("helper|uid ") && kept.contains("|enable|[\"send-ussd\"]"), "{kept}");
    bell.kill();
    let bell = stage.bell(&home).await;
    assert_eq!(bell.rules().await.len(), 1);

    // It asks for more after an upgrade: that waits, is told with the way out, and is approved.
    copy(&home, "\"send-ussd\", \"send-sms\"");
    let warned = bell.warns("permission-waits").await;
    assert!(warned.contains("send-sms") && warned.contains("simbellctl plugins approve helper"), "{warned}");
    assert!(!warned.contains("send-ussd"), "{warned}");
    let error = bell.client().await.approve_plugin("helper", &["send-ussd".to_owned()]).await.unwrap_err();
    assert!(
        error.to_string().contains("send-ussd, send-sms")
            || error.to_string().contains("send-sms, send-ussd"),
        "{error}"
    );
    let (code, _, _) = ctl(&home, &["plugins", "approve", "helper", "--yes"]);
    assert_eq!(code, 0);
    bell.is_well("permission-waits").await;

    let (code, said, _) = ctl(&home, &["plugins", "disable", "helper"]);
    assert_eq!((code, said.as_str()), (0, "helper is off.\n"));
    assert!(bell.rules().await.is_empty());
    bell.kill();
    let bell = stage.bell(&home).await;
    assert!(bell.rules().await.is_empty());
    assert_eq!(plugin_is(&bell, "is off", |plugin| !plugin.enabled).await.decided_by, "person");
    let (code, _, said) = ctl(&home, &["plugins", "enable", "nobody"]);
    assert_eq!(code, 1);
    assert!(said.contains("no plugin is called") && said.contains("helper"), "{said}");
    bell.stop().await;
}

#[tokio::test]
async fn the_configuration_outranks_and_what_it_names_counts_as_approved_as_it_was_then() {
    let stage = Stage::new().await;
    let home =
        home("[plugins.helper]\nallow = [\"send-ussd\", \"send-sms\"]\nsettings = { word = \"told\" }\n");
    copy(&home, "\"send-ussd\"");
    let bell = stage.bell(&home).await;
    assert_eq!(bell.rules().await[0].may, ["send-ussd"]);
    let (code, said, _) = ctl(&home, &["plugins", "show", "helper"]);
    assert_eq!(code, 0);
    for part in [
        "by the configuration",
        "send-ussd",
        "approved",
        "word",
        "heard",
        "told",
        "configuration",
        "How it begins.",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The configuration allows it, and still it waits: nobody has seen that it is asked for.
    copy(&home, "\"send-ussd\", \"send-sms\"");
    bell.warns("permission-waits").await;
    assert_eq!(bell.rules().await[0].may, ["send-ussd"]);
    bell.kill();
    let bell = stage.bell(&home).await;
    bell.warns("permission-waits").await;
    assert_eq!(bell.rules().await[0].may, ["send-ussd"], "a restart is no approval");
    let (code, said, _) = ctl(&home, &["plugins", "approve", "helper", "--yes", "--json"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(bell.rules().await[0].may, ["send-ussd", "send-sms"]);
    bell.is_well("permission-waits").await;

    let (code, said, _) = ctl(&home, &["plugins", "disable", "helper"]);
    assert_eq!(code, 0);
    assert!(said.starts_with("helper stays on.\n") && said.contains("outranks"), "{said}");
    assert_eq!(bell.rules().await.len(), 1);
    let authors = home.sql("SELECT author FROM plugin_decision ORDER BY id");
    assert!(authors.starts_with("configuration\n"), "{authors}");
    bell.stop().await;
}

#[tokio::test]
async fn what_is_for_a_host_that_waits_to_be_approved_waits_with_it_and_arrives_once() {
    let stage = Stage::new().await;
    let (mut near, mut elsewhere) = (Receiver::http(&[]), Receiver::http(&[]));
    let home = home(&format!(
        "[channels.ring]\nkind = \"ringer\"\nurl = \"http://127.0.0.1:{}\"\nallow_plaintext = true\n[reminders]\nchannels = [\"ring\"]\n",
        near.port
    ));
    let dir = home.path("etc/plugins/ringer");
    fs::create_dir_all(&dir).unwrap();
    let manifest = |hosts: &str, more: &str| {
        let text = format!(
            "api = 1\nname = \"ringer\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [{hosts}]\n\
             [settings.url]\ntype = \"url\"\n{more}"
        );
        fs::write(dir.join("plugin.toml"), text).unwrap();
    };
    let script = |setting: &str| {
        let text =
            format!("fn send(message) {{ http_post(settings.{setting}, #{{ text: message.text }}) }}\n");
        fs::write(dir.join("main.rhai"), text).unwrap();
    };
    manifest("\"{url}\"", "");
    script("url");
    home.rule("pass", "// Passes on.\nfn on_sms(sim, sms) { remind(\"k\", sms.text); }\n");
    let bell = stage.bell(&home).await;
    stage.says("one");
    near.received().await;

    // An upgrade sends elsewhere.
    let mirror =
        format!("[settings.mirror]\ntype = \"url\"\ndefault = \"http://127.0.0.1:{}\"\n", elsewhere.port);
    manifest("\"{url}\", \"{mirror}\"", &mirror);
    script("mirror");
    let warned = bell.warns("permission-waits").await;
    assert!(
        warned.contains("host:{mirror}") && warned.contains("simbellctl plugins approve ringer"),
        "{warned}"
    );
    assert!(
        ctl(&home, &["plugins", "show", "ringer"]).1.contains("to the address that you set as `mirror`"),
        "in words"
    );
    // Only what is new has to be agreed to.
    let (code, _, said) = ctl(&home, &["plugins", "approve", "ringer"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("error: host:{mirror} has to be agreed to"), "{said}");
    bell.reload().await.unwrap();
    stage.says("two");
    let failing = bell.warns("channel-failing").await;
    assert!(failing.contains("before you approve it: `simbellctl plugins approve ringer`"), "{failing}");
    assert!(failing.contains("tried again"), "{failing}");
    assert_eq!(elsewhere.so_far(), [0; 0]);

    // A restart neither approves it nor loses what waits.
    bell.kill();
    let bell = stage.bell(&home).await;
    bell.warns("permission-waits").await;
    let (code, said, _) = ctl(&home, &["plugins", "approve", "ringer", "--yes"]);
    assert_eq!(code, 0, "{said}");
    let waited = elsewhere.received().await;
    assert!(waited["body"].as_str().unwrap().contains("two"), "{waited}");
    let test = bell.client().await.test_channel("ring").await.unwrap();
    assert_eq!(test.state, "delivered", "{test:?}");
    let after = elsewhere.received().await;
    assert!(!after["body"].as_str().unwrap().contains("two"), "said once: {after}");
    bell.is_well("channel-failing").await;
    bell.stop().await;
    assert_eq!((elsewhere.so_far(), near.so_far()), (vec![], vec![]));
}

/// Copies the ledger, once no other copy is being made, and gives the copy's name.
async fn copied(client: &mut Client) -> String {
    until("a copy", async || client.create_backup().await.ok()).await.name
}

/// Has a copy take the ledger's place, and gives what was said.
async fn taken_back(home: &Home, name: &str) -> String {
    until("the copy is the ledger", async || {
        let (code, said, _) = ctl(home, &["backup", "restore", name]);
        (code == 0).then_some(said)
    })
    .await
}

#[tokio::test]
async fn a_copy_of_the_ledger_brings_no_plugin_back_that_was_switched_off_and_its_own_at_once() {
    let stage = Stage::new().await;
    let home = home("");
    copy(&home, "\"send-ussd\"");
    let bell = stage.bell(&home).await;
    let mut client = bell.client().await;
    let undecided = copied(&mut client).await;
    client.enable_plugin("helper", &["send-ussd".to_owned()]).await.unwrap();
    let enabled = copied(&mut client).await;
    client.disable_plugin("helper").await.unwrap();
    let said = taken_back(&home, &enabled).await;
    assert!(said.contains("decided about plugins since the copy stays in force: helper."), "{said}");
    assert!(bell.rules().await.is_empty());
    bell.kill();
    let bell = stage.bell(&home).await;
    assert!(bell.rules().await.is_empty(), "nor by a restart");
    bell.stop().await;

    // A ledger that knows nothing of it, and then the copy that does.
    fs::copy(home.path("state/backups").join(&undecided), home.path("state/ledger.db")).unwrap();
    let bell = stage.bell(&home).await;
    assert!(bell.rules().await.is_empty());
    let said = taken_back(&home, &enabled).await;
    assert!(said.contains("the copy decided about plugins is in force again: helper."), "{said}");
    assert_eq!(bell.rules().await.len(), 1, "at once, and not at the next start");
    bell.stop().await;
}

#[tokio::test]
async fn others_are_answered_while_rules_are_compiled() {
    let stage = Stage::new().await;
    let home = home("");
    copy(&home, "\"send-ussd\"");
    let line = "    if sms.text.contains(\"x\") { remind(\"k\", `${sms.text} ${sim.name}`); }\n";
    let many = format!("// One of many.\nfn on_sms(sim, sms) {{\n{}}}\n", line.repeat(100));
    for nth in 0..60 {
        home.rule(&format!("many-{nth}"), &many);
    }
    let bell = stage.bell(&home).await;
    let (mut client, mut other) = (bell.client().await, bell.client().await);
    let asked = ["send-ussd".to_owned()];
    let enabling = client.enable_plugin("helper", &asked);
    tokio::pin!(enabling);
    let mut answered = 0;
    let reply = loop {
        tokio::select! {
            biased;
            reply = &mut enabling => break reply.unwrap(),
            status = other.status() => {
                status.unwrap();
                answered += 1;
            }
        }
    };
    assert!(reply.plugin.enabled, "it has its effect before the answer");
    // One by one, so that the engine has to come round for each; one or two may have been there first.
    assert!(answered > 5, "{answered}");
    bell.stop().await;
}

#[tokio::test]
async fn a_plugin_that_takes_the_place_of_another_has_to_be_approved_anew() {
    let stage = Stage::new().await;
    let home = home("");
    let shipped = "[rules]\nplugin_dirs = [\"../shipped\", \"../plugins\"]\n";
    fs::write(home.path("etc/conf.d/90-plugins.toml"), shipped).unwrap();
    copy(&home, "\"send-ussd\"");
    fs::create_dir(home.path("etc/shipped")).unwrap();
    fs::rename(home.path("etc/plugins/helper"), home.path("etc/shipped/helper")).unwrap();
    let bell = stage.bell(&home).await;
    bell.client().await.approve_plugin("helper", &["send-ussd".to_owned()]).await.unwrap();
    plugin_is(&bell, "is approved", |plugin| plugin.permissions.iter().all(|one| one.approved)).await;
    // As a ledger of before places were kept has it.
    bell.stop().await;
    home.sql("UPDATE plugin_decision SET place = NULL, choice = 'enable'");
    let bell = stage.bell(&home).await;
    plugin_is(&bell, "is on", |plugin| plugin.enabled && plugin.decided_by == "person").await;
    bell.stop().await;
    let placed = home.sql("SELECT place, choice, author FROM plugin_decision WHERE place IS NOT NULL");
    assert_eq!(placed, "shipped|approve|upgrade");

    let bell = stage.bell(&home).await;
    copy(&home, "\"send-ussd\"");
    // It waits, and that which runs runs on.
    let both = until("both are listed", async || {
        let plugins = bell.client().await.plugins().await.unwrap();
        (plugins.len() == 2).then_some(plugins)
    })
    .await;
    assert!(both[0].folder.contains("/shipped/") && both[0].enabled && both[0].permissions[0].approved);
    let copied = &both[1];
    assert!(copied.folder.contains("/plugins/") && !copied.permissions[0].approved, "{copied:?}");
    assert!(!copied.enabled && copied.decided_by == "nobody", "{copied:?}");
    assert_eq!(bell.rules().await.len(), 1);
    assert!(bell.rules().await[0].file.contains("/shipped/"));
    let (_, said, _) = ctl(&home, &["plugins"]);
    assert!(
        said.contains("It waits to be enabled: `simbellctl plugins enable helper`. Until then"),
        "{said}"
    );
    assert!(said.contains("shipped/helper runs on."), "{said}");
    let (_, said, _) = ctl(&home, &["plugins", "show", "helper"]);
    assert!(said.contains("state     on, by decision") && said.contains("state     new"), "{said}");
    let (code, _, said) = ctl(&home, &["plugins", "enable", "helper"]);
    assert_eq!(code, 2);
    assert!(said.contains("send-ussd") && said.contains("--yes"), "it is another one: {said}");
    // Once removed it leaves nothing behind.
    fs::remove_dir_all(home.path("etc/plugins/helper")).unwrap();
    let left = until("one is left", async || {
        let plugins = bell.client().await.plugins().await.unwrap();
        (plugins.len() == 1).then_some(plugins)
    })
    .await;
    assert!(left[0].folder.contains("/shipped/") && left[0].enabled, "{left:?}");
    assert_eq!(bell.rules().await.len(), 1);
    // It can take the place of the other, and is switched off there.
    copy(&home, "\"send-ussd\"");
    until("both are listed", async || {
        (bell.client().await.plugins().await.unwrap().len() == 2).then_some(())
    })
    .await;
    bell.client().await.enable_plugin("helper", &["send-ussd".to_owned()]).await.unwrap();
    plugin_is(&bell, "is the copy", |plugin| plugin.enabled && plugin.folder.contains("/plugins/")).await;
    assert_eq!(bell.rules().await.len(), 1);
    bell.client().await.disable_plugin("helper").await.unwrap();
    fs::remove_dir_all(home.path("etc/plugins/helper")).unwrap();
    let back = plugin_is(&bell, "is the one before", |plugin| plugin.folder.contains("shipped")).await;
    assert!(!back.enabled, "what was switched off does not come back by itself: {back:?}");
    bell.stop().await;
}

#[tokio::test]
async fn what_is_wrong_or_of_no_use_is_listed_checked_and_not_run() {
    let stage = Stage::new().await;
    let home = home("");
    let dir = home.path("etc/plugins");
    for (name, manifest) in [
        ("teleco", "api = 1\nname = \"teleco\"\nkind = \"carrier\"\ndescription = \"Knows a carrier.\"\n"),
        ("wrong", "api = 2\nname = \"wrong\"\nkind = \"rule\"\ndescription = \"x\"\n"),
    ] {
        fs::create_dir_all(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("plugin.toml"), manifest).unwrap();
    }
    let bell = stage.bell(&home).await;
    let mut client = bell.client().await;
    let carrier = plugin(&mut client, "teleco").await.unwrap();
    assert!(!carrier.enabled && carrier.kind == "carrier");
    let wrong = plugin(&mut client, "wrong").await.unwrap();
    assert!(wrong.problem.unwrap().contains("plugin.toml:1:"), "the place is named");
    let error = client.enable_plugin("teleco", &[]).await.unwrap_err();
    assert!(error.to_string().contains("no use for"), "{error}");
    let (code, said, _) = ctl(&home, &["plugins", "show", "teleco"]);
    assert_eq!(code, 0);
    assert!(said.contains("no use for carrier plugins"), "{said}");
    let (code, _, said) = ctl(&home, &["plugins", "check", "teleco"]);
    assert_eq!(code, 0);
    assert!(said.contains("no use for carrier plugins"), "{said}");
    let (code, _, said) = ctl(&home, &["plugins", "check", dir.join("wrong").to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(said.contains("version 2 of the rule language"), "{said}");
    bell.stop().await;
}

#[tokio::test]
async fn a_kind_of_channel_that_nothing_uses_is_there_and_waits_for_nobody() {
    let stage = Stage::new().await;
    let home = Home::new("");
    let channel = |name: &str| {
        let dir = home.path("etc/shipped").join(name);
        fs::create_dir_all(&dir).unwrap();
        let manifest = format!(
            "api = 1\nname = \"{name}\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"{{url}}\"]\n\
             [settings.url]\ntype = \"url\"\ndescription = \"Where.\"\n"
        );
        fs::write(dir.join("plugin.toml"), manifest).unwrap();
        let script = "fn send(message) { http_post(settings.url, #{ text: message.text }) }\n";
        fs::write(dir.join("main.rhai"), script).unwrap();
    };
    channel("ringer");
    channel("gong");
    let config = "[rules]\nplugin_dirs = [\"../shipped\"]\n[channels.ring]\nkind = \"ringer\"\n\
                  url = \"http://127.0.0.1:9\"\nallow_plaintext = true\n[reminders]\nchannels = [\"ring\"]\n";
    fs::write(home.path("etc/conf.d/90-plugins.toml"), config).unwrap();
    let bell = stage.bell(&home).await;
    let (_, said, _) = ctl(&home, &["plugins"]);
    let states: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(
        states,
        [["PLUGIN", "KIND", "STATE"], ["gong", "channel", "available"], ["ringer", "channel", "on"]],
        "{said}"
    );
    // What the service has warned of before, it has warned of by now.
    let manifest = home.path("etc/shipped/ringer/plugin.toml");
    let more = fs::read_to_string(&manifest).unwrap().replace("{url}", "{url}\", \"b.example");
    fs::write(&manifest, more).unwrap();
    bell.warns("permission-waits").await;
    let warnings = bell.client().await.status().await.unwrap().service.warnings;
    let waits: Vec<&str> = warnings
        .iter()
        .filter(|one| one.code == "permission-waits")
        .map(|one| one.subject.as_str())
        .collect();
    assert_eq!(waits, ["ringer"]);
    bell.stop().await;
}

#[tokio::test]
async fn a_name_in_the_configuration_that_nothing_has_is_told_with_the_nearest() {
    let stage = Stage::new().await;
    let wrong = "disabled = [\"nope\"]\n[plugins.helpr.settings]\nword = \"told\"\n";
    let home = home(wrong);
    copy(&home, "");
    let config = home.path("etc").display().to_string();
    let (code, said, told) = ctl(&home, &["config", "check", "--config", &config]);
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("no errors, 2 warnings"), "{said}");
    assert!(told.contains("`nope`") && told.contains("did you mean `helper`?"), "{told}");

    let bell = stage.bell(&home).await;
    let said = until("both are told", async || {
        let warnings = bell.client().await.status().await.unwrap().service.warnings;
        let all: Vec<_> = warnings.into_iter().filter(|one| one.code == "name-unknown").collect();
        (all.len() == 2).then_some(all)
    })
    .await;
    let texts: Vec<&str> = said.iter().map(|one| one.text.as_str()).collect();
    let so = "and no rule and no plugin is called so: what it says of that has no effect";
    let file = home.path("etc/conf.d/90-plugins.toml").display().to_string();
    let texts_wanted = [
        format!("The configuration names helpr ({file}:4), {so}; did you mean `helper`?"),
        format!("The configuration names nope ({file}:3), {so}."),
    ];
    assert_eq!(texts, texts_wanted);
    let mended = wrong.replace("helpr", "helper").replace("\"nope\"", "");
    fs::write(
        home.path("etc/conf.d/90-plugins.toml"),
        format!("[rules]\nplugin_dirs = [\"../plugins\"]\n{mended}"),
    )
    .unwrap();
    bell.reload().await.unwrap();
    bell.is_well("name-unknown").await;
    bell.stop().await;
}

#[tokio::test]
async fn a_wrong_setting_and_a_folder_that_is_not_there_are_told_with_their_place_and_key() {
    let stage = Stage::new().await;
    let home = home("[plugins.helper.settings]\nwrod = \"told\"\n");
    copy(&home, "");
    let config = home.path("etc").display().to_string();
    let file = home.path("etc/conf.d/90-plugins.toml");
    let wrong = format!("{}:4: plugins.helper.settings.wrod: `helper` has no setting `wrod`", file.display());
    let (code, said, told) = ctl(&home, &["config", "check", "--config", &config]);
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("no errors, 1 warning") && told.contains(&wrong), "{said}{told}");
    assert!(told.contains("did you mean `word`?"), "{told}");
    let bell = stage.bell(&home).await;
    let warning = until("it is told", async || {
        let warnings = bell.client().await.status().await.unwrap().service.warnings;
        warnings.into_iter().find(|one| one.code == "rule-disabled")
    })
    .await;
    assert!(warning.text.contains(&wrong) && !warning.text.contains("main.rhai"), "{}", warning.text);

    fs::write(
        &file,
        "[rules]\nplugin_dirs = [\"../plugins\", \"../plugin\"]\n[control]\nadmin_groups = [\"nixgroup\"]\n",
    )
    .unwrap();
    let gone = home.path("etc/conf.d/../plugin").display().to_string();
    let (_, said, told) = ctl(&home, &["config", "check", "--config", &config]);
    assert!(said.contains("no errors, 2 warnings"), "{said}{told}");
    let folder = format!("rules.plugin_dirs: warning: the folder {gone} is not there");
    let group = format!("{}:4: warning: there is no group `nixgroup` in /etc/group", file.display());
    assert!(told.contains(&folder) && told.contains(&group), "{told}");
    let answer = bell.reload().await.unwrap().problems;
    assert!(answer.iter().any(|one| one.starts_with(&folder)), "{answer:?}");
    assert!(answer.iter().any(|one| one.starts_with(&group)), "{answer:?}");
    let warning = until("the folder is told", async || {
        let warnings = bell.client().await.status().await.unwrap().service.warnings;
        warnings.into_iter().find(|one| one.code == "folder-missing")
    })
    .await;
    assert!(warning.text.contains(&gone) && warning.text.contains("take it out of rules.plugin_dirs"));
    fs::create_dir(home.path("etc/plugin")).unwrap();
    bell.reload().await.unwrap();
    bell.is_well("folder-missing").await;
    bell.is_well("rule-disabled").await;
    bell.stop().await;
}

#[tokio::test]
async fn hints_name_the_folders_of_the_configuration_in_use() {
    let stage = Stage::new().await;
    let home = home("");
    fs::create_dir(home.path("etc/plugins")).unwrap();
    let bell = stage.bell(&home).await;
    let folder = home.path("etc/plugins").display().to_string();
    let (code, said, _) = ctl(&home, &["plugins"]);
    assert_eq!((code, said), (0, format!("There are no plugins. Copy the folder of one into {folder}.\n")));
    let (code, _, said) = ctl(&home, &["plugins", "enable", "nope"]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("copy its folder into {folder}")), "{said}");

    fs::write(home.path("etc/conf.d/95-wrong.toml"), "[nope]\n").unwrap();
    bell.reload().await.unwrap_err();
    let told = bell.warns("config-rejected").await;
    let (before, after) = told.split_once('`').unwrap().1.split_once('`').unwrap();
    assert!(before.starts_with("simbellctl config check --config /"), "{before}{after}");
    let arguments: Vec<&str> = before.split(' ').skip(1).collect();
    let (code, _, said) = ctl(&home, &arguments);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("95-wrong.toml"), "{said}");
    bell.stop().await;
}
