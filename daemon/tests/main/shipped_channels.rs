//! The channel plugins that come with the program, each set up against a server of the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use simbell_core::reminder::{Message, Urgency};
use simbell_core::time::Timestamp;
use simbell_notify::{Channel, Receipt, SendError, build_channels};
use simbelld::config::{Environment, load};
use tempfile::TempDir;

use crate::receivers::{Receiver, authority};

/// Found in no text that is shown.
pub const CANARY: &str = "c4nary";

/// A plugin as shipped, what its channel is configured with, and the hosts of its service.
pub struct Shipped {
    pub plugin: &'static str,
    /// `HOST` stands for the server's name and port.
    pub settings: &'static str,
    pub secrets: &'static [(&'static str, &'static str)],
    pub hosts: &'static [&'static str],
    /// What the service answers when it takes a message.
    pub good: &'static str,
}

pub const TELEGRAM: Shipped = Shipped {
    plugin: "telegram",
    settings: "token = { credential = \"token\" }\nchat = \"-10042\"",
    secrets: &[("token", "110201543:c4naryAAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")],
    hosts: &["api.telegram.org"],
    good: r#"{"ok":true,"result":{"message_id":7}}"#,
};
pub const GOTIFY: Shipped = Shipped {
    plugin: "gotify",
    settings: "url = \"https://HOST/push/\"\ntoken = { credential = \"token\" }",
    secrets: &[("token", "Ac4nary.9xKq")],
    hosts: &[],
    good: r#"{"id":25,"appid":5,"message":"m","title":"t","priority":7,"date":"2026-11-22T07:05:00Z"}"#,
};
pub const PUSHOVER: Shipped = Shipped {
    plugin: "pushover",
    settings: "token = { credential = \"token\" }\nuser = { credential = \"user\" }\nsound = \"siren\"",
    secrets: &[("token", "azGDORePK8c4nary"), ("user", "uQiRzpo4c4nary")],
    hosts: &["api.pushover.net"],
    good: r#"{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}"#,
};
pub const BARK: Shipped = Shipped {
    plugin: "bark",
    settings: "url = \"https://HOST\"\nkey = { credential = \"key\" }\nsound = \"minuet\"",
    secrets: &[("key", "ynJ5c4naryPAvFhF")],
    hosts: &[],
    good: r#"{"code":200,"message":"success","timestamp":1795327500}"#,
};
pub const SERVERCHAN: Shipped = Shipped {
    plugin: "serverchan",
    settings: "url = \"https://HOST\"\nsendkey = { credential = \"key\" }",
    secrets: &[("key", "SCT8276Tc4nary")],
    hosts: &[],
    good: r#"{"code":0,"message":"","data":{"pushid":"1","readkey":"SCTx","error":"SUCCESS","errno":0}}"#,
};
pub const WECOM: Shipped = Shipped {
    plugin: "wecom",
    settings: "webhook = { credential = \"webhook\" }\nmention = [\"@all\"]",
    secrets: &[("webhook", "https://HOST/cgi-bin/webhook/send?key=693a91f6-c4nary-4e73")],
    hosts: &["qyapi.weixin.qq.com"],
    good: r#"{"errcode":0,"errmsg":"ok"}"#,
};
pub const DINGTALK: Shipped = Shipped {
    plugin: "dingtalk",
    settings: "webhook = { credential = \"webhook\" }\nsecret = { credential = \"secret\" }\nmention = [\"13800138000\"]",
    secrets: &[
        ("webhook", "https://HOST/robot/send?access_token=bdc4nary92ad"),
        ("secret", "SECc4nary0123456789abcdef"),
    ],
    hosts: &["oapi.dingtalk.com"],
    good: r#"{"errcode":0,"errmsg":"ok"}"#,
};
pub const FEISHU: Shipped = Shipped {
    plugin: "feishu",
    settings: "webhook = { credential = \"webhook\" }\nsecret = { credential = \"secret\" }",
    secrets: &[
        ("webhook", "https://HOST/open-apis/bot/v2/hook/c4nary-8d0f-4c1a"),
        ("secret", "c4naryJ8kPqTz"),
    ],
    hosts: &["open.feishu.cn", "open.larksuite.com"],
    good: r#"{"code":0,"msg":"success","data":{}}"#,
};
pub const DISCORD: Shipped = Shipped {
    plugin: "discord",
    settings: "webhook = { credential = \"webhook\" }\nusername = \"simbell\"",
    secrets: &[("webhook", "https://HOST/api/webhooks/223704706495545344/3d89bb75c4nary")],
    hosts: &["discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"],
    good: "",
};
pub const SLACK: Shipped = Shipped {
    plugin: "slack",
    settings: "webhook = { credential = \"webhook\" }",
    secrets: &[("webhook", "https://HOST/services/T00000000/B00000000/c4naryXXXXXXXX")],
    hosts: &["hooks.slack.com", "hooks.slack-gov.com"],
    good: "ok",
};
pub const MATRIX: Shipped = Shipped {
    plugin: "matrix",
    settings: "url = \"https://HOST\"\ntoken = { credential = \"token\" }\nroom = \"!636q39766251:example.com\"",
    secrets: &[("token", "syt_c4nary_AbCdEf")],
    hosts: &[],
    good: r#"{"event_id":"$YUwRidLecu:example.com"}"#,
};
pub const HOME_ASSISTANT: Shipped = Shipped {
    plugin: "home-assistant",
    settings: "url = \"https://HOST\"\ntoken = { credential = \"token\" }\nservice = \"mobile_app_phone\"",
    secrets: &[("token", "eyJ0eXAiOic4nary.eyJpc3Mi.x-y_z")],
    hosts: &[],
    good: "[]",
};

pub const ALL: [Shipped; 12] = [
    TELEGRAM,
    GOTIFY,
    PUSHOVER,
    BARK,
    SERVERCHAN,
    WECOM,
    DINGTALK,
    FEISHU,
    DISCORD,
    SLACK,
    MATRIX,
    HOME_ASSISTANT,
];

pub fn message() -> Message {
    Message {
        title: "漫游卡: \"80%\" & <more>".to_owned(),
        text: "已用 8 GB，共 10 GB。\n3 days left.".to_owned(),
        urgency: Urgency::Critical,
        key: "data/80/0014".to_owned(),
        sim_name: Some("漫游卡".to_owned()),
        raised_at: Timestamp::from_secs(1_794_990_000),
        id: "data/80/0014#1/it".to_owned(),
        language: "zh".to_owned(),
    }
}

/// A plugin under test: a copy of it whose hosts are the test's own server, so that the whole way is taken, TLS included.
pub struct Bench {
    pub channel: Channel,
    pub server: Receiver,
    /// `https://localhost:PORT`.
    pub at: String,
    pub dir: TempDir,
}

impl Bench {
    pub fn new(shipped: &Shipped, replies: &[Value]) -> Self {
        let made = authority();
        let replies: Vec<String> = replies.iter().map(ToString::to_string).collect();
        let mut arguments = vec!["--cert", made.cert.as_str(), "--key", made.key.as_str()];
        arguments.extend(replies.iter().flat_map(|reply| ["--reply", reply.as_str()]));
        let server = Receiver::http(&arguments);
        let host = format!("localhost:{}", server.port);
        let dir = scratch();
        copy_plugin(shipped.plugin, dir.path(), |text| {
            shipped.hosts.iter().fold(text, |text, service| {
                let text = text.replace(&format!("\"{service}\""), &format!("\"{host}\""));
                text.replace(&format!("https://{service}/"), &format!("https://{host}/"))
            })
        });
        for (name, secret) in shipped.secrets {
            fs::write(dir.path().join("credentials").join(name), secret.replace("HOST", &host)).unwrap();
        }
        let settings = shipped.settings.replace("HOST", &host);
        let section = format!("kind = \"{}\"\nca_file = \"{}\"\n{settings}\n", shipped.plugin, made.ca);
        let channel = channel(dir.path(), &section);
        Self { channel, server, at: format!("https://{host}"), dir }
    }

    pub fn answering(shipped: &Shipped, status: u16, body: &str) -> Self {
        Self::new(shipped, &[json!({"status": status, "body": body})])
    }

    pub async fn send(&self) -> Result<Receipt, SendError> {
        self.channel.send(&message(), message().raised_at).await
    }

    /// Sends, and gives what the server received.
    pub async fn request(&mut self) -> Value {
        self.send().await.unwrap();
        self.server.received().await
    }

    pub async fn error(&self) -> SendError {
        self.send().await.unwrap_err()
    }
}

pub fn scratch() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("credentials")).unwrap();
    fs::create_dir_all(dir.path().join("plugins/channels")).unwrap();
    dir
}

pub fn copy_plugin(name: &str, dir: &Path, changed: impl Fn(String) -> String) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/channels").join(name);
    let to = dir.join("plugins/channels").join(name);
    fs::create_dir_all(&to).unwrap();
    for file in ["plugin.toml", "main.rhai"] {
        fs::write(to.join(file), changed(fs::read_to_string(from.join(file)).unwrap())).unwrap();
    }
}

pub fn loaded(dir: &Path, section: &str) -> Result<simbelld::config::Loaded, String> {
    let text = format!("timezone = \"UTC\"\n[rules]\nplugin_dirs = [\"plugins\"]\n[channels.it]\n{section}");
    fs::write(dir.join("simbell.toml"), text).unwrap();
    let env = Environment { credentials_dir: Some(dir.join("credentials")), ..Environment::of_process() };
    load(&dir.join("simbell.toml"), &env)
        .map_err(|problems| problems.to_string().replace(&format!("{}/", dir.display()), ""))
}

pub fn channel(dir: &Path, section: &str) -> Channel {
    let loaded = loaded(dir, section).unwrap_or_else(|problems| panic!("{problems}"));
    let wrong: Vec<&String> =
        loaded.service.scripted.values().filter_map(|one| one.problem.as_ref()).collect();
    assert_eq!(wrong, [""; 0]);
    build_channels(loaded.service.channels, None).unwrap().pop_first().unwrap().1
}

pub fn json_of(request: &Value) -> Value {
    serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
}

/// Method, path, media type, and what proves who sends it; no other header but the service's own.
pub fn head(request: &Value, credential: &str) -> [String; 4] {
    let headers = request["headers"].as_object().unwrap();
    let own = ["host", "user-agent", "idempotency-key", "content-type", "content-length"];
    for name in headers.keys() {
        assert!(own.contains(&name.as_str()) || name == credential, "{name}");
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let header = |name: &str| headers.get(name).map(text).unwrap_or_default();
    assert!(header("user-agent").starts_with("simbell/"));
    assert_eq!(header("idempotency-key"), "data/80/0014#1/it");
    [text(&request["method"]), text(&request["path"]), header("content-type"), header(credential)]
}

/// Base 64 of HMAC-SHA-256, by Python.
pub fn signed(key: &str, text: &str) -> String {
    let program = "import base64,hashlib,hmac,sys\n\
                   print(base64.b64encode(hmac.new(sys.argv[1].encode(),sys.argv[2].encode(),hashlib.sha256).digest()).decode())";
    let python = std::env::var("SIMBELL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).args(["-c", program, key, text]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
