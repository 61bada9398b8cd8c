//! Whom an alarm mentions: Slack's own escapes, or the names people type for them.

/// Who is mentioned unless the configuration says otherwise: everybody in the channel. `<!here>` reaches only those
/// who are at their desks, and an alarm is for those who are not.
pub const DEFAULT_MENTION: &str = "<!channel>";

/// Longest mention, in characters: a handful of people or groups.
const MAX_MENTION_CHARS: usize = 500;

/// The mention as Slack takes it; empty: nobody. `@here`, `@channel` and `none` are understood.
pub fn parse(text: &str) -> Result<String, String> {
    if text.chars().count() > MAX_MENTION_CHARS {
        return Err(format!("mention is longer than {MAX_MENTION_CHARS} characters"));
    }
    if text.trim() == "none" {
        return Ok(String::new());
    }
    let words: Result<Vec<String>, String> = text.split_whitespace().map(word).collect();
    Ok(words?.join(" "))
}

fn word(text: &str) -> Result<String, String> {
    if let Some(name @ ("here" | "channel" | "everyone")) = text.strip_prefix('@') {
        return Ok(format!("<!{name}>"));
    }
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let is_id = |id: &str, first: &[char]| {
        id.starts_with(first) && id.len() > 1 && id.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let is_mention = inner.is_some_and(|inner| match inner.split_once('^') {
        Some(("!subteam", group)) => is_id(group, &['S']),
        Some(_) => false,
        None => {
            ["!here", "!channel", "!everyone"].contains(&inner)
                || inner.strip_prefix('@').is_some_and(|user| is_id(user, &['U', 'W']))
        }
    });
    match is_mention {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is not a mention; write <!here>, <!channel>, <@U0123> (a member), <!subteam^S0123> (a user group) or none"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_mention_is_slacks_own_escape_or_the_name_people_type() {
        for (text, parsed) in [
            ("<!here>", Some("<!here>")),
            ("@channel", Some("<!channel>")),
            ("<@U012AB3CD>", Some("<@U012AB3CD>")),
            ("<!subteam^S012AB> <@W1>", Some("<!subteam^S012AB> <@W1>")),
            ("none", Some("")),
            ("", Some("")),
            ("@ann", None),
            ("<@ann>", None),
            ("<https://x.org|click>", None),
            ("<!subteam^X1>", None),
        ] {
            assert_eq!(parse(text).ok().as_deref(), parsed, "{text}");
        }
    }
}
