//! Time zones of the system, made into [`ZoneRules`].

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use simbell_core::zone::ZoneRules;
use tz::TimeZone;
use tz::timezone::TransitionRule;

/// Transitions before 2000-01-01 are left out: nothing was measured before.
const FROM: i64 = 946_684_800;

/// Transitions are worked out until 2100-01-01.
const UNTIL: i64 = 4_102_444_800;

const DAY: i64 = 86_400;

/// Largest zone file that is read; the largest of tzdata has 4 kB.
const MAX_FILE: u64 = 1 << 20;

/// Why a time zone cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// The name could not be one.
    #[error("is not the name of a time zone; write an IANA name such as Europe/Berlin or UTC")]
    Name,
    /// There is no such zone on this system.
    #[error(
        "is no time zone that this system knows ({} cannot be read: {source}); check the spelling, such as Europe/Berlin, or install the package tzdata",
        path.display()
    )]
    Missing {
        /// The file looked for.
        path: PathBuf,
        /// Why it was not read.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("has a damaged zone file {}: {problem}; install the package tzdata anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ZoneError {
    /// Stable name for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Name => "zone-name",
            Self::Missing { .. } => "zone-missing",
            Self::Damaged { .. } => "zone-damaged",
        }
    }
}

/// Reads the rules of an IANA zone from `dir`, usually `/usr/share/zoneinfo`.
///
/// From 2000 until 2100; the rule for the future that the file ends with (RFC 9636, section 3.3) is worked out.
///
/// # Errors
/// When the name is not valid, or the zone is not there or damaged. UTC is always there.
pub fn zone_rules(dir: &Path, name: &str) -> Result<ZoneRules, ZoneError> {
    if !is_zone_name(name) {
        return Err(ZoneError::Name);
    }
    let path = dir.join(name);
    let mut data = Vec::new();
    let read = fs::File::open(&path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut data));
    if let Err(source) = read {
        if matches!(name, "UTC" | "Etc/UTC") {
            return Ok(ZoneRules { name: name.to_owned(), ..ZoneRules::utc() });
        }
        return Err(ZoneError::Missing { path, source });
    }
    rules_of(name, &data).map_err(|problem| ZoneError::Damaged { path, problem })
}

/// The name of the system's zone: by the link `localtime`, else by the file `timezone`; UTC where neither tells.
#[must_use]
pub fn system_zone(localtime: &Path, timezone: &Path) -> String {
    let linked = fs::read_link(localtime).ok().and_then(|target| {
        let target = target.to_str()?.to_owned();
        target.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
    });
    let named = || fs::read_to_string(timezone).ok().map(|text| text.trim().to_owned());
    linked.or_else(named).filter(|name| is_zone_name(name)).unwrap_or_else(|| "UTC".to_owned())
}

fn is_zone_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-+/".contains(c))
        && name.split('/').all(|part| !part.is_empty())
}

fn rules_of(name: &str, data: &[u8]) -> Result<ZoneRules, String> {
    let zone = TimeZone::from_tz_data(data).map_err(|error| error.to_string())?;
    let zone = zone.as_ref();
    if !zone.leap_seconds().is_empty() {
        return Err("it counts leap seconds; name the zone without right/".to_owned());
    }
    let offset_at = |at: i64| -> Result<i32, String> {
        let found = zone.find_local_time_type(at).map_err(|error| error.to_string())?.ut_offset();
        if i64::from(found).abs() > DAY {
            return Err(format!("an offset of {found} seconds"));
        }
        Ok(found)
    };
    let first_offset_s = offset_at(FROM)?;
    let mut transitions = Vec::new();
    let mut current = first_offset_s;
    let mut settled = FROM;
    for transition in zone.transitions() {
        let at = transition.unix_leap_time();
        if at <= FROM || at > UNTIL {
            continue;
        }
        // The last transition of a file may be covered by the rule; then the rule answers for it.
        let next = offset_at(at)?;
        if next != current {
            transitions.push((at, next));
            current = next;
        }
        settled = at;
    }
    if let Some(TransitionRule::Alternate(_)) = zone.extra_rule() {
        while settled < UNTIL {
            let end = settled.saturating_add(DAY).min(UNTIL);
            let next = offset_at(end)?;
            if next != current {
                transitions.push((change_within(settled, end, current, &offset_at)?, next));
                current = next;
            }
            settled = end;
        }
    }
    Ok(ZoneRules { name: name.to_owned(), first_offset_s, transitions })
}

/// The first second after `before` until `after` at which `old` no longer holds.
fn change_within(
    mut before: i64,
    mut after: i64,
    old: i32,
    offset_at: &impl Fn(i64) -> Result<i32, String>,
) -> Result<i64, String> {
    while after.saturating_sub(before) > 1 {
        let middle = before.midpoint(after);
        if offset_at(middle)? == old {
            before = middle;
        } else {
            after = middle;
        }
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use simbell_core::time::Timestamp;

    use super::*;

    const ZONEINFO: &str = "/usr/share/zoneinfo";

    fn rules(name: &str) -> ZoneRules {
        zone_rules(Path::new(ZONEINFO), name).expect("the package tzdata must be installed for this test")
    }

    fn local(rules: &ZoneRules, utc: &str) -> String {
        let at: chrono::DateTime<chrono::Utc> = utc.parse().unwrap();
        rules.rfc3339(Timestamp::from(at))
    }

    #[test]
    fn real_zones_follow_their_rules_until_2100() {
        let berlin = rules("Europe/Berlin");
        for (utc, civil) in [
            ("2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"),
            ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
            ("2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"),
            ("2099-03-29T01:00:00Z", "2099-03-29T03:00:00+02:00"),
            ("2099-10-25T00:59:59Z", "2099-10-25T02:59:59+02:00"),
        ] {
            assert_eq!(local(&berlin, utc), civil);
        }
        assert_eq!(local(&rules("America/Sao_Paulo"), "2018-11-04T03:00:00Z"), "2018-11-04T01:00:00-02:00");
        assert_eq!(local(&rules("America/Sao_Paulo"), "2050-01-01T03:00:00Z"), "2050-01-01T00:00:00-03:00");
        assert_eq!(local(&rules("Australia/Lord_Howe"), "2090-07-01T00:00:00Z"), "2090-07-01T10:30:00+10:30");
        assert_eq!(local(&rules("Asia/Kathmandu"), "2026-01-01T00:00:00Z"), "2026-01-01T05:45:00+05:45");
    }

    /// The materialised rules against tz-rs itself, twice a day in each hour of doubt.
    #[test]
    fn materialised_rules_agree_with_the_file() {
        for name in
            ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Europe/Dublin", "Asia/Shanghai"]
        {
            let data = fs::read(Path::new(ZONEINFO).join(name)).unwrap();
            let zone = TimeZone::from_tz_data(&data).unwrap();
            let ours = rules(name);
            assert!(ours.transitions.is_sorted_by(|a, b| a.0 < b.0), "{name}");
            for step in 0..70_000_i64 {
                let at = FROM + step * 44_987;
                let theirs = zone.find_local_time_type(at).unwrap().ut_offset();
                assert_eq!(ours.offset_at(Timestamp::from_secs(at)), theirs, "{name} at {at}");
            }
            for (at, _) in &ours.transitions {
                for at in [at - 1, *at, at + 1] {
                    let theirs = zone.find_local_time_type(at).unwrap().ut_offset();
                    assert_eq!(ours.offset_at(Timestamp::from_secs(at)), theirs, "{name} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_missing_zone_names_tzdata_and_a_bad_name_is_refused() {
        let error = zone_rules(Path::new(ZONEINFO), "Europe/Berlim").unwrap_err();
        assert!(error.kind() == "zone-missing" && error.to_string().contains("tzdata"), "{error}");
        for bad in ["", "../../etc/passwd", "/etc/passwd", "Europe/", "Europe//Berlin", "Eur ope"] {
            assert_eq!(zone_rules(Path::new(ZONEINFO), bad).unwrap_err().kind(), "zone-name", "{bad}");
        }
        let damaged = zone_rules(Path::new(ZONEINFO), "tzdata.zi").map(|_| ());
        assert_eq!(damaged.unwrap_err().kind(), "zone-name");
        let nowhere = Path::new("/nonexistent");
        assert_eq!(zone_rules(nowhere, "UTC").unwrap(), ZoneRules::utc());
    }

    #[test]
    fn a_damaged_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Broken"), b"TZif2 and then nothing").unwrap();
        assert_eq!(zone_rules(dir.path(), "Broken").unwrap_err().kind(), "zone-damaged");
    }

    #[test]
    fn the_systems_zone_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (localtime, timezone) = (dir.path().join("localtime"), dir.path().join("timezone"));
        assert_eq!(system_zone(&localtime, &timezone), "UTC");
        fs::write(&timezone, "Asia/Shanghai\n").unwrap();
        assert_eq!(system_zone(&localtime, &timezone), "Asia/Shanghai");
        std::os::unix::fs::symlink("../usr/share/zoneinfo/Europe/Berlin", &localtime).unwrap();
        assert_eq!(system_zone(&localtime, &timezone), "Europe/Berlin");
    }
}
