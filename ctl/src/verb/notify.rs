//! Desktop notifications, by the one method of `org.freedesktop.Notifications` that they need (Desktop Notifications
//! Specification 1.2).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use simbell_api::{MonitorEvent, MonitorKind, Reminder};
use zbus::Variant;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[expect(clippy::too_many_arguments, reason = "as the specification has it")]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, Variant<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;
}

/// The desktop, and what it has been shown.
#[derive(Default)]
pub(super) struct Desktop {
    connection: Option<zbus::Connection>,
    /// Reminder key, time raised, occurrence.
    shown: BTreeSet<(String, String, u32)>,
    /// The notification of each reminder, to be replaced when it is said again.
    ids: BTreeMap<String, u32>,
    /// Channels that are the desktop.
    channels: BTreeMap<String, bool>,
    /// To be shown, again after a failure.
    waiting: Vec<Reminder>,
    told: bool,
    ready: bool,
}

impl Desktop {
    /// Shows what is to be shown. Fails once in words where the desktop cannot, and tries again with each event.
    pub(super) async fn take(&mut self, event: &MonitorEvent) -> Result<(), String> {
        match event.kind() {
            MonitorKind::Channel => {
                if let Some(channel) = &event.channel {
                    self.channels.insert(channel.name.clone(), channel.kind == "desktop");
                }
            }
            // What fires already was said before this began to follow: shown once the channels are known.
            MonitorKind::Reminder | MonitorKind::Said => {
                if let Some(reminder) = &event.reminder {
                    self.waiting.retain(|other| other.key != reminder.key);
                    if reminder.state == "firing" || event.kind() == MonitorKind::Said {
                        self.waiting.push(reminder.clone());
                    }
                }
            }
            _ => {}
        }
        // In the full state reminders come before channels.
        self.ready |= event.kind() == MonitorKind::Ready;
        if self.ready { self.show().await } else { Ok(()) }
    }

    async fn show(&mut self) -> Result<(), String> {
        while let Some(reminder) = self.waiting.first().cloned() {
            let mark = (reminder.key.clone(), reminder.raised_at.clone(), reminder.occurrence);
            if self.is_for_the_desktop(&reminder) && !self.shown.contains(&mark) {
                match self.send(&reminder).await {
                    Ok(id) => {
                        self.ids.insert(reminder.key.clone(), id);
                        self.shown.insert(mark);
                        self.told = false;
                    }
                    Err(error) => {
                        self.connection = None;
                        let first = !std::mem::replace(&mut self.told, true);
                        return if first {
                            Err(format!(
                                "the desktop shows no notifications ({error}); tried again as things happen. Is a \
                                 notification daemon running in this session?"
                            ))
                        } else {
                            Ok(())
                        };
                    }
                }
            }
            self.waiting.remove(0);
        }
        Ok(())
    }

    /// Whether one of its deliveries goes to the desktop; any will do where no desktop channel is configured.
    fn is_for_the_desktop(&self, reminder: &Reminder) -> bool {
        !self.channels.values().any(|is_desktop| *is_desktop)
            || reminder.deliveries.iter().any(|delivery| self.channels.get(&delivery.channel) == Some(&true))
    }

    async fn send(&mut self, reminder: &Reminder) -> zbus::Result<u32> {
        let connection = match &self.connection {
            Some(connection) => connection.clone(),
            None => self.connection.insert(zbus::Connection::session().await?).clone(),
        };
        let proxy = NotificationsProxy::new(&connection).await?;
        let urgency: u8 = match reminder.urgency.as_str() {
            "info" => 0,
            "critical" => 2,
            _ => 1,
        };
        let hints =
            HashMap::from([("urgency", Variant::from(urgency)), ("desktop-entry", Variant::from("simbell"))]);
        let title = reminder.sim_name.as_deref().unwrap_or("simbell");
        let replaces = self.ids.get(&reminder.key).copied().unwrap_or(0);
        proxy.notify("simbell", replaces, "", &clean(title), &markup(&reminder.text), &[], hints, -1).await
    }
}

fn clean(text: &str) -> String {
    crate::show::text::safe(text)
}

/// The body may hold markup, which a text from a network must not.
fn markup(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_brings_no_markup() {
        assert_eq!(markup("<b>5 < 6 & 7</b>\u{1b}"), "&lt;b&gt;5 &lt; 6 &amp; 7&lt;/b&gt;\u{fffd}");
    }
}
