//! A replay: when a rule would have rung, as a table and as plots.

use std::collections::BTreeMap;

use simbell_api::{ReplayDay, ReplayFailure, ReplayLine, ReplayRing, ReplaySummary, ReplayedRule};

use super::plot::{self, Day, Marks};
use super::records::paragraph;
use super::table::{Column, Table};
use super::{text, time};

/// Everything that a replay came to.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    rings: Vec<ReplayRing>,
    failures: Vec<ReplayFailure>,
    /// By SIM.
    days: BTreeMap<String, Vec<ReplayDay>>,
    summary: Option<ReplaySummary>,
}

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub columns: usize,
    pub color: bool,
    /// Whether more than ASCII is shown.
    pub blocks: bool,
}

impl Replay {
    pub(crate) fn add(&mut self, line: ReplayLine) {
        match line {
            ReplayLine::Ring(ring) => self.rings.push(*ring),
            ReplayLine::Failure(failure) => self.failures.push(*failure),
            ReplayLine::Day(day) => self.days.entry(day.iccid.clone()).or_default().push(*day),
            ReplayLine::Summary(summary) => self.summary = Some(*summary),
        }
    }

    /// Whether it is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.summary.is_some()
    }

    /// Whether the rule rang; of two versions, whether they differ.
    pub(crate) fn is_remarkable(&self) -> bool {
        self.rings.iter().any(|ring| match ring.side.as_deref() {
            Some("both") => ring.old_text.is_some(),
            _ => true,
        })
    }

    pub(crate) fn page(&self, look: Look) -> String {
        let Some(summary) = &self.summary else { return String::new() };
        let compared = summary.both.is_some();
        let mut out = heading(summary);
        if self.rings.is_empty() {
            let who = if compared { "Neither version" } else { "The rule" };
            out.push_str(
                &format!("{who} would not have rung.\n")
                    .replace("Neither version would not", "Neither version would"),
            );
        } else {
            out.push_str(&self.table(compared, look));
        }
        for days in self.days.values() {
            out.push('\n');
            out.push_str(&self.plot(days, compared, look));
        }
        if !self.failures.is_empty() {
            out.push_str("\nFailed\n");
            self.failures.iter().for_each(|one| out.push_str(&failure(one, look.columns)));
        }
        out.push('\n');
        out.push_str(&totals(summary, look.columns));
        out
    }

    fn table(&self, compared: bool, look: Look) -> String {
        let mut columns = vec![
            ("WHEN", Column::Whole),
            ("SIM", Column::Text),
            ("URGENCY", Column::Whole),
            ("KEY", Column::Text),
            ("TIMES", Column::Number),
            ("UNTIL", Column::Whole),
        ];
        if compared {
            columns.insert(0, ("", Column::Whole));
        }
        let mut table = Table::new(columns);
        for ring in &self.rings {
            let mut cells = vec![
                time::absolute(&ring.at),
                ring.sim.clone().unwrap_or_else(|| "-".to_owned()),
                ring.urgency.clone(),
                ring.name.clone(),
                ring.times.to_string(),
                ring.resolved_at.as_ref().map_or_else(|| "-".to_owned(), |at| time::absolute(at)),
            ];
            if compared {
                cells.insert(0, side(ring).to_string());
            }
            table.row(cells);
        }
        let rendered = table.render(look.columns, look.color);
        let mut lines = rendered.lines();
        let mut out = String::new();
        lines.next().into_iter().for_each(|head| out.push_str(&format!("{head}\n")));
        for (line, ring) in lines.zip(&self.rings) {
            let code = match side(ring) {
                '-' => "31",
                '+' => "32",
                '~' => "33",
                _ => "",
            };
            if look.color && compared && !code.is_empty() {
                out.push_str(&format!("\u{1b}[{code}m{line}\u{1b}[0m\n"));
            } else {
                out.push_str(&format!("{line}\n"));
            }
            out.push_str(&details(ring, look.columns));
        }
        out
    }

    fn plot(&self, days: &[ReplayDay], compared: bool, look: Look) -> String {
        let Some(first) = days.first() else { return String::new() };
        let shown: Vec<Day> = days
            .iter()
            .map(|day| Day {
                date: day.date.clone(),
                used: day.used_bytes,
                allowance: day.allowance_bytes,
                partial: day.partial,
            })
            .collect();
        let on = |sides: &[Option<&str>]| -> Vec<&str> {
            self.rings
                .iter()
                .filter(|ring| ring.iccid.as_deref().is_none_or(|iccid| iccid == first.iccid))
                .filter(|ring| sides.contains(&ring.side.as_deref()))
                .filter_map(|ring| ring.at.get(..10))
                .collect()
        };
        let marks = if compared {
            vec![
                Marks { title: "old", dates: on(&[Some("old"), Some("both")]) },
                Marks { title: "new", dates: on(&[Some("new"), Some("both")]) },
            ]
        } else {
            vec![Marks { title: "rang", dates: on(&[None]) }]
        };
        plot::plot(&first.sim, &shown, &marks, look.columns, look.blocks)
    }
}

/// `-` only in the old version, `+` only in the new one, `~` in both with another text.
fn side(ring: &ReplayRing) -> char {
    match ring.side.as_deref() {
        Some("old") => '-',
        Some("new") => '+',
        Some("both") if ring.old_text.is_some() => '~',
        _ => ' ',
    }
}

fn heading(summary: &ReplaySummary) -> String {
    let names: Vec<String> = summary.rules.iter().map(|rule| text::safe(&rule.name)).collect();
    let files: Vec<String> = summary.rules.iter().map(|rule| text::safe(&rule.file)).collect();
    let what = match (names.as_slice(), files.as_slice()) {
        ([_, _], [old, new]) => format!("{old} beside {new}"),
        ([name, ..], _) => name.clone(),
        ([], _) => String::new(),
    };
    let days = if summary.days == 1 { "1 day".to_owned() } else { format!("{} days", summary.days) };
    format!("{what}\n{days}, {} to {}\n\n", time::absolute(&summary.from), time::absolute(&summary.to))
}

fn details(ring: &ReplayRing, columns: usize) -> String {
    let mut out = String::new();
    if let Some(old) = &ring.old_text {
        out.push_str(&paragraph(&format!("- {old}"), columns));
        out.push_str(&paragraph(&format!("+ {}", ring.text), columns));
    } else {
        out.push_str(&paragraph(&ring.text, columns));
    }
    let mut notes = Vec::new();
    if ring.raised_at != ring.at {
        notes.push(format!("raised {}", time::absolute(&ring.raised_at)));
    }
    if let Some(late) = ring.late_seconds {
        notes.push(format!("{} min late", late / 60));
    }
    if ring.times > 1 {
        notes.push(format!("said last {}", time::absolute(&ring.last_at)));
    }
    if !notes.is_empty() {
        out.push_str(&paragraph(&format!("({})", notes.join("; ")), columns));
    }
    out
}

fn failure(failure: &ReplayFailure, columns: usize) -> String {
    let side = failure.side.as_ref().map(|side| format!(" ({side})")).unwrap_or_default();
    let sim = failure.sim.as_ref().map(|sim| format!(", about {sim}")).unwrap_or_default();
    let head = format!("{}{side}{sim}", time::absolute(&failure.at));
    let mut out = paragraph(&head, columns);
    for line in failure.error.lines() {
        out.push_str(&text::cut(&format!("  {}", text::safe(line)), columns));
        out.push('\n');
    }
    if failure.suspended {
        out.push_str(&paragraph("The service would have suspended the rule here.", columns));
    }
    out
}

fn totals(summary: &ReplaySummary, columns: usize) -> String {
    let mut out = String::new();
    let days = if summary.days == 1 { "1 day".to_owned() } else { format!("{} days", summary.days) };
    for (rule, which) in summary.rules.iter().zip(["old", "new"]) {
        let who = if summary.both.is_some() { format!("{which}: rang") } else { "Rang".to_owned() };
        let mut line = format!("{who} {} over {days}", counted(rule));
        if rule.failures > 0 {
            line.push_str(&format!("; failed {}", times(rule.failures)));
        }
        if let Some(at) = &rule.suspended_at {
            line.push_str(&format!("; suspended {}", time::absolute(at)));
        }
        line.push('.');
        text::wrap(&line, columns).iter().for_each(|line| out.push_str(&format!("{line}\n")));
    }
    if let (Some(old), Some(new), Some(both)) = (summary.only_old, summary.only_new, summary.both) {
        out.push_str(&format!("{old} only in old (-), {new} only in new (+), {both} in both.\n"));
    }
    for note in &summary.notes {
        text::wrap(&text::safe(note), columns).iter().for_each(|line| out.push_str(&format!("{line}\n")));
    }
    out
}

/// `7 times (12 with repetitions; asked 340 times)`.
fn counted(rule: &ReplayedRule) -> String {
    let with =
        if rule.times > rule.rings { format!("{} with repetitions; ", rule.times) } else { String::new() };
    format!("{} ({with}asked {})", times(rule.rings), times(rule.evaluations))
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}
