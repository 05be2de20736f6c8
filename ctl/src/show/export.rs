//! Rows of an export as JSON lines or CSV. Millions pass through here: what stays the same is written once and copied.

use simbell_api::{ExportPart, ExportedCorrection, ExportedGap};

use super::text;

const DAY_S: i64 = 86_400;

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
pub(crate) fn write(form: Form, part: &ExportPart, days: &mut Days, out: &mut Vec<u8>) {
    usage(form, part, days, out);
    match form {
        Form::Json => json_marks(part, out),
        Form::Csv => csv_marks(part, out),
    }
}

fn usage(form: Form, part: &ExportPart, days: &mut Days, out: &mut Vec<u8>) {
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
    let (figures, end): (&[u8], &[u8]) = match form {
        Form::Json => (b",\"tx_bytes\":", b"}\n"),
        Form::Csv => (b",", b",,,,\r\n"),
    };
    let (start_zone, end_zone) = (offset(part.start_offset), offset(part.end_offset));
    let times = part.start_ms.iter().zip(&part.length_ms);
    let volumes = part.rx_bytes.iter().zip(&part.tx_bytes);
    for (((start, length), kind), (rx, tx)) in times.zip(&part.kind).zip(volumes) {
        out.extend_from_slice(begin.as_bytes());
        days.write(*start, part.start_offset, &start_zone, out);
        out.extend_from_slice(between);
        days.write(start.saturating_add(*length), part.end_offset, &end_zone, out);
        let kind = usize::try_from(*kind).ok().and_then(|kind| kinds.get(kind));
        out.extend_from_slice(kind.map_or(b"", |kind| kind.as_bytes()));
        number(*rx, out);
        out.extend_from_slice(figures);
        number(*tx, out);
        out.extend_from_slice(end);
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

/// Days as they were written last: rows that follow each other are mostly of one day.
#[derive(Debug, Default)]
pub(crate) struct Days {
    number: Option<i64>,
    date: String,
}

impl Days {
    /// RFC 3339 to the second, at an offset in seconds east.
    fn write(&mut self, at_ms: i64, offset_s: i64, offset: &[u8], out: &mut Vec<u8>) {
        let local = at_ms.div_euclid(1000).saturating_add(offset_s);
        let day = local.div_euclid(DAY_S);
        if self.number != Some(day) {
            self.number = Some(day);
            let at = chrono::DateTime::from_timestamp(day.saturating_mul(DAY_S), 0).unwrap_or_default();
            self.date = at.format("%Y-%m-%dT").to_string();
        }
        out.extend_from_slice(self.date.as_bytes());
        let within = local.rem_euclid(DAY_S);
        two(within / 3600, out);
        out.push(b':');
        two(within / 60 % 60, out);
        out.push(b':');
        two(within % 60, out);
        out.extend_from_slice(offset);
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

fn two(value: i64, out: &mut Vec<u8>) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(u8::try_from(digit).map_or(b'0', |digit| b'0'.saturating_add(digit)));
    }
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
    use simbell_api::{ExportCorrection, ExportGap, ExportKind, ExportedUsage};

    use super::*;

    fn part() -> ExportPart {
        ExportPart {
            iccid: Some("8900100000000000017".into()),
            sim: Some("=cmd|'/c calc'!A1".into()),
            start_offset: 7200,
            end_offset: 3600,
            kinds: vec![ExportKind { zone: "home".into(), source: "kernel".into() }],
            start_ms: vec![1_792_890_000_000, 1_792_893_600_000],
            length_ms: vec![3_600_000, 7_200_000],
            kind: vec![0, 0],
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
        write(form, &part(), &mut Days::default(), &mut out);
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
