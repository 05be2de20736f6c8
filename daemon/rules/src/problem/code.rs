//! A rule's text with texts and comments taken out: what is left is code, place by place.

/// Something that was begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// `` `… ``
    BackQuotes,
    /// `/* …`
    Comment,
}

/// The code of a file: of texts their quotes are kept and blanks for what is in them, of comments blanks only.
#[derive(Debug)]
pub(crate) struct Code {
    lines: Vec<Vec<char>>,
    raw: Vec<Vec<char>>,
    /// What is open at the end, and where it begins.
    pub(crate) open: Option<(Open, (usize, usize))>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Code,
    Line,
    Comment(usize),
    Text,
    Character,
    BackQuotes,
}

impl Code {
    /// Takes a text apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut reader = Reader::default();
        let characters: Vec<char> = text.chars().collect();
        let mut index = 0;
        while let Some(character) = characters.get(index) {
            let next = characters.get(index.saturating_add(1)).copied();
            index = index.saturating_add(reader.take(*character, next));
        }
        let open = reader.open();
        let raw = text.split('\n').map(|line| line.chars().collect()).collect();
        Self { lines: reader.lines, raw, open }
    }

    /// The code of a line, from 1.
    pub(crate) fn line(&self, line: usize) -> &[char] {
        line.checked_sub(1).and_then(|index| self.lines.get(index)).map_or(&[], Vec::as_slice)
    }

    /// The line as it is.
    pub(crate) fn raw(&self, line: usize) -> &[char] {
        line.checked_sub(1).and_then(|index| self.raw.get(index)).map_or(&[], Vec::as_slice)
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    /// Every character of code with its line and column, both from 1.
    pub(crate) fn all(&self) -> impl Iterator<Item = ((usize, usize), char)> {
        self.lines.iter().zip(1_usize..).flat_map(|(line, number)| {
            line.iter().zip(1_usize..).map(move |(character, column)| ((number, column), *character))
        })
    }

    /// Words of code with the place of each.
    pub(crate) fn words(&self) -> Vec<((usize, usize), String)> {
        let mut words: Vec<((usize, usize), String)> = Vec::new();
        let mut inside = false;
        for (at, character) in self.all() {
            if !is_word(character) {
                inside = false;
                continue;
            }
            match words.last_mut() {
                Some((start, word)) if inside && start.0 == at.0 => word.push(character),
                _ => words.push((at, character.to_string())),
            }
            inside = true;
        }
        words
    }

    /// The first `return` that is within no braces.
    pub(crate) fn return_at_the_top(&self) -> Option<(usize, usize)> {
        let words = self.words();
        let mut returns = words.iter().filter(|(_, word)| word == "return").map(|(at, _)| *at).peekable();
        let mut depth = 0_usize;
        self.all().find_map(|(at, character)| {
            match character {
                '{' => depth = depth.saturating_add(1),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            returns.next_if_eq(&at).filter(|_| depth == 0)
        })
    }

    /// Texts in double quotes that stand, alone or in a list, as the value of `name: …` or `name = …`, each with its
    /// place.
    pub(crate) fn texts_of(&self, name: &str) -> Vec<((usize, usize), String)> {
        let mut found = Vec::new();
        for (at, word) in self.words() {
            if word != name {
                continue;
            }
            let after = (at.0, at.1.saturating_add(word.chars().count()));
            let rest = self.all().filter(|(place, character)| *place >= after && !character.is_whitespace());
            let mut rest = rest.peekable();
            if rest.next().is_none_or(|(_, character)| ![':', '='].contains(&character)) {
                continue;
            }
            let list = rest.next_if(|(_, character)| *character == '[').is_some();
            while let Some((from, '"')) = rest.next() {
                let Some((until, '"')) = rest.next() else { break };
                let within = from.1..until.1.saturating_sub(1);
                if from.0 == until.0
                    && let Some(text) = self.raw(from.0).get(within)
                {
                    found.push((from, text.iter().collect()));
                }
                if !list || rest.next().is_none_or(|(_, character)| character != ',') {
                    break;
                }
            }
        }
        found
    }

    /// Where `fn name` is.
    pub(crate) fn function(&self, name: &str) -> Option<(usize, usize)> {
        let words = self.words();
        words.windows(2).find_map(|pair| match pair {
            [(at, keyword), (_, word)] if keyword == "fn" && word == name => Some(*at),
            _ => None,
        })
    }
}

/// Whether it is part of a name or a number.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[derive(Debug)]
struct Reader {
    lines: Vec<Vec<char>>,
    inside: In,
    /// Where what is open begins.
    began: (usize, usize),
    /// Texts in back quotes that code is within, each with its place and the braces opened in it since.
    around: Vec<((usize, usize), usize)>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { lines: vec![Vec::new()], inside: In::Code, began: (1, 1), around: Vec::new() }
    }
}

impl Reader {
    fn put(&mut self, character: char) {
        if let Some(line) = self.lines.last_mut() {
            line.push(character);
        }
    }

    fn here(&self) -> (usize, usize) {
        (self.lines.len(), self.lines.last().map_or(1, |line| line.len().saturating_add(1)))
    }

    /// Takes one character, or two that belong together.
    fn take(&mut self, character: char, next: Option<char>) -> usize {
        if character == '\n' {
            self.lines.push(Vec::new());
            // Texts in quotes end with their line.
            if matches!(self.inside, In::Line | In::Text | In::Character) {
                self.inside = In::Code;
            }
            return 1;
        }
        match self.inside {
            In::Code => self.code(character, next),
            In::Line => self.blank(1),
            In::Comment(depth) => match (character, next) {
                ('*', Some('/')) => {
                    self.inside = depth.checked_sub(1).filter(|left| *left > 0).map_or(In::Code, In::Comment);
                    self.blank(2)
                }
                ('/', Some('*')) => {
                    self.inside = In::Comment(depth.saturating_add(1));
                    self.blank(2)
                }
                _ => self.blank(1),
            },
            In::Text => self.text(character, next, '"'),
            In::Character => self.text(character, next, '\''),
            In::BackQuotes => match (character, next) {
                ('$', Some('{')) => {
                    self.around.push((self.began, 0));
                    self.inside = In::Code;
                    self.blank(2)
                }
                // Written twice, it stands for itself.
                ('`', Some('`')) => self.blank(2),
                ('`', _) => self.close('`'),
                _ => self.blank(1),
            },
        }
    }

    fn code(&mut self, character: char, next: Option<char>) -> usize {
        let opened = match character {
            '/' if next == Some('/') => Some(In::Line),
            '/' if next == Some('*') => Some(In::Comment(1)),
            '"' => Some(In::Text),
            '\'' => Some(In::Character),
            '`' => Some(In::BackQuotes),
            _ => None,
        };
        if let Some(opened) = opened {
            self.began = self.here();
            self.inside = opened;
            return match opened {
                In::Line | In::Comment(_) => self.blank(2),
                _ => {
                    self.put(character);
                    1
                }
            };
        }
        match (character, self.around.last_mut()) {
            ('{', Some((_, depth))) => *depth = depth.saturating_add(1),
            ('}', Some((_, 0))) => {
                let (began, _) = self.around.pop().unwrap_or_default();
                self.began = began;
                self.inside = In::BackQuotes;
                return self.blank(1);
            }
            ('}', Some((_, depth))) => *depth = depth.saturating_sub(1),
            _ => {}
        }
        self.put(character);
        1
    }

    fn text(&mut self, character: char, next: Option<char>, quote: char) -> usize {
        match (character, next) {
            ('\\', Some(escaped)) if escaped != '\n' => self.blank(2),
            (character, _) if character == quote => self.close(quote),
            _ => self.blank(1),
        }
    }

    fn close(&mut self, quote: char) -> usize {
        self.put(quote);
        self.inside = In::Code;
        1
    }

    fn blank(&mut self, count: usize) -> usize {
        for _ in 0..count {
            self.put(' ');
        }
        count
    }

    fn open(&self) -> Option<(Open, (usize, usize))> {
        match self.inside {
            In::Comment(_) => Some((Open::Comment, self.began)),
            In::BackQuotes => Some((Open::BackQuotes, self.began)),
            _ => self.around.first().map(|(began, _)| (Open::BackQuotes, *began)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Open};

    fn shown(text: &str) -> String {
        let code = Code::of(text);
        let lines: Vec<String> = (1..=code.count()).map(|line| code.line(line).iter().collect()).collect();
        lines.join("\n")
    }

    #[test]
    fn texts_and_comments_are_blank_and_every_place_is_kept() {
        assert_eq!(shown("let a = \"b\\\"c\"; // d"), "let a = \"    \";     ");
        assert_eq!(shown("x /* y /* z */ */ 'q' w"), "x                 ' ' w");
        assert_eq!(shown("`流${sim.used}量` + 1"), "`   sim.used  ` + 1");
        assert_eq!(shown("`${ #{ a: `${b}` } }` c"), "`   #{ a: `  b ` }  ` c");
    }

    #[test]
    fn what_is_not_ended_is_known() {
        assert_eq!(Code::of("a /* b").open, Some((Open::Comment, (1, 3))));
        assert_eq!(Code::of("a\n  `b").open, Some((Open::BackQuotes, (2, 3))));
        assert_eq!(Code::of("a `${b").open, Some((Open::BackQuotes, (1, 3))));
        assert_eq!(Code::of("a \"b\" // c").open, None);
    }

    #[test]
    fn a_function_is_found_where_it_is_code() {
        let code = Code::of("// fn on_usage(sim)\nconst F = \"fn on_usage\";\nfn  on_usage(sim) {}");
        assert_eq!(code.function("on_usage"), Some((3, 1)));
        assert_eq!(code.function("on_use"), None);
    }
}
