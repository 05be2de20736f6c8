//! Tables that fit: by display width, the widest flexible column gives way first.

use super::text::{cut, safe, width};

const GAP: usize = 2;
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

    /// The table, at most `columns` wide where cutting can do it.
    pub(crate) fn render(&self, columns: usize, color: bool) -> String {
        let widths = self.widths(columns);
        let mut out = String::new();
        let header: Vec<String> = self.header.iter().map(|(title, _)| (*title).to_owned()).collect();
        let line = self.line(&header, &widths);
        if color {
            out.push_str(&format!("\u{1b}[1m{line}\u{1b}[0m\n"));
        } else {
            out.push_str(&format!("{line}\n"));
        }
        for row in &self.rows {
            out.push_str(&self.line(row, &widths));
            out.push('\n');
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
        let gaps = GAP.saturating_mul(widths.len().saturating_sub(1));
        let mut total = widths.iter().sum::<usize>().saturating_add(gaps);
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

#[cfg(test)]
mod tests {
    use super::*;

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
