//! `watch --notify` with a real notification daemon on a bus of its own.

use std::process::Child;

use super::follow::Watching;
use super::*;

/// Processes ended when dropped, the last first.
struct Session {
    children: Vec<Child>,
    bus: String,
    display: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _gone = child.kill();
            let _ended = child.wait();
        }
    }
}

fn needed(program: &str, package: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    assert!(found, "{program} is missing: install the package {package}");
    Command::new(program)
}

impl Session {
    /// A bus, a display and dunst.
    fn start(scratch: &Scratch) -> Self {
        let bus = format!("unix:path={}", scratch.path().join("bus").display());
        let mut session = Self { children: Vec::new(), bus: bus.clone(), display: String::new() };
        let daemon = needed("dbus-daemon", "dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", &format!("--address={bus}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        session.children.push(daemon);
        eventually("the bus is there", || scratch.path().join("bus").exists());

        // Xvfb picks a free number and writes it down.
        let mut server = needed("Xvfb", "xvfb")
            .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut number)
            .unwrap();
        session.children.push(server);
        session.display = format!(":{}", number.trim());
        assert!(session.display.len() > 1, "Xvfb told no display");
        session
    }

    fn start_dunst(&mut self) {
        let mut dunst = needed("dunst", "dunst");
        self.surround(&mut dunst);
        self.children.push(dunst.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn surround(&self, command: &mut Command) {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus).env("DISPLAY", &self.display);
    }

    /// Texts of what is displayed or was: (summary, body).
    fn shown(&self) -> Vec<(String, String)> {
        let mut dunstctl = needed("dunstctl", "dunst");
        self.surround(&mut dunstctl);
        // What is displayed joins the history when it is closed.
        let mut close = needed("dunstctl", "dunst");
        self.surround(&mut close);
        close.arg("close-all").output().unwrap();
        let output = dunstctl.arg("history").output().unwrap();
        let Ok(history) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else {
            return Vec::new();
        };
        let text =
            |entry: &serde_json::Value, key: &str| entry[key]["data"].as_str().unwrap_or("").to_owned();
        history["data"][0]
            .as_array()
            .map(|entries| {
                entries.iter().map(|entry| (text(entry, "summary"), text(entry, "body"))).collect()
            })
            .unwrap_or_default()
    }
}

#[test]
fn reminders_are_displayed_once_each_by_a_real_notification_daemon() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let mut session = Session::start(&scratch);

    // The service is not there yet, nor is the notification daemon: both are waited for.
    let mut command = ctl(&socket);
    command.args(["watch", "--notify"]);
    session.surround(&mut command);
    let watching = Watching::start(command);
    watching.note("trying again");
    let served = Served::start(&socket, Fake::new(64));
    watching.note("the desktop shows no notifications");
    session.start_dunst();

    // Said while nobody could show it; shown now, with what is said next.
    let mut all = Vec::new();
    served.fake.say("expires/0011");
    eventually("both reminders are displayed", || {
        // dunst may own its name only after a reminder was said; the next one brings what waits.
        if all.is_empty() {
            served.fake.say("expires/0011");
        }
        all = session.shown();
        all.len() >= 2
    });
    assert!(all.iter().all(|(summary, _)| summary == "home"), "{all:?}");
    assert!(all.iter().any(|(_, body)| body.contains("80 % of 6 GB used")), "{all:?}");

    // A restart of the service tells the whole state anew, and nothing is displayed again.
    let before = session.shown().len();
    let fake = Arc::clone(&served.fake);
    drop(served);
    watching.note("trying again");
    let served = Served::start_for(&socket, fake, Access::system());
    watching.note("the service is back");
    served.fake.say("last/0011");
    let mut after = 0;
    eventually("the next reminder is displayed", || {
        after = session.shown().len();
        after > before
    });
    assert_eq!(after, before + 1);
}
