//! Tables that fit: by display width, the widest flexible column gives way first; where that is not enough, row by row.

use super::text::{cut, safe, width, wrap};

const GAP: usize = 2;
/// Before what is told of a row, where a table becomes a list.
const INDENT: usize = 2;
/// No column is made narrower.
const LEAST: usize = 6;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Left; cut where the table is too wide.
    Text,
    /// Right; never cut.
    Number,
    /// Left; never cut.
    Whole,
}

/// Rows under a header.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<(&'static str, Column)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) const fn new(header: Vec<(&'static str, Column)>) -> Self {
        Self { header, rows: Vec::new() }
    }

    /// Adds a row; its texts are made harmless.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| safe(cell)).collect());
    }

    /// The table, at most `columns` wide: where cutting cannot do it, a list.
    pub(crate) fn render(&self, columns: usize, color: bool) -> String {
        let widths = self.widths(columns);
        if whole(&widths) > columns {
            return self.list(columns, color);
        }
        let mut out = String::new();
        let header: Vec<String> = self.header.iter().map(|(title, _)| (*title).to_owned()).collect();
        out.push_str(&emphasised(&self.line(&header, &widths), color));
        for row in &self.rows {
            out.push_str(&self.line(row, &widths));
            out.push('\n');
        }
        out
    }

    /// Each row under its first cell, a cell a line with its title before it. What says nothing is left out.
    fn list(&self, columns: usize, color: bool) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let mut cells = self.header.iter().map(|(title, _)| *title).zip(row);
            for line in cells.next().map(|(_, first)| wrap(first, columns)).unwrap_or_default() {
                out.push_str(&emphasised(&line, color));
            }
            let mut told: Vec<String> = Vec::new();
            let mut follows = false;
            for (title, cell) in cells {
                let says = !cell.is_empty() && cell != "-";
                match told.last_mut() {
                    // What stands in a column without a title is about the one before.
                    Some(before) if says && follows && title.is_empty() => {
                        before.push_str(&format!(", {cell}"));
                    }
                    _ if says && title.is_empty() => told.push(cell.clone()),
                    _ if says => told.push(format!("{title}: {cell}")),
                    _ => {}
                }
                follows = says;
            }
            for line in told.iter().flat_map(|told| wrap(told, columns.saturating_sub(INDENT))) {
                out.push_str(&format!("{}{line}\n", " ".repeat(INDENT)));
            }
        }
        out
    }

    fn widths(&self, columns: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.header.len())
            .map(|at| {
                let title = self.header.get(at).map_or(0, |(title, _)| width(title));
                self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).fold(title, usize::max)
            })
            .collect();
        let mut total = whole(&widths);
        while total > columns {
            let widest = widths
                .iter()
                .enumerate()
                .filter(|(at, wide)| {
                    **wide > LEAST && self.header.get(*at).is_some_and(|(_, column)| *column == Column::Text)
                })
                .max_by_key(|(_, wide)| **wide)
                .map(|(at, _)| at);
            let Some(cell) = widest.and_then(|at| widths.get_mut(at)) else { break };
            *cell = cell.saturating_sub(1);
            total = total.saturating_sub(1);
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (at, ((_, column), wide)) in self.header.iter().zip(widths).enumerate() {
            let cell = cells.get(at).map_or("", String::as_str);
            let cell = if *column == Column::Text { cut(cell, *wide) } else { cell.to_owned() };
            let pad = " ".repeat(wide.saturating_sub(width(&cell)));
            if at > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            if *column == Column::Number {
                line.push_str(&pad);
                line.push_str(&cell);
            } else {
                line.push_str(&cell);
                line.push_str(&pad);
            }
        }
        line.trim_end().to_owned()
    }
}

/// Columns of a line, the gaps included.
fn whole(widths: &[usize]) -> usize {
    let gaps = GAP.saturating_mul(widths.len().saturating_sub(1));
    widths.iter().sum::<usize>().saturating_add(gaps)
}

fn emphasised(line: &str, color: bool) -> String {
    if color { format!("\u{1b}[1m{line}\u{1b}[0m\n") } else { format!("{line}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_cannot_be_cut_to_fit_it_is_told_row_by_row() {
        let mut table = Table::new(vec![
            ("ICCID", Column::Whole),
            ("NAME", Column::Text),
            ("USED", Column::Number),
            ("", Column::Number),
            ("LAST SEEN", Column::Whole),
        ]);
        let name = "旅行用的中国联通流量卡和另外一张很长的卡";
        let row = ["8900100000000000017", name, "4.90 GB", "81 %", "2026-11-22 21:00"];
        table.row(row.map(str::to_owned).to_vec());
        table.row(["8900100000000000025", "-", "0 B", "", "never"].map(str::to_owned).to_vec());
        table.row(["8900100000000000033", "x", "-", "not known", "-"].map(str::to_owned).to_vec());
        assert_eq!(
            table.render(40, false),
            "8900100000000000017\n  NAME: 旅行用的中国联通流量卡和另外一张\n  很长的卡\n  USED: 4.90 GB, 81 %\n  LAST SEEN: \
             2026-11-22 21:00\n8900100000000000025\n  USED: 0 B\n  LAST SEEN: never\n8900100000000000033\n  \
             NAME: x\n  not known\n"
        );
        assert_eq!(table.render(80, false).lines().count(), 4, "it is a table where there is room");
    }

    #[test]
    fn fits_and_lines_up_with_chinese() {
        let mut table =
            Table::new(vec![("SIM", Column::Text), ("USED", Column::Number), ("PLAN", Column::Text)]);
        table.row(vec!["home".into(), "4.90 GB".into(), "Data M".into()]);
        table.row(vec!["旅行用的中国联通流量卡".into(), "123.46 MB".into(), "x".repeat(40)]);
        let text = table.render(40, false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| width(line) <= 40), "{text}");
        let column = |line: &str, word: &str| width(&line[..line.find(word).unwrap() + word.len()]);
        assert_eq!(column(lines[1], "4.90 GB"), column(lines[2], "123.46 MB"));
        assert!(lines[2].contains("旅行") && lines[2].contains('…'), "{text}");
    }
}
