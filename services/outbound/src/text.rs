//! Text that came from elsewhere, made fit to be shown: bounded, without control characters, without secrets.

/// Secrets shorter than this are not searched for: they would blacken ordinary words.
const MIN_SECRET_BYTES: usize = 4;

/// `text` without control characters, runs of white space as one space, cut to `max` characters.
pub fn one_line(text: &str, max: usize) -> String {
    let spaced: String = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect();
    clip(&spaced.split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// Control characters, and those that turn the direction of what follows: a name must not rewrite its sentence.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The first `max` characters, with an ellipsis where more were there.
pub fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `text` with every occurrence of `secrets` blackened: an endpoint may echo what it was sent.
pub fn redact<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let long_enough = secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET_BYTES);
    long_enough.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

/// An error with its causes: the outermost one alone says little.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_bounded_line_that_cannot_turn_its_sentence_around() {
        assert_eq!(one_line("a\r\nBcc: b\u{202e}c", 40), "a Bcc: b c");
        assert_eq!(one_line("äöüß", 3), "äö…");
    }

    #[test]
    fn an_echoed_secret_is_blackened() {
        assert_eq!(redact("token xoxb-1234 is bad", ["xoxb-1234", ""]), "token [redacted] is bad");
    }
}
