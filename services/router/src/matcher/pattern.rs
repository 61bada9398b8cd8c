//! Go's RE2 dialect, written in the words of the `regex` crate.
//!
//! The two agree but for a few corners, each of which would silently match something else: `\d \w \s \b` are
//! ASCII in Go and Unicode here, `\Q…\E` and octal escapes exist only there, and `&& -- ~~ [` within a class,
//! `{,5}`, `\<` and the flags `u x R` mean something only here.

use std::{iter::Peekable, str::Chars};

use regex::{Regex, RegexBuilder};

use super::MatcherError;

/// Compiled size in bytes at which a pattern is refused: a pattern comes from a person's file, and 1 MiB is a
/// thousandfold of what an alternation over service names needs.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Go refuses a repetition above this.
const MAX_REPEAT: u32 = 1000;

/// Compiles `pattern` so that it must match the whole value.
pub(super) fn compile(pattern: &str) -> Result<Regex, MatcherError> {
    let fault = |fault: String| MatcherError::Pattern { pattern: pattern.to_owned(), fault };
    let translated = Translation::of(pattern).map_err(fault)?;
    // Two steps, so that a pattern like `a)(b` cannot lean on the parentheses put around it.
    build(&translated).map_err(fault)?;
    build(&format!("^(?:{translated})$")).map_err(fault)
}

fn build(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(MAX_COMPILED_BYTES).build();
    built.map_err(|error| error.to_string().lines().last().unwrap_or("not understood").trim().to_owned())
}

struct Translation<'a> {
    chars: Peekable<Chars<'a>>,
    out: String,
}

impl<'a> Translation<'a> {
    fn of(pattern: &'a str) -> Result<String, String> {
        let mut this = Self { chars: pattern.chars().peekable(), out: String::with_capacity(pattern.len()) };
        while let Some(c) = this.chars.next() {
            match c {
                '\\' => this.escape(false)?,
                '[' => this.class()?,
                '(' => this.group()?,
                '{' => this.brace()?,
                _ => this.out.push(c),
            }
        }
        Ok(this.out)
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn escape(&mut self, is_in_class: bool) -> Result<(), String> {
        let c = self.chars.next().ok_or("trailing backslash")?;
        match c {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            's' => self.out.push_str(r"[\t\n\f\r ]"),
            'S' => self.out.push_str(r"[^\t\n\f\r ]"),
            'b' if !is_in_class => self.out.push_str(r"(?-u:\b)"),
            'B' if !is_in_class => self.out.push_str(r"(?-u:\B)"),
            'Q' if !is_in_class => self.quoted_run(),
            'E' if !is_in_class => {}
            '0'..='7' => self.octal(c)?,
            'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P' | 'A' | 'z' => self.out.extend(['\\', c]),
            _ if c.is_ascii_punctuation() => self.literal(c),
            _ => return Err(format!(r"unknown escape `\{c}`")),
        }
        Ok(())
    }

    fn quoted_run(&mut self) {
        while let Some(c) = self.chars.next() {
            if c == '\\' && self.chars.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    /// `\0`, `\07`, `\123`; a single digit from 1 to 7 would be a back reference, which RE2 has not.
    fn octal(&mut self, first: char) -> Result<(), String> {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        if first != '0' && !self.chars.peek().is_some_and(is_octal) {
            return Err(format!(r"back reference `\{first}` is not supported"));
        }
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.chars.next_if(is_octal).and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
        }
        self.out.push_str(&format!(r"\x{{{code:X}}}"));
        Ok(())
    }

    /// Within a class everything but ranges, escapes and `[:alpha:]` is a literal.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.chars.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let c = self.chars.next().ok_or("missing closing ]")?;
            match c {
                ']' if !is_first => break,
                '[' if self.chars.peek() == Some(&':') => self.named_class(),
                '\\' => self.escape(true)?,
                // A dash is a range only between two items; at either end it stands for itself.
                '-' if !is_first && self.chars.peek() != Some(&']') => {
                    self.out.push('-');
                    let end = self.chars.next().ok_or("missing closing ]")?;
                    match end {
                        '\\' => self.escape(true)?,
                        _ => self.literal(end),
                    }
                }
                _ => self.literal(c),
            }
            is_first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]` is kept; a `[:` that closes nothing is two literals.
    fn named_class(&mut self) {
        let mut ahead = self.chars.clone();
        let mut name = String::new();
        ahead.next();
        while let Some(c) = ahead.next_if(|c| c.is_ascii_lowercase() || *c == '^') {
            name.push(c);
        }
        if ahead.next() == Some(':') && ahead.next() == Some(']') {
            self.chars = ahead;
            self.out.push_str(&format!("[:{name}:]"));
        } else {
            self.out.push_str(r"\[");
        }
    }

    /// Checks the flags of `(?flags)` and `(?flags:`; names pass as they are.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.chars.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        if matches!(self.chars.peek(), Some('P' | '<')) {
            return Ok(());
        }
        while let Some(c) = self.chars.next_if(|c| !matches!(c, ':' | ')')) {
            if !"imsU-".contains(c) {
                return Err(format!("unknown group flag `{c}`"));
            }
            self.out.push(c);
        }
        Ok(())
    }

    /// `{n}`, `{n,}`, `{n,m}` repeat; any other brace is a literal.
    fn brace(&mut self) -> Result<(), String> {
        let mut ahead = self.chars.clone();
        let low = number(&mut ahead);
        let has_comma = ahead.next_if_eq(&',').is_some();
        let high = if has_comma { number(&mut ahead) } else { None };
        let (Some(low), Some('}')) = (low, ahead.next()) else {
            self.out.push_str(r"\{");
            return Ok(());
        };
        if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT) {
            return Err(format!("repetition above {MAX_REPEAT}"));
        }
        let comma = if has_comma { "," } else { "" };
        let high = high.map_or(String::new(), |high| high.to_string());
        self.out.push_str(&format!("{{{low}{comma}{high}}}"));
        self.chars = ahead;
        Ok(())
    }
}

/// Digits as a number; one too large for the type is as large as can be, and so above every limit.
fn number(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut value = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
        value = Some(value.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
    }
    value
}
