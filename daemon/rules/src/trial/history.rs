//! A recorded history beside a test, as `simbellctl usage export` writes it: CSV, or one JSON object a line.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use chrono::DateTime;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::time::Timestamp;

use super::story::{Story, TestSim};
use crate::files::{Links, Unread, read_text};
use crate::rehearsal::Flow;
use crate::text::short;

/// Largest file: years of hours.
const MOST_BYTES: usize = 16 << 20;

/// One row of usage.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    start: Timestamp,
    end: Timestamp,
    sim: String,
    zone: Zone,
    volume: Volume,
}

/// Plays the rows of a file: of the SIM that is given, or of each SIM by the name that it has in the file.
///
/// # Errors
/// What is wrong with the file, or with the story at that point.
pub(super) fn play(story: &mut Story, file: &str, only: Option<&TestSim>) -> Result<(), String> {
    let mut rows = read(&story.dir(), file)?;
    if let Some(sim) = only {
        let named = rows.iter().any(|row| row.sim == sim.name);
        let first = rows.first().map(|row| row.sim.clone()).unwrap_or_default();
        if !named && rows.iter().any(|row| row.sim != first) {
            return Err(format!(
                "`{}` tells of several SIMs, and of none with the name `{}`",
                short(file),
                sim.name
            ));
        }
        rows.retain(|row| !named || row.sim == sim.name);
    }
    rows.sort_by_key(|row| row.start);
    let mut groups: BTreeMap<(Timestamp, Timestamp), Vec<Flow>> = BTreeMap::new();
    for row in rows {
        let iccid = match only {
            Some(sim) => sim.iccid.clone(),
            None => match story.sim_named(&row.sim) {
                Some(sim) => sim.iccid,
                None => {
                    return Err(format!(
                        "`{}` tells of the SIM `{}`, which the story has not: add sim(\"{}\")",
                        short(file),
                        short(&row.sim),
                        short(&row.sim)
                    ));
                }
            },
        };
        let flow = Flow { iccid, zone: Some(row.zone), volume: row.volume };
        groups.entry((row.start, row.end)).or_default().push(flow);
    }
    for ((start, end), flows) in groups {
        let now = story.now();
        if end < now {
            return Err(format!(
                "`{}` tells of {}, and the clock shows {} already: begin the story with clock(\"{}\")",
                short(file),
                story.shown(start),
                story.shown(now),
                story.shown(start)
            ));
        }
        story.play(|world| {
            if start > world.now() {
                world.advance_to(start)?;
            }
            // Of two zones in one hour the second comes after the first.
            for part in one_each(flows) {
                world.flow(&part, end.max(world.now()))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Parts in each of which a SIM stands once.
fn one_each(flows: Vec<Flow>) -> Vec<Vec<Flow>> {
    let mut parts: Vec<Vec<Flow>> = Vec::new();
    for flow in flows {
        match parts.iter_mut().find(|part| part.iter().all(|other| other.iccid != flow.iccid)) {
            Some(part) => part.push(flow),
            None => parts.push(vec![flow]),
        }
    }
    parts
}

fn read(dir: &Path, file: &str) -> Result<Vec<Row>, String> {
    let path = Path::new(file);
    let plain =
        path.components().count() == 1 && matches!(path.components().next(), Some(Component::Normal(_)));
    if !plain {
        return Err(format!("`{}` is no file beside the test: write its name alone", short(file)));
    }
    let path = dir.join(path);
    // A link could lead anywhere.
    let text = read_text(&path, MOST_BYTES, Links::Refused).map_err(|unread| {
        let why = match unread {
            Unread::NoFile => {
                "this is not a file, or a link to one; copy the file beside the test".to_owned()
            }
            Unread::TooLarge => {
                format!("it is larger than {} MiB; export fewer days", MOST_BYTES >> 20)
            }
            other => other.to_string(),
        };
        format!("`{}` cannot be read: {why}", short(file))
    })?;
    let rows = if text.trim_start().starts_with('{') { json(&text) } else { csv(&text) };
    let rows = rows.map_err(|(line, why)| format!("`{}`, line {line}: {why}", short(file)))?;
    if rows.is_empty() {
        return Err(format!("`{}` has no row of usage", short(file)));
    }
    Ok(rows)
}

type Wrong = (usize, String);

fn json(text: &str) -> Result<Vec<Row>, Wrong> {
    let mut rows = Vec::new();
    for (line, text) in text.lines().enumerate().map(|(nth, text)| (nth.saturating_add(1), text)) {
        if text.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| (line, error.to_string()))?;
        let get = |name: &str| {
            object.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        rows.extend(row(&get).map_err(|why| (line, why))?);
    }
    Ok(rows)
}

fn csv(text: &str) -> Result<Vec<Row>, Wrong> {
    let mut lines = text.lines().enumerate().map(|(nth, text)| (nth.saturating_add(1), text));
    let heading = lines.next().map(|(_, text)| cells(text)).unwrap_or_default();
    let mut rows = Vec::new();
    for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        let cells = cells(text);
        let get = |name: &str| {
            let nth = heading.iter().position(|column| column == name)?;
            cells.get(nth).cloned()
        };
        rows.extend(row(&get).map_err(|why| (line, why))?);
    }
    Ok(rows)
}

/// The cells of a line of RFC 4180; none of an export's holds a line break.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    while let Some(character) = characters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

/// A row; none where the line tells of something else than usage.
fn row(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Row>, String> {
    if get("record").is_some_and(|record| record != "usage") {
        return Ok(None);
    }
    let need = |name: &str| get(name).ok_or_else(|| format!("there is no `{name}`"));
    let instant = |name: &str| {
        let text = need(name)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|at| Timestamp::from_millis(at.timestamp_millis()))
            .map_err(|_| format!("`{name}` is `{}`, and no time such as 2026-11-01T00:00:00Z", short(&text)))
    };
    let bytes = |name: &str| {
        let text = need(name)?;
        text.parse::<u64>().map_err(|_| format!("`{name}` is `{}`, and no number of bytes", short(&text)))
    };
    let (start, end) = (instant("start")?, instant("end")?);
    if end < start {
        return Err("`end` is before `start`".to_owned());
    }
    let zone = get("zone").map_or(Zone::Home, |zone| Zone::from_text(&zone));
    let volume = Volume { rx: bytes("rx_bytes")?, tx: bytes("tx_bytes")? };
    Ok(Some(Row { start, end, sim: get("sim").unwrap_or_default(), zone, volume }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_export_give_the_same_rows() {
        let table = "record,iccid,sim,start,end,zone,source,rx_bytes,tx_bytes,correction_bytes,author,reason,detail\r\n\
                     usage,89,\"my, sim\",2026-11-01T01:00:00+01:00,2026-11-01T01:00:00Z,roaming:26202,kernel,5,7,,,,\r\n\
                     gap,89,x,,,,,,,,,,why\r\n";
        let lines = "{\"record\":\"usage\",\"sim\":\"my, sim\",\"start\":\"2026-11-01T00:00:00Z\",\
                     \"end\":\"2026-11-01T01:00:00Z\",\"zone\":\"roaming:26202\",\"rx_bytes\":5,\"tx_bytes\":7}\n\
                     {\"record\":\"gap\"}\n";
        let rows = csv(table).unwrap();
        assert_eq!(rows, json(lines).unwrap());
        assert_eq!((rows[0].sim.as_str(), rows[0].volume), ("my, sim", Volume { rx: 5, tx: 7 }));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = csv("start,end,rx_bytes,tx_bytes\n2026-11-01T00:00:00Z,yesterday,1,1\n").unwrap_err();
        assert!(wrong.0 == 2 && wrong.1.contains("yesterday"), "{wrong:?}");
        let wrong = json("{\"start\":\"2026-11-01T00:00:00Z\"}\n").unwrap_err();
        assert!(wrong.1.contains("`end`"), "{wrong:?}");
        for file in ["../secret.csv", "/etc/passwd", "a/b.csv", ""] {
            assert!(read(Path::new("/tmp"), file).unwrap_err().contains("beside the test"), "{file}");
        }
    }
}
