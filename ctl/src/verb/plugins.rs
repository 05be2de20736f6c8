//! `plugins list`, `show`, `enable`, `disable`, `approve` and `check`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use simbell_api::{Client, Plugin, PluginReply};

use super::{Verdict, check as checker};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::records::{self, paragraph};
use crate::show::table::{Column, Table};
use crate::show::text::safe;

pub(super) async fn list(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let plugins = client.plugins().await?;
    if out.json {
        for plugin in &plugins {
            out.json(plugin)?;
        }
        return Ok(Verdict::Done);
    }
    if plugins.is_empty() {
        let page = match client.plugins_folder().await? {
            Some(folder) => format!("There are no plugins. Copy the folder of one into {}.\n", safe(&folder)),
            None => "There are no plugins. `plugin_dirs` under [rules] says where they are.\n".to_owned(),
        };
        out.text(&page)?;
        return Ok(Verdict::Done);
    }
    let mut table = Table::new(vec![
        ("PLUGIN", Column::Text),
        ("KIND", Column::Whole),
        ("STATE", Column::Whole),
        ("WHAT IT DOES", Column::Text),
    ]);
    let mut below = String::new();
    for plugin in &plugins {
        table.row(vec![plugin.name.clone(), plugin.kind.clone(), state(plugin), plugin.description.clone()]);
        if let Some(problem) = &plugin.problem {
            below.push_str(&format!("\n! {}\n{}", safe(&plugin.name), records::problem(problem, out.width)));
        }
        if plugin.enabled && !waiting(plugin).is_empty() && !available(plugin) {
            let words = format!(
                "It asks for {}, which is not approved: `simbellctl plugins approve {}`.",
                waiting(plugin).join(", "),
                plugin.name
            );
            below.push_str(&format!("\n! {}\n{}", safe(&plugin.name), paragraph(&words, out.width)));
        }
        if plugin.decided_by == "nobody" && plugin.problem.is_none() && plugin.kind != "carrier" {
            let mut words = format!("It waits to be enabled: `simbellctl plugins enable {}`.", plugin.name);
            if let Some(other) = plugins.iter().find(|other| other.name == plugin.name && other.enabled) {
                words.push_str(&format!(" Until then the one in {} runs on.", other.folder));
            }
            below.push_str(&format!("\n! {}\n{}", safe(&plugin.name), paragraph(&words, out.width)));
        }
    }
    let page = table.render(out.width, out.color) + &below;
    out.text(&page)?;
    Ok(Verdict::Done)
}

pub(super) async fn show(client: &mut Client, out: &mut Out, name: &str) -> Result<Verdict, CtlError> {
    // One that waits to be enabled is shown after the one that runs.
    let Named { counts, later } = named(client, name).await?;
    if out.json {
        [Some(counts), later].iter().flatten().try_for_each(|plugin| out.json(plugin))?;
        return Ok(Verdict::Done);
    }
    let mut text = page(&counts, out);
    if let Some(later) = later {
        text.push('\n');
        text.push_str(&page(&later, out));
    }
    out.text(&text)?;
    Ok(Verdict::Done)
}

fn page(plugin: &Plugin, out: &Out) -> String {
    let api = plugin.api.map_or_else(String::new, |api| format!(", api {api}"));
    let decided = match plugin.decided_by.as_str() {
        "configuration" => ", by the configuration",
        "person" => ", by decision of an administrator",
        "manifest" => ", as it is by itself",
        _ => "",
    };
    let mut page = format!(
        "{}: {}\n  kind      {}{api}\n  state     {}{decided}\n  folder    {}\n",
        safe(&plugin.name),
        safe(&plugin.description),
        safe(&plugin.kind),
        state(plugin),
        safe(&plugin.folder)
    );
    if !plugin.languages.is_empty() {
        page.push_str(&format!("  languages {}\n", safe(&plugin.languages.join(", "))));
    }
    if plugin.kind == "carrier" {
        page.push_str("  This version has no use for carrier plugins: nothing runs it.\n");
    }
    page.push_str(&permissions(plugin));
    if !plugin.settings.is_empty() {
        let mut table = Table::new(vec![
            ("SETTING", Column::Text),
            ("TYPE", Column::Whole),
            ("DEFAULT", Column::Text),
            ("IN FORCE", Column::Text),
            ("FROM", Column::Whole),
            ("WHAT FOR", Column::Text),
        ]);
        for setting in &plugin.settings {
            let value = match (&setting.value, setting.secret) {
                (_, true) => "(secret)".to_owned(),
                (Some(value), _) => value.clone(),
                (None, _) => "–".to_owned(),
            };
            table.row(vec![
                setting.name.clone(),
                setting.kind.clone(),
                setting.default.clone().unwrap_or_else(|| "–".to_owned()),
                value,
                setting.origin.clone(),
                setting.description.clone(),
            ]);
        }
        page.push('\n');
        page.push_str(&table.render(out.width, out.color));
    }
    if let Some(problem) = &plugin.problem {
        page.push_str(&format!("\n! {}", records::problem(problem, out.width)));
    }
    page
}

pub(super) async fn enable(
    client: &mut Client,
    out: &mut Out,
    name: &str,
    yes: bool,
) -> Result<Verdict, CtlError> {
    let plugin = named(client, name).await?.newest();
    let asked = agreed(&plugin, yes, "enable")?;
    let reply = client.enable_plugin(name, &asked).await?;
    let said = if reply.plugin.enabled { "is on" } else { "stays off" };
    changed(out, &reply, said)
}

pub(super) async fn disable(client: &mut Client, out: &mut Out, name: &str) -> Result<Verdict, CtlError> {
    let reply = client.disable_plugin(name).await?;
    let said = if reply.plugin.enabled { "stays on" } else { "is off" };
    changed(out, &reply, said)
}

pub(super) async fn approve(
    client: &mut Client,
    out: &mut Out,
    name: &str,
    yes: bool,
) -> Result<Verdict, CtlError> {
    let plugin = named(client, name).await?.counts;
    let asked = agreed(&plugin, yes, "approve")?;
    let reply = client.approve_plugin(name, &asked).await?;
    let said = if asked.is_empty() { "asks for nothing" } else { "has its permissions approved" };
    changed(out, &reply, said)
}

pub(super) async fn check(socket: &Path, out: &mut Out, plugin: &str) -> Result<Verdict, CtlError> {
    if Path::new(plugin).is_dir() {
        return checker::rules(out, &[PathBuf::from(plugin)], None);
    }
    let mut client = super::connect(socket, out).await?;
    let folder = named(&mut client, plugin).await?.newest().folder;
    checker::rules(out, &[PathBuf::from(folder)], None)
}

/// The plugins of one name: that which counts, and one that waits to be enabled while it runs.
struct Named {
    counts: Plugin,
    later: Option<Plugin>,
}

impl Named {
    fn newest(self) -> Plugin {
        self.later.unwrap_or(self.counts)
    }
}

async fn named(client: &mut Client, name: &str) -> Result<Named, CtlError> {
    let plugins = client.plugins().await?;
    let folder = if plugins.is_empty() { client.plugins_folder().await? } else { None };
    let mut known: Vec<String> = plugins.iter().map(|plugin| plugin.name.clone()).collect();
    known.dedup();
    let mut all = plugins.into_iter().filter(|plugin| plugin.name == name);
    all.next().map(|counts| Named { counts, later: all.next() }).ok_or_else(|| {
        let hint = if known.is_empty() {
            folder.map_or_else(
                || "`plugin_dirs` under [rules] says where plugins are".to_owned(),
                |folder| format!("copy its folder into {folder}"),
            )
        } else {
            format!("there are: {}", known.join(", "))
        };
        CtlError::failed("UnknownPlugin", format!("no plugin is called {name:?}"), hint)
    })
}

/// What it asks for, once a person agrees to that, or has said so beforehand.
fn agreed(plugin: &Plugin, yes: bool, verb: &str) -> Result<Vec<String>, CtlError> {
    let asked: Vec<String> = plugin.permissions.iter().map(|one| one.name.clone()).collect();
    let new = waiting(plugin);
    if yes || new.is_empty() {
        return Ok(asked);
    }
    let mut stderr = io::stderr();
    let words = format!("{} asks for:\n{}", safe(&plugin.name), permissions(plugin));
    // Where it is closed nobody is asked; the answer that is missing says so.
    let _closed = stderr.write_all(words.as_bytes());
    if !io::stdin().is_terminal() {
        return Err(CtlError::usage(
            format!("{} has to be agreed to", new.join(", ")),
            format!("`simbellctl plugins {verb} {} --yes` agrees", plugin.name),
        ));
    }
    let _closed = stderr.write_all(b"Is it to be allowed that? [y/N] ").and_then(|()| stderr.flush());
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| CtlError::io("the answer cannot be read", error))?;
    if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(asked);
    }
    Err(CtlError::failed("NotAgreed", "nothing was changed", "answer y to agree"))
}

fn changed(out: &mut Out, reply: &PluginReply, said: &str) -> Result<Verdict, CtlError> {
    if out.json {
        out.json(reply)?;
        return Ok(Verdict::Done);
    }
    let mut page = format!("{} {said}.\n", safe(&reply.plugin.name));
    if let Some(note) = &reply.note {
        page.push_str(&paragraph(note, out.width));
    }
    out.text(&page)?;
    Ok(Verdict::Done)
}

fn permissions(plugin: &Plugin) -> String {
    let line = |one: &simbell_api::PluginPermission| {
        let approved = if one.approved { "approved" } else { "not approved" };
        let allowed = if one.allowed { "" } else { ", not allowed by the configuration" };
        format!("  may ask   {}: {}; {approved}{allowed}\n", safe(&one.name), meaning(&one.name))
    };
    plugin.permissions.iter().map(line).collect()
}

fn meaning(permission: &str) -> String {
    match permission {
        "send-sms" => "send short messages, which cost money".to_owned(),
        "send-ussd" => "talk to the network by USSD, which may cost money".to_owned(),
        "disconnect" => "end connections".to_owned(),
        host => match host.strip_prefix("host:") {
            Some(host) => match host.strip_prefix('{').and_then(|host| host.strip_suffix('}')) {
                Some(setting) => format!("send reminders to the address that you set as `{}`", safe(setting)),
                None => format!("send reminders to {}", safe(host)),
            },
            None => "something this program does not know".to_owned(),
        },
    }
}

fn state(plugin: &Plugin) -> String {
    let state = match plugin {
        Plugin { problem: Some(_), .. } => "broken",
        Plugin { kind, .. } if kind == "carrier" => "not used",
        plugin if available(plugin) => "available",
        Plugin { enabled: true, .. } if !waiting(plugin).is_empty() => "on, waits",
        Plugin { enabled: true, .. } => "on",
        Plugin { decided_by, .. } if decided_by == "nobody" => "new",
        _ => "off",
    };
    state.to_owned()
}

/// A kind of channel that nobody decided about and the configuration does not use: nothing waits for it.
fn available(plugin: &Plugin) -> bool {
    plugin.kind == "channel" && plugin.enabled && plugin.decided_by == "manifest"
}

fn waiting(plugin: &Plugin) -> Vec<&str> {
    plugin.permissions.iter().filter(|one| !one.approved).map(|one| one.name.as_str()).collect()
}
