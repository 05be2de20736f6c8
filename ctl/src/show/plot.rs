//! Usage against the allowance day by day, with marks where something rang: in blocks, or in ASCII.

use super::amount::amount;
use super::text;

/// Lines that a plot is high.
const HEIGHT: usize = 4;
/// Columns before the first day: `100% |`.
const GUTTER: usize = 6;
/// Wider than that a plot tells nothing more.
const WIDEST: usize = 100;

/// One day of a SIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Day {
    /// ISO 8601.
    pub date: String,
    /// Used in the cycle by its end.
    pub used: u64,
    /// The allowance.
    pub allowance: Option<u64>,
    /// Not known whole, or not by the hour.
    pub partial: bool,
}

/// What marks a line below the plot: how often something happened on a day.
#[derive(Debug)]
pub(crate) struct Marks<'a> {
    /// Its title, of four columns at most.
    pub title: &'a str,
    /// By date.
    pub dates: Vec<&'a str>,
}

/// How a plot is drawn.
#[derive(Debug, Clone, Copy)]
struct Ink {
    levels: &'static [char],
    side: char,
    corner: char,
    floor: char,
    tick: char,
}

const BLOCKS: Ink = Ink {
    levels: &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    side: '┤',
    corner: '└',
    floor: '─',
    tick: '┬',
};
const ASCII: Ink = Ink { levels: &[' ', '.', ':', '#'], side: '|', corner: '+', floor: '-', tick: '+' };

/// The plot of one SIM, `columns` wide at most.
pub(crate) fn plot(sim: &str, days: &[Day], marks: &[Marks<'_>], columns: usize, blocks: bool) -> String {
    let ink = if blocks { BLOCKS } else { ASCII };
    let room = columns.min(WIDEST).saturating_sub(GUTTER).max(10);
    let each = days.len().div_ceil(room).max(1);
    let cells: Vec<&[Day]> = days.chunks(each).collect();
    let plan = days.iter().rev().find_map(|day| day.allowance).filter(|data| *data > 0);
    let most = days.iter().map(|day| day.used).max().unwrap_or(0);
    let sim = text::safe(sim);
    let scale = match plan {
        Some(data) => format!("{sim}: used in the cycle, of {}", amount(data)),
        None => format!("{sim}: used in the cycle; no allowance, {} at most", amount(most)),
    };
    let wide = if each == 1 { String::new() } else { format!("; a column is {each} days") };
    let mut out = text::cut(&format!("{scale}{wide}"), columns) + "\n";
    let steps = ink.levels.len().saturating_sub(1);
    let heights: Vec<usize> =
        cells.iter().map(|cell| height(cell, most, HEIGHT.saturating_mul(steps))).collect();
    for row in (0..HEIGHT).rev() {
        let label = match plan {
            Some(_) => format!("{}%", row.saturating_add(1).saturating_mul(100) / HEIGHT),
            None => String::new(),
        };
        let below = row.saturating_mul(steps);
        let line: String =
            heights.iter().filter_map(|high| ink.levels.get(high.saturating_sub(below).min(steps))).collect();
        out.push_str(format!("{label:>4} {}{line}", ink.side).trim_end());
        out.push('\n');
    }
    out.push_str(&axis(&cells, ink));
    for mark in marks {
        let line: String = cells.iter().map(|cell| times(cell, &mark.dates)).collect();
        out.push_str(format!("{:>4}  {line}", mark.title).trim_end());
        out.push('\n');
    }
    if days.iter().any(|day| day.partial) {
        let line: String =
            cells.iter().map(|cell| if cell.iter().any(|day| day.partial) { '?' } else { ' ' }).collect();
        out.push_str(format!("{:>4}  {line}", "gaps").trim_end());
        out.push('\n');
    }
    out
}

/// In steps; whatever is used shows.
fn height(cell: &[Day], most: u64, full: usize) -> usize {
    let steps = u128::try_from(full).unwrap_or(u128::MAX);
    let of = |day: &Day| {
        let whole = u128::from(day.allowance.filter(|data| *data > 0).unwrap_or(most).max(1));
        let high = u128::from(day.used).saturating_mul(steps).saturating_add(whole / 2) / whole;
        let least = u128::from(day.used > 0);
        usize::try_from(high.max(least).min(steps)).unwrap_or(full)
    };
    cell.iter().map(of).max().unwrap_or(0)
}

/// How many of `dates` lie in the cell: a digit, `+` from ten on.
fn times(cell: &[Day], dates: &[&str]) -> char {
    let count = dates.iter().filter(|date| cell.iter().any(|day| day.date == **date)).count();
    match u32::try_from(count).ok().and_then(|count| char::from_digit(count, 10)) {
        Some('0') => ' ',
        Some(digit) => digit,
        None => '+',
    }
}

/// The floor, and below it dates as often as they fit.
fn axis(cells: &[&[Day]], ink: Ink) -> String {
    const LABEL: usize = 5;
    let mut floor = String::new();
    let mut labels = String::new();
    let mut free_at = 0;
    for (at, cell) in cells.iter().enumerate() {
        let fits = at >= free_at && at.saturating_add(LABEL) <= cells.len().max(LABEL);
        // `09-21` of `2026-09-21`.
        let label = cell.first().and_then(|day| day.date.get(5..10)).filter(|_| fits);
        match label {
            Some(label) => {
                floor.push(ink.tick);
                labels.push_str(&" ".repeat(at.saturating_sub(labels.len())));
                labels.push_str(&text::safe(label));
                free_at = at.saturating_add(LABEL.saturating_mul(2));
            }
            None => floor.push(ink.floor),
        }
    }
    format!("     {}{floor}\n      {labels}\n", ink.corner)
}

/// Whether the terminal shows more than ASCII, by the locale and `TERM`.
pub(crate) fn blocks_welcome() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    !dumb && (locale.contains("utf-8") || locale.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: u64, allowance: Option<u64>) -> Vec<Day> {
        (0..count)
            .map(|n| Day {
                date: format!("2026-{:02}-{:02}", 9 + n / 30, 1 + n % 30),
                used: n % 30 * 100,
                allowance,
                partial: n == 2,
            })
            .collect()
    }

    #[test]
    fn ninety_days_fit_into_eighty_columns() {
        let days = days(90, Some(2_900));
        let marks = [Marks { title: "rang", dates: vec!["2026-09-25", "2026-10-25", "2026-10-26"] }];
        let text = plot("home", &days, &marks, 80, true);
        assert!(text.lines().all(|line| text::width(line) <= 80), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "home: used in the cycle, of 2.90 kB; a column is 2 days");
        assert!(lines[1].starts_with("100% ┤") && lines[1].contains('█'), "{text}");
        assert_eq!(lines[5].chars().filter(|c| *c == '┬').count(), 5, "{text}");
        assert!(lines[6].contains("09-01") && lines[6].contains("10-11"), "{text}");
        assert!(lines[7].starts_with("rang") && lines[7].ends_with('2'), "{text}");
        assert!(lines[8].starts_with("gaps   ?"), "{text}");
    }

    #[test]
    fn nothing_beyond_ascii_where_it_is_not_welcome() {
        let text = plot("home", &days(30, None), &[], 80, false);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("no allowance, 2.90 kB at most") && text.contains('#'), "{text}");
        assert!(plot("x\u{1b}", &[], &[], 80, false).starts_with("x\u{fffd}: used"));
    }
}
