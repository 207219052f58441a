//! A pattern's text, read from the left.

use super::Invalid;

pub struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader(text)
    }

    pub fn is_done(&mut self) -> bool {
        self.space();
        self.0.is_empty()
    }

    pub fn space(&mut self) {
        self.0 = self.0.trim_start();
    }

    pub fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    /// Behind any space.
    pub fn eat(&mut self, text: &str) -> bool {
        self.space();
        match self.0.strip_prefix(text) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    pub fn expect(&mut self, text: &str) -> Result<(), Invalid> {
        if self.eat(text) { Ok(()) } else { Err(Invalid) }
    }

    /// In any upper or lower case, and not the beginning of a longer word.
    pub fn eat_word(&mut self, word: &str) -> bool {
        self.space();
        let found = self.0.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        let ends = self.0.get(word.len()..).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        if found && ends {
            self.0 = &self.0[word.len()..];
        }
        found && ends
    }

    /// As long as `wanted` says so; may be empty.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// What stands between two of `mark`, of which the first is next; a backslash takes its meaning from the next character.
    pub fn quoted(&mut self, mark: char) -> Result<String, Invalid> {
        let mut text = String::new();
        let mut characters = self.0.char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' if mark == '"' => text.push(characters.next().ok_or(Invalid)?.1),
                _ if character == mark => {
                    self.0 = &self.0[index + mark.len_utf8()..];
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err(Invalid)
    }
}
