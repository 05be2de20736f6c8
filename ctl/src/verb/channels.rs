//! `channels list` and `test`.

use simbell_api::{Channel, Client};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::table::{Column, Table};
use crate::show::text;

pub(super) async fn list(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let channels = client.channels().await?;
    if out.json {
        for channel in &channels {
            out.json(channel)?;
        }
    } else if channels.is_empty() {
        out.text("No channels are configured.\n")?;
    } else {
        let page = table(&channels, out);
        out.text(&page)?;
    }
    Ok(Verdict::Done)
}

pub(super) async fn test(client: &mut Client, out: &mut Out, name: &str) -> Result<Verdict, CtlError> {
    let outcome = client.test_channel(name).await?;
    if outcome.state == "failed" {
        let error = outcome.error.unwrap_or_else(|| "the channel did not say why".to_owned());
        return Err(CtlError::failed(
            "ChannelFailed",
            format!("the test message by {name} failed: {error}"),
            "check the channel's settings with `simbellctl config check`, mend what the message says, and reload",
        ));
    }
    if out.json {
        out.json(&outcome)?;
    } else if outcome.state == "delivered" {
        out.text(&format!("{} delivered a test message.\n", text::safe(name)))?;
    } else {
        out.text(&format!(
            "{} has a test message {}; see `simbellctl channels` in a moment.\n",
            text::safe(name),
            text::safe(&outcome.state)
        ))?;
    }
    Ok(Verdict::Done)
}

/// A line a channel.
pub(super) fn table(channels: &[Channel], out: &Out) -> String {
    let mut table = Table::new(vec![
        ("CHANNEL", Column::Text),
        ("KIND", Column::Whole),
        ("STATE", Column::Whole),
        ("A DAY", Column::Number),
        ("", Column::Text),
    ]);
    for channel in channels {
        let mut remarks = Vec::new();
        if channel.is_default {
            remarks.push("default".to_owned());
        }
        if let Some(error) = &channel.last_error {
            remarks.push(error.clone());
        }
        let cap = channel.daily_cap.map_or_else(|| "-".to_owned(), |cap| format!("max {cap}"));
        table.row(vec![
            channel.name.clone(),
            channel.kind.clone(),
            channel.state.clone(),
            cap,
            remarks.join("; "),
        ]);
    }
    table.render(out.width, out.color)
}
