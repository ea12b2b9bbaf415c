//! Tables on a terminal: columns as wide as what stands in them, one of them cut so that a row fits.

use crate::client::printable;
use rustix::termios::tcgetwinsize;
use std::io::{IsTerminal, stdout};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The least that is left of a column that is cut.
const CUT_WIDTH_MIN: usize = 16;

/// How a column stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
    /// To the left; gives way on a terminal that is too narrow.
    Cut,
}

/// Rows of text. What stands in them may come from strangers; it is cleaned here.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With the titles of its columns.
    pub(crate) fn new(titles: &[(&str, Align)]) -> Self {
        let columns = titles.iter().map(|(_, align)| *align).collect();
        let head = titles.iter().map(|(title, _)| (*title).to_owned()).collect();
        Self { columns, rows: vec![head] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// All rows as lines, as wide as stdout if that is a terminal.
    pub(crate) fn text(&self) -> String {
        self.text_within(terminal_size().map(|(columns, _)| columns))
    }

    fn text_within(&self, width_max: Option<usize>) -> String {
        let mut widths = vec![0; self.columns.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let all = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let over = width_max.map_or(0, |max| all.saturating_sub(max));
        for (width, align) in widths.iter_mut().zip(&self.columns) {
            if *align == Align::Cut && over > 0 {
                *width = width.saturating_sub(over).max(CUT_WIDTH_MIN.min(*width));
            }
        }
        let lines: Vec<String> = self.rows.iter().map(|row| self.line(row, &widths)).collect();
        lines.join("\n")
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().zip(widths).zip(&self.columns).map(|((cell, width), align)| {
            let cell = cut(cell, *width);
            let space = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Right => space + &cell,
                Align::Left | Align::Cut => cell + &space,
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Columns and rows of stdout, if it is a terminal.
pub(crate) fn terminal_size() -> Option<(usize, usize)> {
    let stdout = stdout();
    let size = stdout.is_terminal().then(|| tcgetwinsize(&stdout).ok()).flatten()?;
    (size.ws_col > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

fn cut(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let mut width = 1;
    let fits = |letter: &char| {
        width += letter.width().unwrap_or(0);
        width <= width_max
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_one_gives_way() {
        let mut table =
            Table::new(&[("id", Align::Left), ("name", Align::Cut), ("size", Align::Right)]);
        table.row(["1".into(), "a long name of a torrent".into(), "5 MiB".into()]);
        table.row(["22".into(), "\u{6f22}\u{5b57}".into(), "10 MiB".into()]);
        let wide = "id  name                        size\n\
                    1   a long name of a torrent   5 MiB\n\
                    22  \u{6f22}\u{5b57}                      10 MiB";
        assert_eq!(table.text_within(None), wide);
        let narrow = "id  name                size\n\
                      1   a long name of \u{2026}   5 MiB\n\
                      22  \u{6f22}\u{5b57}              10 MiB";
        assert_eq!(table.text_within(Some(28)), narrow);
    }

    #[test]
    fn a_name_from_a_stranger_moves_no_cursor() {
        let mut table = Table::new(&[("name", Align::Cut)]);
        table.row(["a\u{1b}[2Jb\nc".into()]);
        assert_eq!(table.text_within(None), "name\na\u{fffd}[2Jb\u{fffd}c");
    }
}
