//! The carrier's own figures, and what they teach: how far the carrier counts beside what was measured.
//!
//! A factor is exact to a millionth, rounded half up. What persons corrected is the carrier's already: it is left out
//! on both sides, and added unchanged. Nothing that was measured is ever changed by an observation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ident::Iccid;
use crate::plan::Plan;
use crate::text::{is_control, is_hidden};
use crate::time::Timestamp;

/// A factor of 1, in millionths.
pub const ONE: u64 = 1_000_000;

/// A factor is learnt from so many of the newest observations that can be used.
pub const LEARNT_FROM: usize = 6;

/// Less than this, billed, says too little of a factor.
const LEAST_BILLED: u64 = 10_000_000;

/// Less than this part of the allowance, billed, says too little: one hundredth.
const LEAST_PART: u64 = 100;

/// A factor beyond this, or below its inverse, is a mistake.
const FARTHEST: u64 = 10;

/// Most characters of a note or a reason.
pub const NOTE_CHARS: usize = 200;

/// Identity of an observation: assigned by the core, unique for ever, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObservationId(pub i64);

/// How the carrier's figure became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservationSource {
    /// A person typed it in.
    User,
    /// The network said it by USSD.
    Ussd,
    /// The carrier said it in a short message.
    Sms,
}

/// The carrier's figure, and what was billed by then. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Identity; whatever it says in an event, the state gives the next one.
    pub id: ObservationId,
    /// Whose usage.
    pub iccid: Iccid,
    /// When the figure held.
    pub at: Timestamp,
    /// First instant of the cycle it is about.
    pub cycle_start: Timestamp,
    /// Used in the cycle, as the carrier says, bytes.
    pub bytes: u64,
    /// Used in the cycle until then, as the plan bills what was measured, bytes; corrections apart.
    pub billed: u64,
    /// Σ of the corrections in the cycle until then, signed bytes.
    pub corrections: i64,
    /// The plan and how it billed then: [`terms`].
    pub terms: String,
    /// How it became known.
    pub source: ObservationSource,
    /// Who, such as `uid 1000`.
    pub author: String,
    /// In the author's words; hostile text.
    pub note: String,
    /// The observation that this entry takes back; then its own figures say nothing.
    pub withdraws: Option<ObservationId>,
}

/// What is observed, before it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whose usage.
    pub iccid: Iccid,
    /// When the figure held.
    pub at: Timestamp,
    /// Used in the cycle, as the carrier says, bytes.
    pub bytes: u64,
    /// How it became known.
    pub source: ObservationSource,
    /// Who, such as `uid 1000`.
    pub author: String,
    /// In the author's words.
    pub note: String,
}

/// Most that a person may say was used in a cycle, bytes: 10 PB, which no network carries in a month. Sums of it fit.
pub const MOST_USED: u64 = 10_000_000_000_000_000;

/// What a cycle came to by an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// First instant of the cycle.
    pub cycle_start: Timestamp,
    /// As the plan bills what was measured, corrections apart.
    pub billed: u64,
    /// Σ of corrections, signed bytes.
    pub corrections: i64,
}

impl Spent {
    /// What was used of the cycle, corrections included. Below 0 where those are more than what was counted.
    #[must_use]
    pub fn used(self) -> i128 {
        i128::from(self.billed) + i128::from(self.corrections)
    }

    /// Whether a correction would leave more than anybody can have used.
    #[must_use]
    pub fn exceeds_with(self, bytes: i64) -> bool {
        bytes > 0 && self.used() + i128::from(bytes) > i128::from(MOST_USED)
    }

    /// Judges a correction of the cycle. One that adds is always right: it can only mend.
    ///
    /// # Errors
    /// When less than nothing would be left: so much of what follows would not be seen.
    pub fn corrected_by(self, bytes: i64) -> Result<(), Overdrawn> {
        let after = self.used() + i128::from(bytes);
        if bytes >= 0 || after >= 0 {
            return Ok(());
        }
        let bytes_of = |amount: i128| Bytes(u64::try_from(amount.max(0)).unwrap_or(u64::MAX));
        Err(Overdrawn {
            taken: Bytes(bytes.unsigned_abs()),
            used: bytes_of(self.used()),
            missing: bytes_of(after.saturating_neg()),
        })
    }
}

/// Why usage is not taken away from a cycle: more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "that would take {taken} from a cycle in which {used} are used: {missing} less than nothing, and as much of what \
     follows would not be seen"
)]
pub struct Overdrawn {
    /// To be taken away.
    pub taken: Bytes,
    /// Used in the cycle, corrections included; at least 0.
    pub used: Bytes,
    /// What there is too little of.
    pub missing: Bytes,
}

/// A figure of the carrier, which is compared without what was corrected: `3.00 GB (53.00 GB without the corrections of
/// -50.00 GB)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// As it was given.
    pub said: Bytes,
    /// Σ of the corrections, signed bytes.
    pub corrections: i64,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said.fmt(f)?;
        if self.corrections == 0 {
            return Ok(());
        }
        let sign = if self.corrections < 0 { "-" } else { "" };
        let corrections = Bytes(self.corrections.unsigned_abs());
        match u64::try_from(i128::from(self.said.0) - i128::from(self.corrections)) {
            Ok(left) => write!(f, " ({} without the corrections of {sign}{corrections})", Bytes(left)),
            Err(_) => write!(f, " (nothing without the corrections of {sign}{corrections})"),
        }
    }
}

/// Why an observation is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The SIM has no plan.
    #[error(
        "the SIM has no plan: the carrier's figure is compared with what a plan bills, and there is none"
    )]
    NoPlan,
    /// The clock is not trusted yet.
    #[error("the clock cannot be believed yet, so the cycle is not known")]
    ClockUntrusted,
    /// The time given lies in the future.
    #[error("that time lies in the future")]
    Future,
    /// The time given lies in no cycle of the plan.
    #[error("that time lies in no cycle of the plan")]
    OutsideCycles,
    /// The time given is before anything was measured.
    #[error("nothing was measured before that time")]
    BeforeMeasurement,
    /// The carrier says that nothing was used.
    #[error("the carrier's figure is 0, which says nothing of how it counts")]
    Nothing,
    /// The figure is more than ten times what was billed, or less than a tenth.
    #[error(
        "the carrier's figure, {figure}, is too far from the {billed} billed by then to be about the same usage"
    )]
    TooFar {
        /// The carrier's figure.
        figure: Figure,
        /// Billed by then, corrections apart.
        billed: Bytes,
    },
    /// The figure does not fit into a signed 64-bit number.
    #[error("the amount is more than any SIM can use")]
    TooLarge,
    /// The note is not plain text of at most [`NOTE_CHARS`] characters.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Why a note or a reason is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is too long.
    #[error("has {0} characters, and at most {NOTE_CHARS} are kept")]
    TooLong(usize),
    /// It holds what could drive a terminal or hide or reorder text.
    #[error("holds a control character, or one that hides or reorders text")]
    Unprintable,
}

/// Why an observation does or does not count towards the factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It counts.
    Used,
    /// Too little was billed by then.
    Insignificant,
    /// It was taken back.
    Withdrawn,
    /// It takes another one back.
    Withdrawal,
    /// The plan was another, or billed in another way.
    OtherPlan,
    /// Newer ones say enough.
    Older,
}

/// What the carrier's figures teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// The carrier's figure for 1 byte billed, in millionths: the median.
    pub factor: u64,
    /// The least of those it was learnt from.
    pub lowest: u64,
    /// The greatest.
    pub highest: u64,
    /// How many it was learnt from.
    pub count: usize,
}

impl ObservationSource {
    /// As kept in the ledger and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ussd => "ussd",
            Self::Sms => "sms",
        }
    }
}

impl ObserveError {
    /// Stable name for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoPlan => "no-plan",
            Self::ClockUntrusted => "clock-untrusted",
            Self::Future => "future",
            Self::OutsideCycles => "outside-cycles",
            Self::BeforeMeasurement => "before-measurement",
            Self::Nothing => "nothing",
            Self::TooFar { .. } => "too-far",
            Self::TooLarge => "too-large",
            Self::Note(_) => "note",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoPlan => "`simbellctl plan add` asks what is needed and writes one",
            Self::ClockUntrusted => "set the clock or wait for NTP; see `service.clock` in the configuration",
            Self::Future => "give the time at which the carrier's figure held, or none for now",
            Self::OutsideCycles => "give a time within a cycle; `simbellctl plan` shows the present one",
            Self::BeforeMeasurement => {
                "give a later time; what was used before the service knew the SIM is said with `simbellctl usage set`"
            }
            Self::Nothing => "give what the carrier says was used in this cycle, such as 4.2GB",
            Self::TooFar { .. } => {
                "give the usage of this cycle, not what is left; where much was used before the service measured it, \
                 say so with `simbellctl usage set` first"
            }
            Self::TooLarge => "give what the carrier says was used in this cycle, such as 4.2GB",
            Self::Note(_) => "write a short line of plain text",
        }
    }
}

impl Standing {
    /// As shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Insignificant => "insignificant",
            Self::Withdrawn => "withdrawn",
            Self::Withdrawal => "withdrawal",
            Self::OtherPlan => "other-plan",
            Self::Older => "older",
        }
    }
}

impl Observation {
    /// The carrier's figure for 1 byte billed, in millionths, rounded half up; none where nothing was billed, or
    /// corrections are all that the carrier counted.
    #[must_use]
    pub fn factor(&self) -> Option<u64> {
        let carrier = i128::from(self.bytes).checked_sub(i128::from(self.corrections))?;
        let carrier = u128::try_from(carrier).ok().filter(|carrier| *carrier > 0)?;
        let billed = u128::from(self.billed);
        let scaled = carrier.checked_mul(u128::from(ONE))?.checked_add(billed / 2)?;
        u64::try_from(scaled.checked_div(billed)?).ok()
    }

    /// Whether enough was billed by then to speak of a factor: 10 MB, and one hundredth of the allowance.
    #[must_use]
    pub fn is_significant(&self, plan: &Plan) -> bool {
        let part = plan.data.map_or(0, |data| data.0 / LEAST_PART);
        self.billed >= LEAST_BILLED.max(part)
    }
}

/// Judges a figure of the carrier.
///
/// # Errors
/// When it cannot be about what was measured.
pub fn observe(
    observed: Observed,
    plan: &Plan,
    spent: Spent,
    now: Timestamp,
) -> Result<Observation, ObserveError> {
    if observed.at > now {
        return Err(ObserveError::Future);
    }
    if observed.bytes == 0 {
        return Err(ObserveError::Nothing);
    }
    if i64::try_from(observed.bytes).is_err() {
        return Err(ObserveError::TooLarge);
    }
    plain(&observed.note)?;
    let observation = Observation {
        id: ObservationId(0),
        iccid: observed.iccid,
        at: observed.at,
        cycle_start: spent.cycle_start,
        bytes: observed.bytes,
        billed: spent.billed,
        corrections: spent.corrections,
        terms: terms(plan),
        source: observed.source,
        author: observed.author,
        note: observed.note,
        withdraws: None,
    };
    let near = (ONE / FARTHEST)..=(ONE * FARTHEST);
    if observation.is_significant(plan) && !observation.factor().is_some_and(|factor| near.contains(&factor))
    {
        return Err(ObserveError::TooFar {
            figure: Figure { said: Bytes(observation.bytes), corrections: observation.corrections },
            billed: Bytes(observation.billed),
        });
    }
    Ok(observation)
}

/// Whether a note or a reason can be kept.
///
/// # Errors
/// When it is long, or not plain.
pub fn plain(text: &str) -> Result<(), NoteError> {
    let length = text.chars().count();
    if length > NOTE_CHARS {
        return Err(NoteError::TooLong(length));
    }
    if text.chars().any(|c| is_control(c) || is_hidden(c)) {
        return Err(NoteError::Unprintable);
    }
    Ok(())
}

/// A plan's name and how it bills: figures are compared only under the same terms.
#[must_use]
pub fn terms(plan: &Plan) -> String {
    let mut text = format!("{}; {}", plan.name, plan.counts.as_str());
    if !plan.roaming_counts {
        text.push_str("; roaming free");
    }
    if let Some(step) = plan.increment {
        text.push_str(&format!("; {} B per {}", step.bytes.0, step.per.as_str()));
    }
    for hours in &plan.free_hours {
        let days: String = hours.days.iter().map(ToString::to_string).collect();
        text.push_str(&format!("; free {} to {} on {days}", hours.from, hours.until));
    }
    text
}

/// How each observation of a SIM stands towards its plan as it is now, in the order given.
#[must_use]
pub fn standings(observations: &[Observation], plan: Option<&Plan>) -> Vec<Standing> {
    let terms = plan.map(terms);
    let withdrawn = |id| observations.iter().any(|other| other.withdraws == Some(id));
    let mut standings: Vec<Standing> = observations
        .iter()
        .map(|one| match plan {
            _ if one.withdraws.is_some() => Standing::Withdrawal,
            _ if withdrawn(one.id) => Standing::Withdrawn,
            Some(plan) if terms.as_deref() == Some(one.terms.as_str()) => {
                let says = one.is_significant(plan) && one.factor().is_some();
                if says { Standing::Used } else { Standing::Insignificant }
            }
            _ => Standing::OtherPlan,
        })
        .collect();
    let mut used: Vec<(Timestamp, ObservationId, usize)> = standings
        .iter()
        .zip(observations)
        .enumerate()
        .filter(|(_, (standing, _))| **standing == Standing::Used)
        .map(|(place, (_, one))| (one.at, one.id, place))
        .collect();
    used.sort_unstable();
    used.iter().rev().skip(LEARNT_FROM).for_each(|(.., place)| {
        if let Some(standing) = standings.get_mut(*place) {
            *standing = Standing::Older;
        }
    });
    standings
}

impl Calibration {
    /// What a SIM's observations teach of its plan as it is now: the median of the factors that are used, of an even
    /// number the mean of the middle two, rounded half up. None where nothing can be said.
    #[must_use]
    pub fn learn(observations: &[Observation], plan: &Plan) -> Option<Self> {
        let mut factors: Vec<u64> = standings(observations, Some(plan))
            .into_iter()
            .zip(observations)
            .filter(|(standing, _)| *standing == Standing::Used)
            .filter_map(|(_, one)| one.factor())
            .collect();
        factors.sort_unstable();
        let count = factors.len();
        let middle = factors.get(count / 2).copied()?;
        let factor = if count.is_multiple_of(2) {
            let other = factors.get((count / 2).checked_sub(1)?).copied()?;
            other.saturating_add(middle.saturating_sub(other).div_ceil(2))
        } else {
            middle
        };
        Some(Self { factor, lowest: *factors.first()?, highest: *factors.last()?, count })
    }

    /// What the carrier is likely to say where this much was billed: rounded half up to a byte; saturates.
    #[must_use]
    pub fn apply(&self, billed: u64) -> u64 {
        let scaled = u128::from(billed).saturating_mul(u128::from(self.factor));
        let rounded = scaled.saturating_add(u128::from(ONE / 2)) / u128::from(ONE);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }

    /// The least that has to be billed for [`Calibration::apply`] to reach `target`.
    #[must_use]
    pub fn least_for(&self, target: u64) -> u64 {
        let wanted = u128::from(target).saturating_mul(u128::from(ONE)).saturating_sub(u128::from(ONE / 2));
        u64::try_from(wanted.div_ceil(u128::from(self.factor.max(1)))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
