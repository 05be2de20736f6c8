//! What rules want done: only where it is allowed, once, and never twice over a crash.

use simbell_api::RuleAction;

use crate::bell::{Bell, Home, until};
use crate::stage::{ICCID, Stage};

/// Near the end of the allowance the rule calls for help, once; roams of USSD with each message that asks for it.
const HELP: &str = r#"
// Calls for help.
fn on_usage(sim) {
    if sim.share >= 80.percent {
        send_sms("help", "+491710000000", `80 % used, ${sim.remaining} left`);
    }
    if sim.share >= 100.percent {
        disconnect("stop");
    }
}
fn on_sms(sim, sms) {
    if sms.text.starts_with("balance") { send_ussd("balance", "*100#"); }
}
"#;

const PLAN: &str = "[sims.home]\niccid = \"8900100000000000001\"\nplan = { name = \"small\", data = \"1 GB\", every = \"month\", \
                    day = 1 }\n";

fn home(allow: &str) -> Home {
    Home::new(&format!("{PLAN}{allow}")).with_rule("help", HELP)
}

/// What became of what the rule wanted.
async fn actions(bell: &Bell<'_>) -> Vec<RuleAction> {
    bell.client().await.explain_reminder("help", None).await.unwrap().actions
}

async fn action_is(bell: &Bell<'_>, what: &str, state: &str) -> RuleAction {
    until(&format!("{what} {state}"), async || {
        actions(bell).await.into_iter().find(|action| action.what.contains(what) && action.state == state)
    })
    .await
}

#[tokio::test]
async fn what_is_not_allowed_is_not_done_and_said() {
    let stage = Stage::new().await;
    let home = home("");
    let bell = stage.bell(&home).await;
    assert_eq!(bell.rules().await[0].may, [""; 0]);
    let bearer = stage.connected(&bell).await;
    stage.pass(&bearer, 850_000_000);
    let refused = action_is(&bell, "+491710000000", "refused").await;
    assert!(refused.note.unwrap().contains("[rules.allow]"), "{:?}", actions(&bell).await);
    let warned = bell.warns("action-failed").await;
    assert!(warned.contains("send-sms") && warned.contains("help"), "{warned}");
    assert_eq!(stage.modems.sent_sms().len(), 0);
}

#[tokio::test]
async fn what_is_allowed_is_done_once_though_the_service_is_killed() {
    let stage = Stage::new().await;
    let home = home("[rules.allow]\nhelp = [\"send-sms\", \"send-ussd\", \"disconnect\"]\n");
    let bell = stage.bell(&home).await;
    assert_eq!(bell.rules().await[0].may, ["send-sms", "send-ussd", "disconnect"]);
    let bearer = stage.connected(&bell).await;
    stage.pass(&bearer, 850_000_000);
    let done = action_is(&bell, "+491710000000", "done").await;
    assert_eq!(done.key, format!("help/help/{ICCID}"));
    assert_eq!(done.note.as_deref(), Some("1 part"));
    let sent = stage.modems.sent_sms();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0].number.as_str(), sent[0].text.as_str()), ("+491710000000", "80 % used, 150 MB left"));

    // It goes on asking for it: nothing more leaves, not even after a crash.
    stage.pass(&bearer, 20_000_000);
    let asked = async |bell: &Bell<'_>| bell.rules().await[0].evaluations;
    let before = asked(&bell).await;
    until("another evaluation", async || (asked(&bell).await > before).then_some(())).await;
    bell.kill();
    let bell = stage.bell(&home).await;
    until("asked anew", async || (asked(&bell).await > 0).then_some(())).await;
    stage.says("balance");
    let answered = action_is(&bell, "*100#", "done").await;
    assert_eq!(answered.note.as_deref(), Some("5.00 left"));
    assert_eq!(stage.modems.sent_sms().len(), 1);
    assert_eq!(actions(&bell).await.len(), 2, "{:?}", actions(&bell).await);

    // The allowance is used up: the connection ends.
    stage.pass(&bearer, 200_000_000);
    action_is(&bell, "disconnect", "done").await;
    bell.sim_is("disconnected", ICCID, |sim| sim.connected == Some(false)).await;
    assert_eq!(bell.warning("action-failed").await, None);
}

#[tokio::test]
async fn no_more_is_done_in_a_day_than_the_configuration_says() {
    let stage = Stage::new().await;
    let home = home("[rules]\nactions_a_day = 2\n[rules.allow]\nhelp = [\"send-ussd\"]\n");
    let bell = stage.bell(&home).await;
    for nth in 1..=2 {
        // Messages are told apart by their text.
        stage.says(&format!("balance {nth}"));
        until("the answer", async || {
            let done = actions(&bell).await.into_iter().filter(|action| action.state == "done").count();
            (done == nth).then_some(())
        })
        .await;
    }
    stage.says("balance again");
    let refused = action_is(&bell, "*100#", "refused").await;
    assert!(refused.note.unwrap().contains("rules.actions_a_day"));
}
