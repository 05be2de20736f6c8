//! A clock that goes only as it is told.

use simbell_core::ident::{BootId, IdentError};
use simbell_core::time::{Stamp, Timestamp};

/// Both clocks of a machine, and which boot it is in.
#[derive(Debug)]
pub(super) struct FakeClock {
    pub(super) wall: Timestamp,
    pub(super) boot: BootId,
    boots: u32,
    booted: Timestamp,
}

impl FakeClock {
    pub(super) fn at(wall: Timestamp) -> Result<Self, IdentError> {
        Ok(Self { wall, boot: BootId::new("boot-0")?, boots: 0, booted: wall })
    }

    pub(super) fn boot_anew(&mut self) -> Result<(), IdentError> {
        self.boots = self.boots.saturating_add(1);
        self.boot = BootId::new(format!("boot-{}", self.boots))?;
        self.booted = self.wall;
        Ok(())
    }

    /// Never goes back.
    pub(super) fn go_to(&mut self, at: Timestamp) {
        self.wall = self.wall.max(at);
    }

    pub(super) fn stamp(&self) -> Stamp {
        let boot_ms = u64::try_from(self.wall.since(self.booted).as_millis()).unwrap_or_default();
        Stamp { wall: self.wall, boot_ms, trusted: true }
    }
}
