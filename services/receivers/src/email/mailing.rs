//! A mail on its way: who has it, who refused it, who is left.

use lettre::{Address, message::Mailbox};
use model::{Recipient, RecipientState, Send};

use super::{EmailSender, Refusal, addresses};
use crate::{
    retry::{Attempt, Failure},
    text::one_line,
};

/// Most recipients of one mail; a list of more belongs into the mail server. Owners beyond it are left out, and
/// named in the delivery.
pub(crate) const MAX_RECIPIENTS: usize = 50;

/// Longest address shown in a detail, in characters.
const MAX_ADDRESS_CHARS: usize = 200;

/// The recipients of a mail, and those that it cannot reach, with why.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    pub(super) reachable: Vec<Mailbox>,
    unreachable: Vec<Recipient>,
}

impl Recipients {
    /// `own` of the receiver, and with them those that the owners of the message's services name, each once.
    pub(super) fn of(send: &Send, own: &[Mailbox], asks_owners: bool) -> Self {
        let mut recipients = Self { reachable: own.to_vec(), unreachable: Vec::new() };
        if asks_owners {
            owners(send).for_each(|text| recipients.add(text));
        }
        recipients
    }

    /// Whether the mail has to go to no one, and that is for no one's fault.
    pub(super) fn is_empty(&self) -> bool {
        self.reachable.is_empty() && self.unreachable.is_empty()
    }

    fn add(&mut self, text: &str) {
        let addresses = addresses::parse(text);
        for piece in addresses.unreadable {
            self.leave_out(&piece, "the owner's email is not an address");
        }
        for mailbox in addresses.readable {
            let is_known = self.reachable.iter().any(|known| is_same(&known.email, &mailbox.email));
            match is_known {
                true => {}
                false if self.reachable.len() >= MAX_RECIPIENTS => {
                    let why = format!("a mail has {MAX_RECIPIENTS} recipients at most");
                    self.leave_out(mailbox.email.as_ref(), &why);
                }
                false => self.reachable.push(mailbox),
            }
        }
    }

    fn leave_out(&mut self, to: &str, why: &str) {
        let to = one_line(to, MAX_ADDRESS_CHARS);
        if self.unreachable.len() < MAX_RECIPIENTS && !self.unreachable.iter().any(|known| known.to == to) {
            let detail = why.to_owned();
            self.unreachable.push(Recipient { to, state: RecipientState::Refused, detail });
        }
    }
}

/// Domains are compared as DNS does; so are local parts, which no server of today tells apart by case.
fn is_same(left: &Address, right: &Address) -> bool {
    let (left, right): (&str, &str) = (left.as_ref(), right.as_ref());
    left.eq_ignore_ascii_case(right)
}

/// Whom a release names is not asked here: the arbiter has put the policy first and left out who is not listed.
fn owners(send: &Send) -> impl Iterator<Item = &str> {
    send.notices.iter().filter_map(|notice| notice.owner.as_ref()?.email.as_deref())
}

/// A mail on its way. Each recipient is a transaction of its own: one that the server refuses does not keep the
/// mail from the others, and a retry goes only to those who do not have it yet.
pub(crate) struct Mailing<'a> {
    sender: &'a EmailSender,
    raw: Vec<u8>,
    root: String,
    waiting: Vec<(Address, String)>,
    done: Vec<Recipient>,
}

impl<'a> Mailing<'a> {
    /// The mail `raw` to all `recipients` that are not settled by an earlier try.
    pub(super) fn new(
        sender: &'a EmailSender,
        send: &Send,
        (raw, root): (Vec<u8>, String),
        recipients: Recipients,
    ) -> Self {
        let is_left = |to: &str| !send.settled.iter().any(|settled| settled == to);
        let addresses = recipients.reachable.into_iter().map(|mailbox| mailbox.email);
        let waiting = addresses.filter(|to| is_left(to.as_ref())).map(|to| (to, String::new())).collect();
        let done = recipients.unreachable.into_iter().filter(|it| is_left(&it.to)).collect();
        Self { sender, raw, root, waiting, done }
    }

    /// The `Message-ID` under which the thread hangs.
    pub(crate) fn thread(&self) -> String {
        self.root.clone()
    }

    /// What came of each recipient so far.
    pub(crate) fn recipients(&self) -> Vec<Recipient> {
        let waiting = self.waiting.iter().map(|(to, detail)| Recipient {
            to: to.to_string(),
            state: RecipientState::Waiting,
            detail: detail.clone(),
        });
        self.done.iter().cloned().chain(waiting).collect()
    }

    async fn try_each(&mut self) -> Option<Refusal> {
        let mut obstacle = None;
        for (to, before) in std::mem::take(&mut self.waiting) {
            // Without a connection or a login the others would only wait for the same failure.
            if matches!(obstacle, Some(Refusal::Connection(_) | Refusal::Login(_))) {
                self.waiting.push((to, before));
                continue;
            }
            let (state, detail) = match self.sender.send(&to, &self.raw).await {
                Ok(()) => (RecipientState::Reached, String::new()),
                Err(Refusal::Final(detail)) => (RecipientState::Refused, detail),
                Err(refusal) => {
                    self.waiting.push((to, refusal.detail().to_owned()));
                    obstacle = Some(refusal);
                    continue;
                }
            };
            self.done.push(Recipient { to: to.to_string(), state, detail });
        }
        obstacle
    }

    /// `accepted for 1 of 2 recipients; gone@example.org: 550 no such mailbox`.
    pub(crate) fn summary(&self) -> String {
        let reached = self.done.iter().filter(|it| it.state == RecipientState::Reached).count();
        let all = self.done.len() + self.waiting.len();
        if reached == all {
            return format!("accepted for {all} recipients");
        }
        let refused = self.done.iter().filter(|it| it.state == RecipientState::Refused);
        let refused = refused.map(|it| format!("; {}: {}", it.to, it.detail));
        let waiting = self.waiting.iter().filter(|(_, detail)| !detail.is_empty());
        let waiting = waiting.map(|(to, detail)| format!("; {to} is tried again: {detail}"));
        format!("accepted for {reached} of {all} recipients{}", refused.chain(waiting).collect::<String>())
    }
}

impl Attempt for Mailing<'_> {
    async fn attempt(&mut self) -> Result<String, Failure> {
        match self.try_each().await {
            Some(Refusal::NotNow(detail) | Refusal::Connection(detail)) => Err(Failure::retryable(detail)),
            Some(Refusal::Login(detail) | Refusal::Final(detail)) => Err(Failure::last(detail)),
            None if self.done.iter().any(|it| it.state == RecipientState::Reached) => Ok(self.summary()),
            None => Err(Failure::last(self.summary())),
        }
    }
}
