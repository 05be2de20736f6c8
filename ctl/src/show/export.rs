//! Rows of an export as JSON lines or CSV. Millions pass through here: what stays the same is written once and copied.

use simbell_api::{ExportPart, ExportedCorrection, ExportedGap};

use super::text;

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One object a line.
    Json,
    /// RFC 4180: one heading, lines that end with CR LF, texts in quotes where they need them.
    Csv,
}

/// The heading of the CSV form.
pub(crate) const HEADING: &str =
    "record,iccid,sim,start,end,zone,source,rx_bytes,tx_bytes,correction_bytes,author,reason,detail\r\n";

/// Writes a part.
pub(crate) fn write(form: Form, part: &ExportPart, out: &mut Vec<u8>) {
    usage(form, part, out);
    match form {
        Form::Json => json_marks(part, out),
        Form::Csv => csv_marks(part, out),
    }
}

fn usage(form: Form, part: &ExportPart, out: &mut Vec<u8>) {
    let (iccid, sim) = (part.iccid.as_deref().unwrap_or(""), part.sim.as_deref().unwrap_or(""));
    let begin = match form {
        Form::Json => format!(
            "{{\"record\":\"usage\",\"iccid\":{},\"sim\":{},\"start\":\"",
            text::json(&iccid),
            text::json(&sim)
        ),
        Form::Csv => format!("usage,{},{},", cell(iccid), cell(sim)),
    };
    let between: &[u8] = if form == Form::Json { b"\",\"end\":\"" } else { b"," };
    let kinds: Vec<String> = part
        .kinds
        .iter()
        .map(|kind| match form {
            Form::Json => format!(
                "\",\"zone\":{},\"source\":{},\"rx_bytes\":",
                text::json(&kind.zone),
                text::json(&kind.source)
            ),
            Form::Csv => format!(",{},{},", cell(&kind.zone), cell(&kind.source)),
        })
        .collect();
    let (figures, last): (&[u8], &[u8]) = match form {
        Form::Json => (b",\"tx_bytes\":", b"}\n"),
        Form::Csv => (b",", b",,,,\r\n"),
    };
    let (start_zone, end_zone) = (offset(part.start_offset), offset(part.end_offset));
    let mut volumes = part.rx_bytes.iter().zip(&part.tx_bytes);
    let mut line: Vec<u8> = Vec::new();
    for run in &part.runs {
        // What comes before the figures is the same but for the times, which are as long as the ones before.
        let kind = usize::try_from(run.kind).ok().and_then(|kind| kinds.get(kind));
        line.clear();
        line.extend_from_slice(begin.as_bytes());
        let mut start = Written::at(run.start_ms, part.start_offset, &mut line);
        line.extend_from_slice(&start_zone);
        line.extend_from_slice(between);
        let mut end_ms = run.start_ms.saturating_add(run.length_ms);
        let mut end = Written::at(end_ms, part.end_offset, &mut line);
        line.extend_from_slice(&end_zone);
        line.extend_from_slice(kind.map_or(b"", |kind| kind.as_bytes()));
        let mut start_ms = run.start_ms;
        let rows = usize::try_from(run.rows).unwrap_or(0);
        for (row, (rx, tx)) in volumes.by_ref().take(rows).enumerate() {
            if row > 0 {
                start_ms = start_ms.saturating_add(run.length_ms);
                end_ms = end_ms.saturating_add(run.length_ms);
                start.becomes(start_ms, &mut line);
                end.becomes(end_ms, &mut line);
            }
            out.extend_from_slice(&line);
            number(*rx, out);
            out.extend_from_slice(figures);
            number(*tx, out);
            out.extend_from_slice(last);
        }
    }
}

fn json_marks(part: &ExportPart, out: &mut Vec<u8>) {
    let (iccid, sim) = (part.iccid.clone(), part.sim.clone());
    for correction in &part.corrections {
        let line = text::json(&ExportedCorrection {
            record: "correction".to_owned(),
            iccid: iccid.clone().unwrap_or_default(),
            sim: sim.clone().unwrap_or_default(),
            start: correction.at.clone(),
            correction_bytes: correction.bytes,
            author: correction.author.clone(),
            reason: correction.reason.clone(),
        });
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    for gap in &part.gaps {
        let line = text::json(&ExportedGap {
            record: "gap".to_owned(),
            iccid: iccid.clone(),
            sim: sim.clone(),
            start: gap.start.clone(),
            end: gap.end.clone(),
            reason: gap.reason.clone(),
            detail: gap.detail.clone(),
        });
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}

fn csv_marks(part: &ExportPart, out: &mut Vec<u8>) {
    let whose =
        format!("{},{}", cell(part.iccid.as_deref().unwrap_or("")), cell(part.sim.as_deref().unwrap_or("")));
    for correction in &part.corrections {
        let line = format!(
            "correction,{whose},{},,,,,,{},{},{},\r\n",
            cell(&correction.at),
            correction.bytes,
            cell(&correction.author),
            cell(&correction.reason)
        );
        out.extend_from_slice(line.as_bytes());
    }
    for gap in &part.gaps {
        let line = format!(
            "gap,{whose},{},{},,,,,,,{},{}\r\n",
            cell(gap.start.as_deref().unwrap_or("")),
            cell(gap.end.as_deref().unwrap_or("")),
            cell(&gap.reason),
            cell(&gap.detail)
        );
        out.extend_from_slice(line.as_bytes());
    }
}

/// A cell: in quotes where RFC 4180 asks for them, control characters made harmless, and with an apostrophe before
/// what a spreadsheet would take for a formula.
fn cell(value: &str) -> String {
    let safe = text::safe(value);
    let formula = safe.trim_start().starts_with(['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠']);
    let safe = if formula { format!("'{safe}") } else { safe };
    let quotes = safe.contains(['"', ',', ';', '\'']) || safe.starts_with(' ') || safe.ends_with(' ');
    if quotes { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// An instant that was written into a line, RFC 3339 to the second without its offset.
struct Written {
    place: usize,
    offset_s: i64,
    day: i64,
    hour: i64,
    /// Seconds since the hour began.
    within: i64,
}

/// `2026-11-01T00:00:00`.
const INSTANT: usize = 19;

impl Written {
    /// Writes an instant as it is at an offset in seconds east.
    fn at(at_ms: i64, offset_s: i64, line: &mut Vec<u8>) -> Self {
        let place = line.len();
        line.resize(place.saturating_add(INSTANT), b'?');
        // No day has this number, so that the date is written.
        let mut written = Self { place, offset_s, day: i64::MIN, hour: 0, within: 0 };
        written.becomes(at_ms, line);
        written
    }

    /// Writes another instant in its place.
    fn becomes(&mut self, at_ms: i64, line: &mut [u8]) {
        let local = at_ms.div_euclid(1000).saturating_add(self.offset_s);
        let day = local.div_euclid(DAY_S);
        let of_day = local.rem_euclid(DAY_S);
        let (hour, within) = (of_day / HOUR_S, of_day % HOUR_S);
        let Some(place) = line.get_mut(self.place..self.place.saturating_add(INSTANT)) else { return };
        if self.day != day {
            // RFC 3339 has years of four digits only; of others as much as there is room for.
            let at = chrono::DateTime::from_timestamp(day.saturating_mul(DAY_S), 0).unwrap_or_default();
            let date = at.format("%Y-%m-%dT00:00:00").to_string();
            for (to, from) in place.iter_mut().zip(date.bytes()) {
                *to = from;
            }
            (self.day, self.hour, self.within) = (day, 0, 0);
        }
        // Mostly but the hour is another.
        if self.hour != hour {
            two(place, 11, hour);
            self.hour = hour;
        }
        if self.within != within {
            two(place, 14, within / 60);
            two(place, 17, within % 60);
            self.within = within;
        }
    }
}

/// Writes two digits at a place.
fn two(line: &mut [u8], place: usize, value: i64) {
    if let (Some([tens, ones]), Ok(value)) =
        (line.get_mut(place..).and_then(|at| at.first_chunk_mut()), u8::try_from(value))
    {
        *tens = b'0'.saturating_add(value / 10);
        *ones = b'0'.saturating_add(value % 10);
    }
}

fn offset(seconds: i64) -> Vec<u8> {
    if seconds == 0 {
        return b"Z".to_vec();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into_bytes()
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut from = digits.len();
    loop {
        from = from.saturating_sub(1);
        if let (Some(place), Ok(digit)) = (digits.get_mut(from), u8::try_from(value % 10)) {
            *place = b'0'.saturating_add(digit);
        }
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use simbell_api::{ExportCorrection, ExportGap, ExportKind, ExportRun, ExportedUsage};

    use super::*;

    fn part() -> ExportPart {
        ExportPart {
            iccid: Some("8900100000000000017".into()),
            sim: Some("=cmd|'/c calc'!A1".into()),
            start_offset: 7200,
            end_offset: 3600,
            kinds: vec![ExportKind { zone: "home".into(), source: "kernel".into() }],
            runs: vec![
                ExportRun { start_ms: 1_792_890_000_000, length_ms: 3_600_000, kind: 0, rows: 1 },
                ExportRun { start_ms: 1_792_893_600_000, length_ms: 7_200_000, kind: 0, rows: 1 },
            ],
            rx_bytes: vec![0, u64::MAX],
            tx_bytes: vec![10, 7],
            corrections: vec![ExportCorrection {
                at: "2026-11-01T00:00:00+01:00".into(),
                bytes: -5,
                author: "uid 0".into(),
                reason: "said \"6, or so\"\r\n=1+1\u{1b}[31m".into(),
            }],
            gaps: vec![ExportGap {
                start: None,
                end: Some("2026-11-01T00:00:00+01:00".into()),
                reason: "rebooted".into(),
                detail: "@wwan0".into(),
            }],
            total: None,
        }
    }

    fn written(form: Form) -> String {
        let mut out = Vec::new();
        write(form, &part(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_json_are_the_types() {
        let said = written(Form::Json);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 4);
        let second: ExportedUsage = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(second.sim, "=cmd|'/c calc'!A1");
        assert_eq!((second.rx_bytes, second.tx_bytes), (u64::MAX, 7));
        assert_eq!(
            (second.start.as_str(), second.end.as_str()),
            ("2026-10-25T04:00:00+02:00", "2026-10-25T05:00:00+01:00")
        );
        let correction: ExportedCorrection = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(correction.reason, "said \"6, or so\"\r\n=1+1\u{1b}[31m");
        let gap: ExportedGap = serde_json::from_str(lines[3]).unwrap();
        assert_eq!(gap.start, None);
        assert!(!said.contains('\u{1b}'));
    }

    #[test]
    fn a_spreadsheet_finds_neither_a_formula_nor_a_line_too_many() {
        let said = written(Form::Csv);
        let lines: Vec<&str> = said.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "usage,8900100000000000017,\"'=cmd|'/c calc'!A1\",2026-10-25T03:00:00+02:00,\
                 2026-10-25T03:00:00+01:00,home,kernel,0,10,,,,",
                "usage,8900100000000000017,\"'=cmd|'/c calc'!A1\",2026-10-25T04:00:00+02:00,\
                 2026-10-25T05:00:00+01:00,home,kernel,18446744073709551615,7,,,,",
                "correction,8900100000000000017,\"'=cmd|'/c calc'!A1\",2026-11-01T00:00:00+01:00,,,,,,-5,uid 0,\
                 \"said \"\"6, or so\"\"\u{fffd} =1+1\u{fffd}[31m\",",
                "gap,8900100000000000017,\"'=cmd|'/c calc'!A1\",,2026-11-01T00:00:00+01:00,,,,,,,rebooted,\"'@wwan0\"",
                ""
            ]
        );
        let columns = HEADING.trim().split(',').count();
        // A reader of RFC 4180 finds as many cells in each line.
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let mut quoted = false;
            let commas = line.chars().filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            });
            assert_eq!(commas.count() + 1, columns, "{line}");
        }
    }
}
