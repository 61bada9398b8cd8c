//! Address lists as RFC 5322 writes them: names, names with commas in quotes, several addresses.

use lettre::message::{Mailbox, Mailboxes};

/// A list as far as it can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) readable: Vec<Mailbox>,
    /// Pieces that are no address, as written.
    pub(crate) unreadable: Vec<String>,
}

/// Reads an address list; one piece that is no address does not take the others with it. Empty pieces (a comma at
/// the end) are skipped.
pub(crate) fn parse(text: &str) -> Addresses {
    let text = text.trim();
    if let Ok(list) = text.parse::<Mailboxes>() {
        return Addresses { readable: list.into(), unreadable: Vec::new() };
    }
    let mut addresses = Addresses::default();
    for piece in pieces(text).map(str::trim).filter(|piece| !piece.is_empty()) {
        match piece.parse::<Mailbox>() {
            Ok(mailbox) => addresses.readable.push(mailbox),
            Err(_) => addresses.unreadable.push(piece.to_owned()),
        }
    }
    addresses
}

/// Splits at the commas that separate addresses: not those inside quotes, which a backslash may continue.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '\\' => is_escaped = is_quoted && !was_escaped,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        c == ',' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_rfc_5322_writes_it() {
        for (text, readable, unreadable) in [
            ("a@example.org", &["a@example.org"][..], &[][..]),
            ("a@example.org, b@example.org", &["a@example.org", "b@example.org"], &[]),
            ("Ann <a@example.org>, \"Doe, Jane\" <b@example.org>", &["a@example.org", "b@example.org"], &[]),
            (
                r#""Doe \"JD\", Jane" <a@example.org>, b@example.org"#,
                &["a@example.org", "b@example.org"],
                &[],
            ),
            ("Zoë Müller <a@example.org>, b@example.org", &["a@example.org", "b@example.org"], &[]),
            ("a@example.org,\n b@example.org", &["a@example.org", "b@example.org"], &[]),
            ("a@example.org, b@example.org,", &["a@example.org", "b@example.org"], &[]),
            ("team b, see wiki", &[], &["team b", "see wiki"]),
            ("a@example.org, see wiki", &["a@example.org"], &["see wiki"]),
            ("\"Doe, Jane\" <oops>, b@example.org", &["b@example.org"], &["\"Doe, Jane\" <oops>"]),
            (" , ", &[], &[]),
        ] {
            let addresses = parse(text);
            let emails: Vec<String> = addresses.readable.iter().map(|it| it.email.to_string()).collect();
            assert_eq!(
                (emails.as_slice(), addresses.unreadable.as_slice()),
                (
                    readable.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>().as_slice(),
                    unreadable.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>().as_slice(),
                ),
                "{text}"
            );
        }
    }
}
