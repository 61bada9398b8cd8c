//! What reaches people, and what does not though it looks so: receivers that reach nobody, owners, links.

use std::collections::BTreeSet;

use model::Owner;
use policy::{Diagnostics, Policy, diagnostic::Located, yaml::Node};
use router::Route;

use super::secrets::find_text;

/// What is looked at together.
pub(super) struct Reach<'a> {
    pub(super) node: &'a Node,
    pub(super) policy: &'a Policy,
    pub(super) routing: &'a router::Config,
    pub(super) receivers: &'a ::receivers::Config,
    pub(super) diagnostics: &'a Diagnostics,
}

impl Reach<'_> {
    /// Warns of what does not reach anybody; what each owner gets, a line each.
    pub(super) fn report(&self) -> Vec<String> {
        self.expect_external_url();
        let owners = self.owners();
        owners.iter().for_each(|(_, owner)| self.expect_owner_is_reached(owner));
        owners.iter().filter_map(|(whose, owner)| self.line(whose, owner)).collect()
    }

    fn expect_external_url(&self) {
        let has_one = |it: &::receivers::Receiver| {
            !(it.slack.is_empty() && it.email.is_empty() && it.webhook.is_empty())
        };
        if self.receivers.external_url.is_empty() && !self.routed(has_one).is_empty() {
            let at = self.node.get("receivers").unwrap_or(self.node);
            let message =
                "there are receivers, but no `server.external_url`: messages have no link to the release";
            self.diagnostics.warning(
                at,
                message,
                "server: { external_url: \"https://ripcord.example.org\" }",
            );
        }
    }

    /// Owners by whom they belong to: the file's own, then the policies'.
    fn owners(&self) -> Vec<(String, &Owner)> {
        let all = std::iter::once(&self.policy.base).chain(&self.policy.policies);
        all.filter_map(|rules| Some((rules.matching.to_string(), rules.owner.as_ref()?))).collect()
    }

    fn expect_owner_is_reached(&self, owner: &Owner) {
        if let Some(channel) = &owner.slack
            && self.slack().is_empty()
        {
            let hint = "give a receiver of the route a Slack integration with `app_token_file`";
            self.warn(
                channel,
                format!(
                    "the owner's `slack` {channel:?} reaches nobody: no Slack integration writes to owners"
                ),
                hint,
            );
        }
        if let Some(mention) = &owner.mention
            && let Err(reason) = ::receivers::parse_mention(mention)
        {
            self.warn(
                mention,
                format!("the owner's {reason}"),
                "the receiver's own `mention` is used instead",
            );
        }
        let Some(email) = &owner.email else { return };
        if self.email().is_empty() {
            let hint = "give a receiver of the route an email integration";
            self.warn(
                email,
                format!(
                    "the owner's `email` {email:?} reaches nobody: no email integration writes to owners"
                ),
                hint,
            );
        }
        for piece in ::receivers::unreadable_addresses(email) {
            let hint = "write it like payments@example.org; several are separated by commas";
            self.warn(
                email,
                format!("the owner's `email` holds {piece:?}, which is not an address: it gets no mail"),
                hint,
            );
        }
    }

    fn warn(&self, text: &str, message: String, hint: &str) {
        let at = find_text(self.node, text).unwrap_or(self.node);
        self.diagnostics.warning(&at.place(), message, hint);
    }

    fn line(&self, whose: &str, owner: &Owner) -> Option<String> {
        let by = |receivers: &BTreeSet<&str>| receivers.iter().copied().collect::<Vec<_>>().join(", ");
        let slack = owner.slack.as_ref().filter(|_| !self.slack().is_empty());
        let slack = slack.map(|channel| format!("Slack {channel} (by {})", by(&self.slack())));
        let email = owner.email.as_ref().filter(|_| !self.email().is_empty());
        let email = email.map(|email| format!("mail to {email} (by {})", by(&self.email())));
        let ways: Vec<String> = [slack, email].into_iter().flatten().collect();
        (!ways.is_empty()).then(|| format!("owner of {whose}: {}", ways.join(", ")))
    }

    /// Receivers of a route whose Slack integrations write to owners.
    fn slack(&self) -> BTreeSet<&str> {
        self.routed(|receiver| receiver.slack.iter().any(|it| it.notify_owner || it.channel.is_none()))
    }

    fn email(&self) -> BTreeSet<&str> {
        self.routed(|receiver| receiver.email.iter().any(|it| it.notify_owner || it.to.is_empty()))
    }

    fn routed(&self, is_one: impl Fn(&::receivers::Receiver) -> bool) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        collect(&self.routing.route, &mut names);
        let of = |name: &&str| self.receivers.receivers.get(*name).is_some_and(&is_one);
        names.into_iter().filter(of).collect()
    }
}

fn collect<'a>(route: &'a Route, names: &mut BTreeSet<&'a str>) {
    names.extend(route.receiver.as_deref());
    route.routes.iter().for_each(|child| collect(child, names));
}

/// Says of each `${NAME}` that nothing puts a value in its place: such a text goes on as it is written.
pub(super) fn warn_of_placeholders(node: &Node, diagnostics: &Diagnostics) {
    if let Some(name) = node.text().and_then(placeholder) {
        let hint = "put the value in before the file is read; secrets have a key that ends in `_file`";
        let message =
            format!("`${{{name}}}` stays as it is written: variables of the environment are not put in");
        diagnostics.warning(node, message, hint);
    }
    node.items().into_iter().flatten().for_each(|item| warn_of_placeholders(item, diagnostics));
    let entries = node.entries().into_iter().flatten();
    entries.for_each(|entry| warn_of_placeholders(&entry.value, diagnostics));
}

/// `NAME` of the first `${NAME}`; a regular expression's `${` is none.
fn placeholder(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let (name, _) = after.split_once('}')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_name) {
            return Some(name);
        }
        rest = after;
    }
    None
}
