//! Text that came from elsewhere, made fit for an outcome's detail: bounded, on one line, without secrets.

/// Longest detail of an outcome, in characters: enough for a status line and the beginning of an answer.
pub(crate) const MAX_DETAIL_CHARS: usize = 2000;

/// Longest piece of an answer's body inside a detail, in characters.
pub(crate) const MAX_BODY_CHARS: usize = 500;

/// Secrets shorter than this are not searched for: they would blacken ordinary words.
const MIN_SECRET_BYTES: usize = 4;

/// `text` without control characters, runs of white space as one space, cut to `max` characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clip(&spaced.split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// The first `max` characters, with an ellipsis where more were there.
pub(crate) fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `text` with every occurrence of `secrets` blackened: a target may echo what it was sent.
pub(crate) fn redact<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let long_enough = secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET_BYTES);
    long_enough.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

/// An error with its causes: the outermost one alone says little (`error sending request`).
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
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
    fn an_answer_becomes_one_bounded_line() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[31m  c", 20), "a b [31m c");
        assert_eq!(one_line("äöüß", 3), "äö…");
    }

    #[test]
    fn an_echoed_secret_is_blackened_and_a_trivial_one_does_not_blacken_words() {
        assert_eq!(redact("got Bearer hunter22, thanks", ["hunter22", "a"]), "got Bearer [redacted], thanks");
    }
}
