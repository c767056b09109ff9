//! A plain-text table with fixed column widths, so that rows can be printed one by one.

use super::text::printable;

/// A column: its title and how many characters wide it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Printed at the top.
    pub(super) title: &'static str,
    /// In characters, without the spaces beside the bars.
    pub(super) width: usize,
}

/// The colour of one cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tint {
    /// For what holds.
    Green,
    /// For what does not.
    Red,
}

/// Columns, and whether cells may be coloured.
#[derive(Debug)]
pub(super) struct Table {
    columns: &'static [Column],
    colour: bool,
}

impl Table {
    /// A table with these columns; `colour` only when a terminal reads it.
    pub(super) fn new(columns: &'static [Column], colour: bool) -> Self {
        Self { columns, colour }
    }

    /// The top line and the titles.
    pub(super) fn head(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        self.rule('┌', '┬', '┐') + &self.lines(&titles, None)
    }

    /// A line and one row below it; cells are wrapped at their column's width. `tint` colours the cell with that index.
    pub(super) fn row(&self, cells: &[String], tint: Option<(usize, Tint)>) -> String {
        self.rule('├', '┼', '┤') + &self.lines(cells, tint)
    }

    /// The bottom line.
    pub(super) fn foot(&self) -> String {
        self.rule('└', '┴', '┘')
    }

    fn rule(&self, left: char, middle: char, right: char) -> String {
        let mut line = String::new();
        for (index, column) in self.columns.iter().enumerate() {
            line.push(if index == 0 { left } else { middle });
            line.extend(std::iter::repeat_n('─', column.width + 2));
        }
        line.push(right);
        line.push('\n');
        line
    }

    fn lines(&self, cells: &[String], tint: Option<(usize, Tint)>) -> String {
        let wrapped: Vec<Vec<String>> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| wrap(cells.get(index).map_or("", |cell| cell), column.width))
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
        let mut lines = String::new();
        for line in 0..height {
            for (index, column) in self.columns.iter().enumerate() {
                let text = wrapped[index].get(line).map_or("", |text| text);
                let padding = " ".repeat(column.width.saturating_sub(width(text)));
                let (on, off) = match tint {
                    Some((tinted, tint)) if self.colour && tinted == index => (tint.code(), "\u{1b}[0m"),
                    _ => ("", ""),
                };
                lines.extend(["│ ", on, text, off, &padding, " "]);
            }
            lines.push_str("│\n");
        }
        lines
    }
}

impl Tint {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "\u{1b}[32m",
            Self::Red => "\u{1b}[31m",
        }
    }
}

/// Lines of at most `limit` columns: broken at spaces, inside a word only where the word is longer than a line.
fn wrap(cell: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in printable(cell).split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && width(&line) + 1 + width(word) > limit {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for c in word.chars() {
                if width(&line) + columns(c) > limit && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Columns a character takes: two for the East Asian blocks and emoji, none for the usual combining marks.
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column { title: "a", width: 3 }, Column { title: "b", width: 7 }];

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn a_table_is_boxed_and_wrapped() {
        let table = Table::new(COLUMNS, false);
        let text = table.head() + &table.row(&cells(&["1", "one two three"]), Some((0, Tint::Red))) + &table.foot();
        let expected = "\
┌─────┬─────────┐
│ a   │ b       │
├─────┼─────────┤
│ 1   │ one two │
│     │ three   │
└─────┴─────────┘
";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_words_are_broken_and_line_ends_kept() {
        assert_eq!(wrap("abcdefgh ij\nk", 3), ["abc", "def", "gh", "ij", "k"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("a\n\nb", 3), ["a", "", "b"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        let table = Table::new(COLUMNS, false);
        assert!(table.row(&cells(&["日", "é"]), None).contains("│ 日  │ é       │"));
    }

    #[test]
    fn colour_is_outside_the_padding() {
        let table = Table::new(COLUMNS, true);
        assert!(table.row(&cells(&["ok", ""]), Some((0, Tint::Green))).contains("│ \u{1b}[32mok\u{1b}[0m  │"));
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let table = Table::new(COLUMNS, true);
        assert!(!table.row(&cells(&["\u{1b}[2J", ""]), None).contains('\u{1b}'));
    }
}
