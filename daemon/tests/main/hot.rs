//! Rules, plugins and texts that change on disk while the service runs: read at once, all together, and what is wrong
//! does not take the place of what runs.

use std::fs;
use std::path::Path;

use simbell_api::Rule;

use crate::bell::{Bell, Home, until};
use crate::receivers::Receiver;
use crate::stage::Stage;

fn rule(what: &str) -> String {
    format!("// {what}\nfn on_sms(sim, sms) {{ remind(\"said\", `{what}: ${{sms.text}}`); }}\n")
}

const BROKEN: &str = "// Is broken.\nfn on_sms(sim, sms) {\n    remind(\"x\" sms.text);\n}\n";

/// The rule `name` as soon as it is as wanted.
async fn becomes(bell: &Bell<'_>, name: &str, what: &str, wanted: impl Fn(&Rule) -> bool) -> Rule {
    until(&format!("{name} {what}"), async || {
        bell.rules().await.into_iter().find(|rule| rule.name == name && wanted(rule))
    })
    .await
}

async fn gone(bell: &Bell<'_>, name: &str) {
    until(&format!("{name} is gone"), async || {
        bell.rules().await.iter().all(|rule| rule.name != name).then_some(())
    })
    .await;
}

async fn runs(bell: &Bell<'_>, name: &str, what: &str) {
    becomes(bell, name, what, |rule| rule.summary == what && rule.enabled && rule.outdated.is_none()).await;
}

/// As editors do it: beside the file, then in its place.
fn replace(path: &Path, text: &str) {
    let beside = path.with_file_name(".edited.tmp");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

#[tokio::test]
async fn files_are_read_as_they_are_written_renamed_removed_and_linked() {
    let stage = Stage::new().await;
    let home = Home::new("").with_rule("first", &rule("One."));
    let bell = home.start(stage.bus.address()).await;
    let dir = home.path("etc/rules.d");
    runs(&bell, "first", "One.").await;

    replace(&dir.join("first.rhai"), &rule("Renamed."));
    runs(&bell, "first", "Renamed.").await;
    fs::write(dir.join("first.rhai"), rule("Written over.")).unwrap();
    runs(&bell, "first", "Written over.").await;
    fs::write(dir.join("second.rhai"), rule("Two.")).unwrap();
    runs(&bell, "second", "Two.").await;
    fs::remove_file(dir.join("first.rhai")).unwrap();
    gone(&bell, "first").await;

    // A link, and what it leads to in a folder that holds no rules.
    let elsewhere = home.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("kept.txt"), rule("Kept elsewhere.")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("kept.txt"), dir.join("linked.rhai")).unwrap();
    runs(&bell, "linked", "Kept elsewhere.").await;
    replace(&elsewhere.join("kept.txt"), &rule("Changed elsewhere."));
    runs(&bell, "linked", "Changed elsewhere.").await;

    // The folder goes, and another one comes.
    fs::rename(&dir, home.path("etc/away")).unwrap();
    gone(&bell, "second").await;
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("third.rhai"), rule("Three.")).unwrap();
    runs(&bell, "third", "Three.").await;
    fs::remove_dir_all(&dir).unwrap();
    gone(&bell, "third").await;
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("fourth.rhai"), rule("Four.")).unwrap();
    runs(&bell, "fourth", "Four.").await;
    bell.stop().await;
}

#[tokio::test]
async fn what_is_broken_leaves_the_version_before_until_it_is_mended() {
    let stage = Stage::new().await;
    let home = Home::new("").with_rule("watch", &rule("One."));
    let bell = stage.bell(&home).await;
    let file = home.path("etc/rules.d/watch.rhai");
    replace(&file, BROKEN);
    let rule_now = becomes(&bell, "watch", "is outdated", |rule| rule.outdated.is_some()).await;
    assert!(rule_now.enabled && rule_now.problem.is_none());
    assert!(rule_now.outdated.as_ref().unwrap().contains("watch.rhai:3:16"), "{rule_now:?}");
    let warned = bell.warns("rule-outdated").await;
    assert!(warned.contains("watch.rhai:3:16") && warned.contains("runs on"), "{warned}");
    // The old one is what is asked, and a reload does not change that.
    stage.says("hello");
    bell.reminder_is("watch/said/", |reminder| reminder.text == "One.: hello").await;
    let reply = bell.reload().await.unwrap();
    assert!(reply.problems[0].contains("watch.rhai:3:16"), "{reply:?}");
    stage.says("again");
    bell.reminder_is("watch/said/", |reminder| reminder.text == "One.: again").await;

    replace(&file, &rule("Two."));
    runs(&bell, "watch", "Two.").await;
    bell.is_well("rule-outdated").await;
    stage.says("news");
    bell.reminder_is("watch/said/", |reminder| reminder.text == "Two.: news").await;

    // Broken as the service begins there is no version before.
    replace(&file, BROKEN);
    bell.warns("rule-outdated").await;
    bell.stop().await;
    let bell = stage.bell(&home).await;
    becomes(&bell, "watch", "is disabled", |rule| !rule.enabled && rule.outdated.is_none()).await;
    bell.stop().await;
}

#[tokio::test]
async fn plugins_and_texts_are_read_as_they_change_and_folders_as_they_appear() {
    let stage = Stage::new().await;
    let home = Home::new("");
    fs::write(
        home.path("etc/conf.d/90-more.toml"),
        "[rules]\nplugin_dirs = [\"/nowhere/at/all\", \"../more/plugins\"]\n",
    )
    .unwrap();
    let bell = stage.bell(&home).await;
    // Neither the folder nor the one above it is there yet.
    let plugin = home.path("etc/more/plugins/told");
    fs::create_dir_all(plugin.join("texts")).unwrap();
    fs::write(
        plugin.join("plugin.toml"),
        "api = 1\nname = \"told\"\nkind = \"rule\"\ndescription = \"Tells.\"\n",
    )
    .unwrap();
    fs::write(
        plugin.join("main.rhai"),
        "fn on_sms(sim, sms) { remind(\"k\", text(\"m\", #{ t: sms.text })); }\n",
    )
    .unwrap();
    fs::write(plugin.join("texts/en.ftl"), "m = heard: { $t }\n").unwrap();
    runs(&bell, "told", "Tells.").await;
    stage.says("one");
    bell.reminder_is("told/k/", |reminder| reminder.text == "heard: one").await;
    let asked_before = bell.rules().await[0].clone();

    fs::write(plugin.join("texts/en.ftl"), "m = { $nothing\n").unwrap();
    bell.warns("rule-outdated").await;
    fs::write(plugin.join("texts/en.ftl"), "m = told: { $t }\n").unwrap();
    bell.is_well("rule-outdated").await;
    stage.says("two");
    bell.reminder_is("told/k/", |reminder| reminder.text == "told: two").await;

    // The owner's own words, in a folder that is made for them.
    fs::create_dir_all(home.path("etc/texts/told")).unwrap();
    fs::write(home.path("etc/texts/told/en.ftl"), "m = mine: { $t }\n").unwrap();
    until("the owner's words", async || {
        stage.says("three");
        let reminders = bell.reminders().await;
        reminders.iter().any(|reminder| reminder.text == "mine: three").then_some(())
    })
    .await;
    assert_eq!(asked_before.name, "told");
    // What is wrong with them is told, and the plugin's own words are said.
    fs::write(home.path("etc/texts/told/en.ftl"), "m = { $nothing\n").unwrap();
    let warned = bell.warns("texts-outdated").await;
    assert!(warned.contains("etc/texts/told/en.ftl:2:1") && warned.contains("without this file"), "{warned}");
    stage.says("four");
    bell.reminder_is("told/k/", |reminder| reminder.text == "told: four").await;
    fs::write(home.path("etc/texts/told/en.ftl"), "m = mine again: { $t }\n").unwrap();
    bell.is_well("texts-outdated").await;
    stage.says("five");
    bell.reminder_is("told/k/", |reminder| reminder.text == "mine again: five").await;
    bell.stop().await;
}

fn ringer(home: &Home, script: &str, more: &str) {
    let dir = home.path("etc/plugins/ringer");
    fs::create_dir_all(&dir).unwrap();
    let manifest = "api = 1\nname = \"ringer\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"{url}\"]\n\
                    [settings.url]\ntype = \"url\"\n";
    replace(&dir.join("plugin.toml"), &format!("{manifest}{more}"));
    replace(&dir.join("main.rhai"), script);
}

fn rings(word: &str) -> String {
    format!("fn send(message) {{ http_post(settings.url, `{word}: ${{message.text}}`) }}\n")
}

/// What the receiver hears of the next message.
async fn heard(stage: &Stage, push: &mut Receiver, said: &str) -> String {
    stage.says(said);
    push.received().await["body"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn channels_by_plugins_follow_their_files_and_what_is_broken_leaves_the_version_before() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let home =
        Home::new("").with_rule("pass", "// Passes on.\nfn on_sms(sim, sms) { remind(\"k\", sms.text); }\n");
    let url = format!("http://127.0.0.1:{}", push.port);
    let config = format!(
        "[rules]\nplugin_dirs = [\"../plugins\"]\n[channels.ring]\nkind = \"ringer\"\nurl = \"{url}\"\n\
         allow_plaintext = true\n[reminders]\nchannels = [\"ring\"]\n"
    );
    fs::write(home.path("etc/conf.d/90-ring.toml"), config).unwrap();
    ringer(&home, &rings("One"), "");
    let bell = stage.bell(&home).await;
    assert_eq!(heard(&stage, &mut push, "a").await, "One: a");

    // A script that does not compile, and one that gives a place.
    ringer(&home, "// Rings.\nfn send(message) {\n    http_post(settings.url \"x\")\n}\n", "");
    let warned = bell.warns("channel-outdated").await;
    assert!(warned.contains("ringer/main.rhai:3:") && warned.contains("version before stays"), "{warned}");
    let plugins = bell.client().await.plugins().await.unwrap();
    let listed = plugins.iter().find(|plugin| plugin.name == "ringer").unwrap();
    assert!(listed.problem.as_ref().unwrap().contains("main.rhai:3:"), "{listed:?}");
    assert_eq!(heard(&stage, &mut push, "b").await, "One: b");
    let reply = bell.reload().await.unwrap();
    assert!(reply.problems.iter().any(|problem| problem.contains("main.rhai:3:")), "{reply:?}");
    assert_eq!(heard(&stage, &mut push, "c").await, "One: c", "a reload does not change that");
    ringer(&home, &rings("Two"), "");
    bell.is_well("channel-outdated").await;
    assert_eq!(heard(&stage, &mut push, "d").await, "Two: d");

    // A manifest that is none, or asks for what the configuration does not give: the script with it waits as well.
    ringer(&home, &rings("Three"), "[settings");
    let warned = bell.warns("channel-outdated").await;
    assert!(warned.contains("ringer/plugin.toml:"), "{warned}");
    assert_eq!(heard(&stage, &mut push, "e").await, "Two: e");
    ringer(&home, &rings("Three"), "[settings.token]\ntype = \"secret\"\n");
    until("the setting that is missing", async || {
        let warning = bell.warning("channel-outdated").await?;
        (warning.text.contains("`token`") && warning.text.contains("[channels.ring]")).then_some(())
    })
    .await;
    assert_eq!(heard(&stage, &mut push, "f").await, "Two: f");
    ringer(&home, &rings("Three"), "");
    bell.is_well("channel-outdated").await;
    assert_eq!(heard(&stage, &mut push, "g").await, "Three: g");

    // Broken as the service begins there is no version before: what is to be said waits.
    ringer(&home, "fn send(message) {\n", "");
    bell.warns("channel-outdated").await;
    bell.stop().await;
    let bell = stage.bell(&home).await;
    let warned = bell.warns("channel-outdated").await;
    assert!(warned.contains("main.rhai:") && warned.contains("Nothing goes by this channel"), "{warned}");
    stage.says("h");
    bell.warns("channel-failing").await;
    ringer(&home, &rings("Four"), "");
    assert_eq!(push.received().await["body"], "Four: h");
    bell.is_well("channel-outdated").await;
    assert_eq!(push.so_far(), [""; 0]);
    bell.stop().await;
}

#[tokio::test]
async fn many_files_at_once_are_few_readings_and_one_that_is_suspended_stays_so() {
    let stage = Stage::new().await;
    let home = Home::new("[rules]\nsuspend_after = 1\n")
        .with_rule("fails", "// Fails.\nfn on_sms(sim, sms) { throw \"no\"; }\n");
    let bell = stage.bell(&home).await;
    stage.says("hello");
    becomes(&bell, "fails", "is suspended", |rule| rule.suspended).await;
    for number in 0..200 {
        home.rule(&format!("r{number}"), &rule("Many."));
    }
    until("all of them", async || (bell.rules().await.len() == 201).then_some(())).await;
    let rules = bell.rules().await;
    assert!(rules.iter().any(|rule| rule.name == "fails" && rule.suspended), "nobody has mended it");
    let readings = home.log().matches("rules were read anew").count();
    assert!((1..=20).contains(&readings), "{readings} readings for 200 files");
    // Mended, it runs.
    home.rule("fails", &rule("Mended."));
    runs(&bell, "fails", "Mended.").await;
    bell.stop().await;
}

#[tokio::test]
async fn the_configuration_is_not_read_before_it_is_asked_for() {
    let stage = Stage::new().await;
    let home = Home::new("").with_rule("watch", &rule("One."));
    let bell = home.start(stage.bus.address()).await;
    home.config("[rules]\ndisabled = [\"watch\"]\n");
    // A rule that comes after it is read; the configuration is not.
    home.rule("later", &rule("Later."));
    runs(&bell, "later", "Later.").await;
    runs(&bell, "watch", "One.").await;
    bell.reload().await.unwrap();
    gone(&bell, "watch").await;
    bell.stop().await;
}
