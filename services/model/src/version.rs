//! Version names: which characters count, and which names are spellings of one version.
//!
//! Deployment tools, image tags and telemetry name the same version in slightly different ways. Names are kept as
//! they were sent, because a rollback has to use the tool's own spelling, and compared by [`is_same_version`].

use std::borrow::Cow;

/// The name without surrounding white space and without control and zero-width characters: those that a person
/// cannot see and a copy from a web page carries along.
pub fn clean_version(name: &str) -> Cow<'_, str> {
    let trimmed = name.trim();
    if trimmed.chars().any(is_invisible) {
        let visible: String = trimmed.chars().filter(|it| !is_invisible(*it)).collect();
        return Cow::Owned(visible.trim().to_owned());
    }
    Cow::Borrowed(trimmed)
}

/// Whether two names are spellings of one version: equal once cleaned, save for a leading `v` before a digit
/// (`v2.5.0` and `2.5.0`).
pub fn is_same_version(left: &str, right: &str) -> bool {
    left == right || without_prefix(&clean_version(left)) == without_prefix(&clean_version(right))
}

fn without_prefix(name: &str) -> &str {
    let rest = name.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|it: char| it.is_ascii_digit()));
    rest.unwrap_or(name)
}

/// Control and format characters, separators of lines, and what Unicode lists as ignorable by default: nobody sees
/// them, or they change how their neighbours are shown.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_version_are_recognised() {
        for (left, right, is_same, why) in [
            ("2.5.0", "2.5.0", true, "equal"),
            ("v2.5.0", "2.5.0", true, "a leading v"),
            ("V2.5.0", "v2.5.0", true, "in either case"),
            (" 2.5.0\n", "2.5.0", true, "white space around it"),
            ("2.5\u{200b}.0", "v2.5.0", true, "a zero-width space"),
            ("2.5.0\u{7}", "2.5.0", true, "a control character"),
            ("version-a", "ersion-a", false, "a v that is part of a word"),
            ("v", "", false, "a v alone"),
            ("2.5.0", "2.5", false, "fewer numbers"),
            ("2.5.0", "2.5.0-rc1", false, "a pre-release"),
            ("abc", "ABC", false, "case counts"),
        ] {
            assert_eq!(is_same_version(left, right), is_same, "{why}");
            assert_eq!(is_same_version(right, left), is_same, "{why}");
        }
    }

    #[test]
    fn clean_names_are_taken_as_they_are() {
        assert!(matches!(clean_version("v2.5.0"), Cow::Borrowed("v2.5.0")));
        assert_eq!(clean_version("\u{feff} 2.5.0 \u{200b}"), "2.5.0");
    }
}
