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
        Self {
            trust,
            vouched_by_hardware: has_hardware_clock(),
            newest: newest.map_or(BUILT, |newest| newest.max(BUILT)),
        }
    }

    /// Judges by another rule from now on.
    pub fn set_trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// This instant, by both clocks.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let boot = clock_gettime(ClockId::Boottime);
        let wall = clock_gettime(ClockId::Realtime);
        let boot_ms = millis(boot.tv_sec, boot.tv_nsec);
        let wall = Timestamp::from_millis(millis(wall.tv_sec, wall.tv_nsec));
        Stamp { wall, boot_ms: u64::try_from(boot_ms).unwrap_or(0), trusted: self.believes(wall) }
    }

    fn believes(&self, wall: Timestamp) -> bool {
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
fn has_hardware_clock() -> bool {
    Path::new("/sys/class/rtc/rtc0").exists()
        || Path::new("/proc/device-tree/hypervisor").exists()
        || std::fs::read_to_string("/proc/cpuinfo")
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
    use super::*;

    #[test]
    fn a_clock_before_the_ledger_is_not_believed() {
        let future = Timestamp::from_secs(7_000_000_000);
        assert!(!Clock::new(Trust::Plausible, Some(future)).stamp().trusted);
        assert!(Clock::new(Trust::Plausible, None).stamp().trusted);
    }

    #[test]
    fn boot_time_does_not_go_back() {
        let clock = Clock::new(Trust::Auto, None);
        let first = clock.stamp();
        assert!(clock.stamp().boot_ms >= first.boot_ms);
    }
}
