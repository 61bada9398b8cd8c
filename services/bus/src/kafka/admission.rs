//! Whether a group lets this process in, and what to do where it does not.

use std::sync::Mutex;

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

use crate::kafka::cluster::lock;

/// What is known of one member's admission to its group.
#[derive(Debug)]
pub(crate) struct Admission {
    group: String,
    instance: String,
    refusal: Mutex<Option<String>>,
}

impl Admission {
    /// Of the member of `group` that runs as `instance`; not refused yet.
    pub(crate) fn new(group: &str, instance: &str) -> Self {
        Self { group: group.to_owned(), instance: instance.to_owned(), refusal: Mutex::default() }
    }

    /// Why the group does not let this member in, in a sentence that says what to do.
    pub(crate) fn refusal(&self) -> Option<String> {
        lock(&self.refusal).clone()
    }

    /// The group gave this member its share, be it nothing.
    pub(crate) fn note_admitted(&self) {
        *lock(&self.refusal) = None;
    }

    /// librdkafka tries again for ever and says so each time; it is told once. `true`: the error was such a refusal.
    pub(crate) fn note_error(&self, error: &KafkaError) -> bool {
        let Some(code) = error.rdkafka_error_code() else { return false };
        let Some(what_to_do) = what_to_do(code) else { return false };
        let group = &self.group;
        self.refuse(format!("the Kafka group {group} does not let this process in: {code}; {what_to_do}"));
        true
    }

    /// The group has shut this member out: another one has its name.
    pub(crate) fn note_shut_out(&self) {
        let Self { group, instance, .. } = self;
        self.refuse(format!(
            "the Kafka group {group} has shut this process out: another one runs as `{instance}`; give each process \
             an `instance` of its own; this one joins again when the name is free"
        ));
    }

    /// No member could be made of what is configured.
    pub(crate) fn note_unable(&self, reason: &str) {
        self.refuse(format!("the Kafka group {} cannot be joined: {reason}", self.group));
    }

    fn refuse(&self, refusal: String) {
        if lock(&self.refusal).replace(refusal.clone()).as_ref() != Some(&refusal) {
            tracing::error!("{refusal}");
        }
    }
}

/// Whether a client that met this error takes no part any more, whatever it does.
pub(crate) fn is_final(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId)
        )
}

fn what_to_do(code: RDKafkaErrorCode) -> Option<&'static str> {
    match code {
        RDKafkaErrorCode::InvalidSessionTimeout => Some(
            "set `session_timeout` within the brokers' group.min.session.timeout.ms (6 s unless they say otherwise) \
             and group.max.session.timeout.ms",
        ),
        RDKafkaErrorCode::GroupAuthorizationFailed => Some("allow this user to read the group"),
        RDKafkaErrorCode::GroupMaxSizeReached => {
            Some("raise the brokers' group.max.size, or run fewer processes")
        }
        RDKafkaErrorCode::InconsistentGroupProtocol => Some("another program uses a group of this name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_until_the_member_is_let_in() {
        let admission = Admission::new("ripcord-act", "one");
        let consumption = KafkaError::MessageConsumption;
        assert!(!admission.note_error(&consumption(RDKafkaErrorCode::AllBrokersDown)));
        assert_eq!(admission.refusal(), None, "an outage refuses nobody");
        for (code, sentence) in [
            (RDKafkaErrorCode::InvalidSessionTimeout, "set `session_timeout`"),
            (RDKafkaErrorCode::GroupAuthorizationFailed, "allow this user to read the group"),
            (RDKafkaErrorCode::GroupMaxSizeReached, "group.max.size"),
            (RDKafkaErrorCode::InconsistentGroupProtocol, "another program"),
        ] {
            assert!(admission.note_error(&consumption(code)));
            let refusal = admission.refusal().unwrap();
            assert!(refusal.contains("ripcord-act") && refusal.contains(sentence), "{refusal}");
            admission.note_admitted();
            assert_eq!(admission.refusal(), None);
        }
        admission.note_shut_out();
        assert!(admission.refusal().unwrap().contains("another one runs as `one`"));
    }

    #[test]
    fn who_was_replaced_under_its_name_is_out() {
        let fenced = RDKafkaErrorCode::FencedInstanceId;
        assert!(is_final(&KafkaError::MessageConsumptionFatal(fenced)));
        assert!(is_final(&KafkaError::MessageConsumption(fenced)));
        assert!(!is_final(&KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed)));
    }
}
