//! The clocks: the only place where time is read.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use simbell_core::time::{Stamp, Timestamp};
use tokio::io::unix::AsyncFd;

/// No clock that is right shows less: the source was written then (2026-11-01T00:00:00Z).
const BUILT: Timestamp = Timestamp::from_secs(1_793_491_200);

/// Whether, and why, the wall clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// When it is plausible and somebody vouches for it: the kernel (synchronised), a battery-backed clock, or
    /// the host of a virtual machine.
    #[default]
    Auto,
    /// When it is plausible and the kernel or systemd-timesyncd says that it is synchronised.
    Synchronised,
    /// When it is plausible: for machines that are never synchronised and have their clock set by hand.
    Plausible,
}

/// Reads both clocks and judges the wall clock.
#[derive(Debug)]
pub struct Clock {
    trust: Trust,
    vouched_by_hardware: bool,
    /// Not before this: the newest instant in the ledger.
    newest: Timestamp,
}

impl Clock {
    /// A clock that must not be before `newest`.
    #[must_use]
    pub fn new(trust: Trust, newest: Option<Timestamp>) -> Self {
        Self { trust, vouched_by_hardware: has_hardware_clock(Path::new("/")), newest: not_before(newest) }
    }

    /// Judges by another rule from now on.
    pub fn set_trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// Another ledger takes the place of the one that was judged by: a wrong year in that one silences no more.
    pub fn set_newest(&mut self, newest: Option<Timestamp>) {
        self.newest = not_before(newest);
    }

    /// This instant, by both clocks.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let boot = clock_gettime(ClockId::Boottime);
        let wall = clock_gettime(ClockId::Realtime);
        let boot_ms = millis(boot.tv_sec, boot.tv_nsec);
        let wall = Timestamp::from_millis(millis(wall.tv_sec, wall.tv_nsec));
        Stamp {
            wall,
            boot_ms: u64::try_from(boot_ms).unwrap_or(0),
            trusted: self.believes(wall, synchronised),
        }
    }

    /// `synchronised`: the kernel's word, asked for only where it matters.
    fn believes(&self, wall: Timestamp, synchronised: impl FnOnce() -> bool) -> bool {
        // An hour of grace: a clock that is synchronised may be set back a little.
        let plausible = wall.as_secs().saturating_add(3_600) >= self.newest.as_secs();
        // A clock that once jumped ahead left entries in the future: the kernel's word is worth more than theirs.
        match self.trust {
            Trust::Plausible => plausible,
            Trust::Synchronised => wall >= BUILT && synchronised(),
            Trust::Auto => (plausible && self.vouched_by_hardware) || (wall >= BUILT && synchronised()),
        }
    }
}

fn not_before(newest: Option<Timestamp>) -> Timestamp {
    newest.map_or(BUILT, |newest| newest.max(BUILT))
}

/// The wall clock, believed or not: for a line that a person reads.
#[must_use]
pub fn wall() -> Timestamp {
    let wall = clock_gettime(ClockId::Realtime);
    Timestamp::from_millis(millis(wall.tv_sec, wall.tv_nsec))
}

fn millis(secs: i64, nanos: impl TryInto<i64>) -> i64 {
    secs.saturating_mul(1000).saturating_add(nanos.try_into().unwrap_or(0) / 1_000_000)
}

/// The kernel's word; and systemd-timesyncd's, since a unit with `ProtectClock=` may not ask the kernel.
fn synchronised() -> bool {
    simbell_adjtimex::synchronised() || Path::new("/run/systemd/timesync/synchronized").exists()
}

/// A battery-backed clock, or a host that hands its own time to a virtual machine.
fn has_hardware_clock(root: &Path) -> bool {
    root.join("sys/class/rtc/rtc0").exists()
        || root.join("proc/device-tree/hypervisor").exists()
        || std::fs::read_to_string(root.join("proc/cpuinfo"))
            .is_ok_and(|info| info.lines().any(|l| l.starts_with("flags") && l.contains(" hypervisor")))
}

/// Two kernel timers: one on `CLOCK_BOOTTIME`, which a resume from suspend does not delay, and one on the wall clock,
/// which the kernel cancels when somebody sets it.
#[derive(Debug)]
pub struct ClockWatch {
    wake: AsyncFd<OwnedFd>,
    set: AsyncFd<OwnedFd>,
    /// What the first timer is set to, by its clock; none where it is not, or has gone off.
    armed: Option<u64>,
}

impl ClockWatch {
    /// Opens both timers. Runs inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel has no timers to give.
    #[allow(deprecated, reason = "its replacement is unsafe; an OwnedFd is what makes this call sound")]
    pub fn open() -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let watch = Self {
            wake: AsyncFd::new(timerfd_create(TimerfdClockId::Boottime, flags)?)?,
            set: AsyncFd::new(timerfd_create(TimerfdClockId::Realtime, flags)?)?,
            armed: None,
        };
        watch.watch_for_set()?;
        Ok(watch)
    }

    fn watch_for_set(&self) -> std::io::Result<()> {
        // Far away: the timer itself is not wanted, only its cancellation.
        let far = Itimerspec {
            it_interval: ZERO,
            it_value: Timespec { tv_sec: i64::from(i32::MAX) * 4, tv_nsec: 0 },
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(self.set.get_ref(), flags, &far)?;
        Ok(())
    }

    /// Waits until `CLOCK_BOOTTIME` reaches so many milliseconds (for ever where none), or until the wall clock is set:
    /// then true. It may come two milliseconds late: what is due hardly ever falls on the same millisecond by both
    /// clocks, and is not worth setting the timer anew.
    pub async fn until(&mut self, due: Option<u64>) -> bool {
        let fits = match (due, self.armed) {
            (Some(due), Some(armed)) => (due..=due.saturating_add(2 * SLACK_MS)).contains(&armed),
            // A timer that nobody waits for is left to go off.
            (None, _) => true,
            (Some(_), None) => false,
        };
        if let Some(due) = due.filter(|_| !fits) {
            let armed = due.saturating_add(SLACK_MS);
            let value = Timespec {
                tv_sec: i64::try_from(armed / 1000).unwrap_or(i64::MAX),
                // Zero would disarm the timer.
                tv_nsec: i64::try_from(armed % 1000).unwrap_or(0).saturating_mul(1_000_000).max(1),
            };
            let spec = Itimerspec { it_interval: ZERO, it_value: value };
            match timerfd_settime(self.wake.get_ref(), TimerfdTimerFlags::ABSTIME, &spec) {
                Ok(_) => self.armed = Some(armed),
                Err(error) => tracing::error!(%error, "a timer cannot be set"),
            }
        }
        tokio::select! {
            woken = self.wake.readable() => {
                // Its count is not read: setting it anew, which the next turn does, takes it back to 0.
                if let Ok(mut ready) = woken {
                    ready.clear_ready();
                }
                self.armed = None;
                false
            }
            set = self.set.readable() => {
                if let Ok(mut ready) = set {
                    drain(self.set.get_ref());
                    ready.clear_ready();
                }
                if let Err(error) = self.watch_for_set() {
                    tracing::error!(%error, "setting of the clock cannot be watched");
                }
                true
            }
        }
    }
}

const SLACK_MS: u64 = 1;

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Reads the count away; a cancelled timer gives `ECANCELED`, which is what it is for.
fn drain(timer: &OwnedFd) {
    let mut count = [0_u8; 8];
    let _ = rustix::io::read(timer, &mut count);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use rustix::time::clock_settime;
    use tokio::time::timeout;

    use super::*;

    /// Whether the clock is believed, and whether the kernel was asked.
    fn judged(trust: Trust, hardware: bool, newest: Option<i64>, wall_ms: i64, kernel: bool) -> (bool, bool) {
        let newest = newest.map(Timestamp::from_secs);
        let clock = Clock { vouched_by_hardware: hardware, ..Clock::new(trust, newest) };
        let asked = Cell::new(false);
        let believed = clock.believes(Timestamp::from_millis(wall_ms), || {
            asked.set(true);
            kernel
        });
        (believed, asked.get())
    }

    const HOUR: i64 = 3_600;

    /// Somebody's word makes a clock believed, and nobody's word a clock from before the program or the ledger.
    #[test]
    fn the_clock_is_believed_where_it_is_plausible_and_somebody_vouches_for_it() {
        use Trust::{Auto, Plausible, Synchronised};
        const RTC: bool = true;
        const BARE: bool = false;
        let built = BUILT.as_secs();
        let used = built + 1_000 * HOUR;
        // The clock is told as seconds after the instant that it must not be before, and milliseconds after that.
        // What follows is what is believed while the kernel says that the clock is synchronised, and while it does not.
        let after =
            |newest: Option<i64>, secs: i64, ms: i64| (newest, (newest.unwrap_or(built) + secs) * 1_000 + ms);
        let boot_in_1970 = |newest| (newest, 30_000);
        for (what, trust, hardware, (newest, wall_ms), if_synchronised, if_not) in [
            ("1970, and nobody vouches", Auto, BARE, boot_in_1970(None), false, false),
            ("1970, by a battery-backed clock that is empty", Auto, RTC, boot_in_1970(None), false, false),
            ("1970, with a ledger", Auto, RTC, boot_in_1970(Some(used)), false, false),
            ("1970", Synchronised, RTC, boot_in_1970(None), false, false),
            ("1970", Plausible, BARE, boot_in_1970(None), false, false),
            // As systemd sets a clock that was before its own build.
            ("as the program was written", Auto, BARE, after(None, 0, 0), true, false),
            ("as the program was written", Auto, RTC, after(None, 0, 0), true, true),
            ("as the program was written", Synchronised, RTC, after(None, 0, 0), true, false),
            ("as the program was written", Plausible, BARE, after(None, 0, 0), true, true),
            ("just before that", Auto, BARE, after(None, 0, -1), false, false),
            ("just before that, within the hour", Auto, RTC, after(None, 0, -1), true, true),
            ("just before that", Synchronised, RTC, after(None, 0, -1), false, false),
            ("plausible", Auto, BARE, after(Some(used), HOUR, 0), true, false),
            ("plausible", Auto, RTC, after(Some(used), HOUR, 0), true, true),
            ("plausible", Synchronised, BARE, after(Some(used), HOUR, 0), true, false),
            ("plausible", Synchronised, RTC, after(Some(used), HOUR, 0), true, false),
            ("plausible", Plausible, BARE, after(Some(used), HOUR, 0), true, true),
            ("an hour before the ledger", Auto, BARE, after(Some(used), -HOUR, 0), true, false),
            ("an hour before the ledger", Auto, RTC, after(Some(used), -HOUR, 0), true, true),
            ("an hour before the ledger", Plausible, BARE, after(Some(used), -HOUR, 0), true, true),
            // Where the kernel's word does not count, a ledger with entries in the future outweighs the clock.
            ("more than an hour before it", Auto, RTC, after(Some(used), -HOUR, -1), true, false),
            ("more than an hour before it", Auto, BARE, after(Some(used), -HOUR, -1), true, false),
            ("more than an hour before it", Synchronised, RTC, after(Some(used), -HOUR, -1), true, false),
            ("more than an hour before it", Synchronised, BARE, after(Some(used), -HOUR, -1), true, false),
            ("more than an hour before it", Plausible, RTC, after(Some(used), -HOUR, -1), false, false),
            ("weeks before it", Auto, RTC, after(Some(used), -900 * HOUR, 0), true, false),
            ("weeks before it", Synchronised, BARE, after(Some(used), -900 * HOUR, 0), true, false),
            ("weeks before it", Plausible, RTC, after(Some(used), -900 * HOUR, 0), false, false),
            // A ledger from before the program does not make an older clock plausible.
            ("before the program", Auto, RTC, (Some(used), (built - HOUR) * 1_000 - 1), false, false),
            ("before the program", Auto, RTC, (Some(1), (built - HOUR) * 1_000 - 1), false, false),
            ("before the program", Plausible, BARE, (Some(1), (built - HOUR) * 1_000 - 1), false, false),
            ("before the program, within the hour", Auto, RTC, (Some(1), (built - HOUR) * 1_000), true, true),
        ] {
            let case = format!("{what}: {trust:?}, battery-backed: {hardware}");
            for (kernel, believed) in [(true, if_synchronised), (false, if_not)] {
                let (is, asked) = judged(trust, hardware, newest, wall_ms, kernel);
                assert_eq!(is, believed, "{case}, synchronised: {kernel}");
                assert!(asked || if_synchronised == if_not, "{case}: nobody guesses what the kernel says");
            }
        }
    }

    /// It is asked at each event.
    #[test]
    fn the_kernel_is_asked_only_where_its_word_matters() {
        let (later, built) = ((BUILT.as_secs() + HOUR) * 1_000, BUILT.as_millis());
        for (trust, hardware, wall_ms, asked) in [
            (Trust::Plausible, false, later, false),
            (Trust::Plausible, false, 0, false),
            (Trust::Auto, true, later, false),
            (Trust::Auto, false, later, true),
            (Trust::Auto, false, built, true),
            (Trust::Auto, false, built - 1, false),
            (Trust::Auto, true, 0, false),
            (Trust::Synchronised, true, later, true),
            (Trust::Synchronised, true, 0, false),
        ] {
            let (_, was) = judged(trust, hardware, None, wall_ms, true);
            assert_eq!(was, asked, "{trust:?}, battery-backed: {hardware}, at {wall_ms}");
        }
    }

    #[test]
    fn a_battery_backed_clock_or_a_host_vouches() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let judge = |what: &str, path: &str, text: &str, vouches: bool| {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
            assert_eq!(has_hardware_clock(&root), vouches, "{what}");
            std::fs::remove_dir_all(&root).unwrap();
        };
        assert!(!has_hardware_clock(&root), "nothing there");
        judge("a clock of its own", "sys/class/rtc/rtc0", "", true);
        judge("a second one alone", "sys/class/rtc/rtc1", "", false);
        judge("a guest on ARM", "proc/device-tree/hypervisor", "", true);
        judge(
            "a guest on x86",
            "proc/cpuinfo",
            "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n",
            true,
        );
        judge("its last flag", "proc/cpuinfo", "flags\t\t: fpu vme hypervisor\n", true);
        judge("a machine", "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme lahf_lm\n", false);
        judge("its name", "proc/cpuinfo", "model name\t: a hypervisor\nflags\t\t: fpu\n", false);
    }

    /// Sets the clock to what it is, but for the moment that this takes: the kernel tells of it as of any other setting.
    fn set_the_clock() {
        clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime))
            .expect("the tests run as root, who may set the clock");
    }

    #[tokio::test]
    async fn whoever_sets_the_clock_wakes_it_each_time_and_what_is_due_wakes_it_still() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let mut watch = ClockWatch::open().unwrap();
        let now = || Clock::new(Trust::Plausible, None).stamp().boot_ms;
        let far = now() + 3_600_000;
        for due in [None, None, Some(far), Some(far), None] {
            // It does not go on waking. Somebody else may set the clock, but not all the time.
            let mut waits = false;
            for _ in 0..100 {
                waits = waits || timeout(Duration::ZERO, watch.until(due)).await.is_err();
            }
            assert!(waits, "due: {due:?}");
            let (woken, ()) = tokio::join!(timeout(PATIENCE, watch.until(due)), async { set_the_clock() });
            assert_eq!(woken, Ok(true), "due: {due:?}");
        }
        set_the_clock();
        assert_eq!(timeout(PATIENCE, watch.until(None)).await, Ok(true), "set before it waits");
        for due in [now(), now() + 20] {
            // Again, somebody else may set it.
            while timeout(PATIENCE, watch.until(Some(due))).await.expect("it wakes when it is due") {}
            assert!(now() >= due);
        }
    }

    #[test]
    fn a_clock_before_the_ledger_is_not_believed() {
        let future = Timestamp::from_secs(7_000_000_000);
        assert!(!Clock::new(Trust::Plausible, Some(future)).stamp().trusted);
        assert!(Clock::new(Trust::Plausible, None).stamp().trusted);
    }

    #[test]
    fn another_ledger_is_judged_by_anew() {
        let future = Timestamp::from_secs(7_000_000_000);
        let mut clock = Clock::new(Trust::Plausible, Some(future));
        clock.set_newest(None);
        assert!(clock.stamp().trusted);
        clock.set_newest(Some(future));
        assert!(!clock.stamp().trusted);
    }

    #[test]
    fn boot_time_does_not_go_back() {
        let clock = Clock::new(Trust::Auto, None);
        let first = clock.stamp();
        assert!(clock.stamp().boot_ms >= first.boot_ms);
    }
}
