//! Whom a release event may name as its owner: a deployment token must not choose who hears of a service.

use model::Owner;

/// What a release's owner may add where the policy names nothing. Nothing, unless listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseOwners {
    pub teams: Vec<String>,
    /// With or without `#`.
    pub channels: Vec<String>,
    pub addresses: Vec<String>,
    /// Every address of these domains; not of their subdomains.
    pub domains: Vec<String>,
}

impl ReleaseOwners {
    /// What of the owner that a release names is listed.
    pub fn allowed(&self, named: &Owner) -> Owner {
        let team = named.team.clone().filter(|team| self.teams.contains(team));
        let bare = |channel: &str| channel.trim_start_matches('#').to_owned();
        let is_listed = |channel: &String| self.channels.iter().any(|it| bare(it) == bare(channel));
        let slack = named.slack.clone().filter(is_listed);
        let emails = named.email.iter().flat_map(|list| list.split(',')).map(str::trim);
        let emails: Vec<&str> = emails.filter(|address| self.allows_address(address)).collect();
        let email = (!emails.is_empty()).then(|| emails.join(", "));
        Owner { team, slack, email, mention: None }
    }

    /// Plain addresses only: what is quoted or bracketed may be read as another address by whoever sends.
    fn allows_address(&self, address: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~@".contains(c);
        let Some((name, domain)) = address.split_once('@') else { return false };
        let is_one = !name.is_empty() && !domain.contains('@') && address.chars().all(is_plain);
        is_one
            && (self.addresses.iter().any(|it| it.eq_ignore_ascii_case(address))
                || self.domains.iter().any(|it| it.eq_ignore_ascii_case(domain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_only_those_who_are_listed() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let listed = ReleaseOwners {
            teams: list(&["payments"]),
            channels: list(&["#pay", "C0123"]),
            addresses: list(&["oncall@elsewhere.org"]),
            domains: list(&["example.org"]),
        };
        for (team, slack, email, expected) in [
            ("payments", "#pay", "a@example.org", (Some("payments"), Some("#pay"), Some("a@example.org"))),
            ("others", "pay", "OnCall@Elsewhere.org", (None, Some("pay"), Some("OnCall@Elsewhere.org"))),
            ("", "#secret", "x@evil.example, a@example.org", (None, None, Some("a@example.org"))),
            ("", "##pay", "a@sub.example.org", (None, Some("##pay"), None)),
            ("", "", "\"a@example.org\" <x@evil.example>", (None, None, None)),
            ("", "", "x@evil.example@example.org", (None, None, None)),
            ("", "", "@example.org", (None, None, None)),
            ("", "", "example.org", (None, None, None)),
        ] {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let named =
                Owner { team: text(team), slack: text(slack), email: text(email), mention: text("x") };
            let found = listed.allowed(&named);
            let found_texts = (found.team.as_deref(), found.slack.as_deref(), found.email.as_deref());
            assert_eq!((found_texts, found.mention), (expected, None), "{team} {slack} {email}");
            assert_eq!(ReleaseOwners::default().allowed(&named), Owner::default(), "nothing is listed");
        }
    }
}
