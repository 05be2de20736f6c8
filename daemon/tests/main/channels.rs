//! The channel plugins that come with the program: each sends the request that its service documents, to a server by
//! somebody else, and understands the answers that the service documents.

use std::fs;
use std::path::Path;

use serde_json::json;
use simbell_core::reminder::Message;
use simbell_core::time::Span;

use crate::shipped_channels::*;

const TITLE: &str = "漫游卡: \"80%\" & <more>";
const TEXT: &str = "已用 8 GB，共 10 GB。\n3 days left.";

#[tokio::test]
async fn telegram_sends_a_message_by_its_bot() {
    let request = Bench::answering(&TELEGRAM, 200, TELEGRAM.good).request().await;
    let path = "/bot110201543:c4naryAAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage";
    assert_eq!(head(&request, ""), ["POST", path, "application/json", ""]);
    let body =
        json!({"chat_id": "-10042", "text": format!("{TITLE}\n\n{TEXT}"), "disable_notification": false});
    assert_eq!(json_of(&request), body);

    let no_chat = r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#;
    let error = Bench::answering(&TELEGRAM, 400, no_chat).error().await;
    assert!(
        !error.retry && error.text.ends_with("answered 400: Bad Request: chat not found"),
        "{}",
        error.text
    );
    let flood = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 14","parameters":{"retry_after":14}}"#;
    let error = Bench::answering(&TELEGRAM, 429, flood).error().await;
    assert_eq!((error.retry, error.after), (true, Some(Span::secs(14))));
}

#[tokio::test]
async fn gotify_gets_a_message_with_the_application_s_token() {
    let request = Bench::answering(&GOTIFY, 200, GOTIFY.good).request().await;
    assert_eq!(head(&request, "x-gotify-key"), ["POST", "/push/message", "application/json", "Ac4nary.9xKq"]);
    assert_eq!(json_of(&request), json!({"title": TITLE, "message": TEXT, "priority": 10}));

    let wrong = r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}"#;
    let error = Bench::answering(&GOTIFY, 401, wrong).error().await;
    assert!(
        !error.retry && error.text.contains("you need to provide a valid access token"),
        "{}",
        error.text
    );
}

#[tokio::test]
async fn pushover_gets_a_form() {
    let request = Bench::answering(&PUSHOVER, 200, PUSHOVER.good).request().await;
    assert_eq!(head(&request, ""), ["POST", "/1/messages.json", "application/x-www-form-urlencoded", ""]);
    let body = "message=%E5%B7%B2%E7%94%A8%208%20GB%EF%BC%8C%E5%85%B1%2010%20GB%E3%80%82%0A3%20days%20left.&priority=1\
                &sound=siren&timestamp=1794990000&title=%E6%BC%AB%E6%B8%B8%E5%8D%A1%3A%20%2280%25%22%20%26%20%3Cmore%3E\
                &token=azGDORePK8c4nary&user=uQiRzpo4c4nary";
    assert_eq!(request["body"], body);

    let invalid =
        r#"{"user":"invalid","errors":["user identifier is invalid"],"status":0,"request":"5042853c"}"#;
    let error = Bench::answering(&PUSHOVER, 400, invalid).error().await;
    assert!(
        !error.retry && error.text.ends_with("answered 400: user identifier is invalid"),
        "{}",
        error.text
    );
}

#[tokio::test]
async fn bark_gets_a_push() {
    let request = Bench::answering(&BARK, 200, BARK.good).request().await;
    assert_eq!(head(&request, ""), ["POST", "/push", "application/json", ""]);
    let body = json!({
        "device_key": "ynJ5c4naryPAvFhF", "title": TITLE, "body": TEXT, "level": "critical", "group": "simbell",
        "sound": "minuet",
    });
    assert_eq!(json_of(&request), body);

    let unknown =
        r#"{"code":400,"message":"failed to get device token: device not found","timestamp":1795327500}"#;
    for status in [200, 400] {
        let error = Bench::answering(&BARK, status, unknown).error().await;
        assert!(!error.retry && error.text.contains("device not found"), "{}", error.text);
    }
    let busy = r#"{"code":500,"message":"push failed: APNs is busy"}"#;
    assert!(Bench::answering(&BARK, 200, busy).error().await.retry);
}

#[tokio::test]
async fn serverchan_gets_a_form_under_the_send_key() {
    let request = Bench::answering(&SERVERCHAN, 200, SERVERCHAN.good).request().await;
    assert_eq!(head(&request, ""), ["POST", "/SCT8276Tc4nary.send", "application/x-www-form-urlencoded", ""]);
    let body = "desp=%E5%B7%B2%E7%94%A8%208%20GB%EF%BC%8C%E5%85%B1%2010%20GB%E3%80%82%0A3%20days%20left.\
                &title=%E6%BC%AB%E6%B8%B8%E5%8D%A1%3A%20%2280%25%22%20%26%20%3Cmore%3E";
    assert_eq!(request["body"], body);

    let wrong = r#"{"code":40001,"message":"[AUTH]用户不存在或者权限不足","info":"用户不存在或者权限不足","args":[null]}"#;
    for status in [200, 400] {
        let error = Bench::answering(&SERVERCHAN, status, wrong).error().await;
        assert!(!error.retry && error.text.contains("40001: [AUTH]用户不存在或者权限不足"), "{}", error.text);
    }
}

#[tokio::test]
async fn wecom_gets_a_text_for_the_group() {
    let request = Bench::answering(&WECOM, 200, WECOM.good).request().await;
    let path = "/cgi-bin/webhook/send?key=693a91f6-c4nary-4e73";
    assert_eq!(head(&request, ""), ["POST", path, "application/json", ""]);
    let body = json!({"msgtype": "text", "text": {"content": format!("{TITLE}\n{TEXT}"), "mentioned_list": ["@all"]}});
    assert_eq!(json_of(&request), body);

    let wrong = r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1795327500]"}"#;
    let error = Bench::answering(&WECOM, 200, wrong).error().await;
    assert!(!error.retry && error.text.contains("93000: invalid webhook url"), "{}", error.text);
    let often = r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#;
    let error = Bench::answering(&WECOM, 200, often).error().await;
    assert_eq!((error.retry, error.after), (true, Some(Span::secs(60))));
}

#[tokio::test]
async fn dingtalk_gets_a_signed_text() {
    let request = Bench::answering(&DINGTALK, 200, DINGTALK.good).request().await;
    let [method, path, media, _] = head(&request, "");
    assert_eq!((method.as_str(), media.as_str()), ("POST", "application/json"));
    let (before, sign) = path.split_once("&sign=").unwrap();
    let (before, timestamp) = before.split_once("&timestamp=").unwrap();
    assert_eq!(before, "/robot/send?access_token=bdc4nary92ad");
    assert!(timestamp.len() == 13 && timestamp.bytes().all(|b| b.is_ascii_digit()), "{timestamp}");
    let secret = "SECc4nary0123456789abcdef";
    let expected = signed(secret, &format!("{timestamp}\n{secret}"));
    assert_eq!(sign, expected.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    let body = json!({
        "msgtype": "text",
        "text": {"content": format!("{TITLE}\n{TEXT}")},
        "at": {"atMobiles": ["13800138000"], "isAtAll": false},
    });
    assert_eq!(json_of(&request), body);

    let wrong = r#"{"errcode":310000,"errmsg":"sign not match, more: [https://ding-doc.dingtalk.com]"}"#;
    let error = Bench::answering(&DINGTALK, 200, wrong).error().await;
    assert!(!error.retry && error.text.contains("310000: sign not match"), "{}", error.text);
    let often = r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#;
    let error = Bench::answering(&DINGTALK, 200, often).error().await;
    assert_eq!((error.retry, error.after), (true, Some(Span::secs(600))));

    let unsigned = Shipped { settings: "webhook = { credential = \"webhook\" }", ..DINGTALK };
    let request = Bench::answering(&unsigned, 200, DINGTALK.good).request().await;
    assert_eq!(request["path"], "/robot/send?access_token=bdc4nary92ad");
}

#[tokio::test]
async fn feishu_gets_a_signed_text() {
    let request = Bench::answering(&FEISHU, 200, FEISHU.good).request().await;
    let path = "/open-apis/bot/v2/hook/c4nary-8d0f-4c1a";
    assert_eq!(head(&request, ""), ["POST", path, "application/json", ""]);
    let body = json_of(&request);
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 10 && timestamp.bytes().all(|b| b.is_ascii_digit()), "{timestamp}");
    let expected = json!({
        "timestamp": timestamp,
        "sign": signed(&format!("{timestamp}\nc4naryJ8kPqTz"), ""),
        "msg_type": "text",
        "content": {"text": format!("{TITLE}\n{TEXT}")},
    });
    assert_eq!(body, expected);

    let wrong = r#"{"code":19021,"data":{},"msg":"sign match fail or timestamp is not within one hour from current time"}"#;
    let error = Bench::answering(&FEISHU, 200, wrong).error().await;
    assert!(!error.retry && error.text.contains("19021: sign match fail"), "{}", error.text);
    let often = r#"{"code":11232,"data":{},"msg":"frequency limited"}"#;
    assert!(Bench::answering(&FEISHU, 200, often).error().await.retry);

    let unsigned = Shipped { settings: "webhook = { credential = \"webhook\" }", ..FEISHU };
    let body = json_of(&Bench::answering(&unsigned, 200, FEISHU.good).request().await);
    assert_eq!(body, json!({"msg_type": "text", "content": {"text": format!("{TITLE}\n{TEXT}")}}));
}

#[tokio::test]
async fn discord_gets_a_message_that_calls_for_nobody() {
    let request = Bench::answering(&DISCORD, 204, "").request().await;
    let path = "/api/webhooks/223704706495545344/3d89bb75c4nary";
    assert_eq!(head(&request, ""), ["POST", path, "application/json", ""]);
    let body = json!({
        "content": format!("**{TITLE}**\n{TEXT}"), "allowed_mentions": {"parse": []}, "username": "simbell",
    });
    assert_eq!(json_of(&request), body);

    let unknown = r#"{"message":"Unknown Webhook","code":10015}"#;
    let error = Bench::answering(&DISCORD, 404, unknown).error().await;
    assert!(!error.retry && error.text.ends_with("answered 404: Unknown Webhook"), "{}", error.text);
    let often = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#;
    let error = Bench::answering(&DISCORD, 429, often).error().await;
    assert_eq!((error.retry, error.after), (true, Some(Span::secs(65))));
}

#[tokio::test]
async fn slack_gets_a_text_with_its_three_characters_escaped() {
    let request = Bench::answering(&SLACK, 200, SLACK.good).request().await;
    let path = "/services/T00000000/B00000000/c4naryXXXXXXXX";
    assert_eq!(head(&request, ""), ["POST", path, "application/json", ""]);
    let text = format!("*漫游卡: \"80%\" &amp; &lt;more&gt;*\n{TEXT}");
    assert_eq!(json_of(&request), json!({"text": text}));

    let error = Bench::answering(&SLACK, 404, "no_service").error().await;
    assert!(!error.retry && error.text.ends_with("answered 404: no_service"), "{}", error.text);
}

#[tokio::test]
async fn matrix_puts_the_message_under_an_id_of_its_own() {
    let mut bench = Bench::answering(&MATRIX, 200, MATRIX.good);
    let request = bench.request().await;
    let path = "/_matrix/client/v3/rooms/%21636q39766251%3Aexample.com/send/m.room.message/data%2F80%2F0014%231%2Fit";
    assert_eq!(
        head(&request, "authorization"),
        ["PUT", path, "application/json", "Bearer syt_c4nary_AbCdEf"]
    );
    assert_eq!(json_of(&request), json!({"msgtype": "m.text", "body": format!("{TITLE}\n{TEXT}")}));
    // A second try is the same message to the homeserver.
    assert_eq!(bench.request().await["path"], path);

    let forbidden = r#"{"errcode":"M_FORBIDDEN","error":"User not in room"}"#;
    let error = Bench::answering(&MATRIX, 403, forbidden).error().await;
    assert!(!error.retry && error.text.ends_with("answered 403: User not in room"), "{}", error.text);
    let often = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":2000}"#;
    let error = Bench::answering(&MATRIX, 429, often).error().await;
    assert_eq!((error.retry, error.after), (true, Some(Span::secs(3))));
}

#[tokio::test]
async fn home_assistant_gets_a_call_of_its_notifier() {
    let request = Bench::answering(&HOME_ASSISTANT, 200, HOME_ASSISTANT.good).request().await;
    let path = "/api/services/notify/mobile_app_phone";
    let token = "Bearer eyJ0eXAiOic4nary.eyJpc3Mi.x-y_z";
    assert_eq!(head(&request, "authorization"), ["POST", path, "application/json", token]);
    assert_eq!(json_of(&request), json!({"title": TITLE, "message": TEXT}));

    let error = Bench::answering(&HOME_ASSISTANT, 401, "401: Unauthorized").error().await;
    assert!(!error.retry && error.text.contains("answered 401: 401: Unauthorized"), "{}", error.text);
}

#[tokio::test]
async fn each_service_s_answer_is_told_from_somebody_else_s() {
    for shipped in ALL {
        let bench = Bench::answering(&shipped, 200, shipped.good);
        let receipt = bench.send().await.unwrap();
        assert_eq!(receipt.text, format!("{} answered 200", bench.at), "{}", shipped.plugin);
        // A portal that asks for money answers 200 to everything; these two have no word of their own to tell.
        if !["discord", "home-assistant"].contains(&shipped.plugin) {
            let error = Bench::answering(&shipped, 200, "<html>Log in to WLAN").error().await;
            assert!(error.retry && error.text.contains("this is not"), "{}: {}", shipped.plugin, error.text);
        }
        let error = Bench::answering(&shipped, 503, "busy").error().await;
        assert!(
            error.retry && error.text.ends_with("answered 503: busy"),
            "{}: {}",
            shipped.plugin,
            error.text
        );
    }
}

#[tokio::test]
async fn no_secret_of_a_plugin_comes_back_in_a_text() {
    let short = Message { title: "t".to_owned(), text: "x".to_owned(), ..message() };
    for shipped in ALL {
        let echo = |status: u16, body: &str| json!({"status": status, "body": body, "headers": {"Location": "https://localhost:1{path}"}});
        let mut bench = Bench::new(
            &shipped,
            &[echo(400, "{echo}"), echo(200, "{echo}"), echo(302, ""), echo(500, "{body}")],
        );
        let debug = format!(
            "{:?}",
            loaded(bench.dir.path(), &section_of(bench.dir.path())).unwrap().service.channels
        );
        assert!(debug.contains(shipped.plugin) && !debug.contains(CANARY), "{debug}");
        let mut texts = Vec::new();
        for _ in 0..4 {
            texts.push(match bench.channel.send(&short, short.raised_at).await {
                Ok(receipt) => receipt.text,
                Err(error) => error.text,
            });
            let request = bench.server.received().await.to_string();
            assert!(request.contains(CANARY), "{}: {request}", shipped.plugin);
        }
        assert!(texts.iter().any(|text| text.contains("[secret]")), "{}: {texts:?}", shipped.plugin);
        assert!(texts[2].contains("redirects are not followed"), "{texts:?}");
        for text in texts {
            assert!(!text.contains(CANARY) && !text.contains("YzRuYXJ5"), "{}: {text}", shipped.plugin);
        }
    }
}

/// The section that the bench wrote.
fn section_of(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("simbell.toml")).unwrap();
    text.split_once("[channels.it]\n").unwrap().1.to_owned()
}

#[test]
fn settings_are_checked_by_the_manifest_with_their_place() {
    let folder = scratch();
    let dir = folder.path();
    for name in ["telegram", "wecom", "gotify"] {
        copy_plugin(name, dir, |text| text);
    }
    fs::write(dir.join("credentials/token"), "123").unwrap();
    fs::write(dir.join("credentials/hook"), "https://evil.example.org/send?key=c4nary").unwrap();
    let problems = |section: &str| loaded(dir, section).unwrap_err();
    let token = "token = { credential = \"token\" }";
    for (section, expected) in [
        (
            "kind = \"telegrem\"",
            "5:8: channels.it.kind: \"telegrem\" is no kind of channel and no channel plugin; did you mean \"telegram\"?",
        ),
        (
            "kind = \"xmpp\"",
            "there are email, ntfy, webhook, sms, desktop, journal, terminal, gotify, telegram, wecom",
        ),
        (
            "kind = \"telegram\"",
            "4:11: channels.it: the key `chat` is missing; add chat = …, as the plugin's README says",
        ),
        ("kind = \"telegram\"", "the key `token` is missing; add token = { credential = \"name\" }"),
        (
            "kind = \"telegram\"\ntoken = \"123\"\nchat = \"1\"",
            "6:1: channels.it.token: a secret must not stand in the configuration",
        ),
        (
            &format!("kind = \"telegram\"\n{token}\nchat = 42"),
            "7:8: channels.it.chat: is not what the plugin takes, expected a text in quotes",
        ),
        (
            &format!("kind = \"telegram\"\n{token}\nchat = \"1\"\nchatt = \"2\""),
            "8:1: channels.it.chatt: unknown key; did you mean `chat`?",
        ),
        (
            "kind = \"wecom\"\nwebhook = { credential = \"hook\" }",
            "6:1: channels.it.webhook: leads to https://evil.example.org:443, but the plugin \"wecom\" sends by https to qyapi.weixin.qq.com only",
        ),
        (
            "kind = \"wecom\"\nwebhook = \"http://qyapi.weixin.qq.com/x\"",
            "6:1: channels.it.webhook: is plain http to another machine",
        ),
        (
            "kind = \"wecom\"\nwebhook = \"http://qyapi.weixin.qq.com/x\"\nallow_plaintext = true",
            "leads to http://qyapi.weixin.qq.com:80",
        ),
        (&format!("kind = \"gotify\"\nurl = \"gotify\"\n{token}"), "6:1: channels.it.url: is not an address"),
        (
            &format!("kind = \"gotify\"\nurl = \"https://me:c4nary@example.org\"\n{token}"),
            "6:1: channels.it.url: is not an address",
        ),
        (
            &format!("kind = \"gotify\"\nurl = \"http://192.168.1.1\"\n{token}\ntimeout = 5"),
            "8:11: channels.it.timeout: ",
        ),
    ] {
        let said = problems(section);
        assert!(said.contains(expected), "{section}\n{said}");
        assert!(!said.contains(CANARY), "{said}");
    }
    let good =
        channel(dir, &format!("kind = \"gotify\"\nurl = \"http://192.168.1.1\"\n{token}\ndaily_cap = 3"));
    assert_eq!(good.kind(), "gotify");
    assert_eq!(
        good.caution(),
        Some("what is sent to 192.168.1.1 can be read on the way, secrets too: use https://")
    );
}
