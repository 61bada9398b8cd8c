//! Standard Webhooks signatures (`v1`, HMAC-SHA256 over `{id}.{timestamp}.{body}`).

use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;

/// Most keys in one secret file: the new one and the old one while a secret is rotated, and room to be slow.
const MAX_KEYS: usize = 4;

/// The keys of one target.
pub(crate) struct Signer {
    keys: Vec<Webhook>,
}

/// The secret cannot be used; says nothing of its content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret file is empty")]
    Empty,
    #[error("the secret file holds more than {MAX_KEYS} keys")]
    TooMany,
    #[error("what follows whsec_ in the secret file is not base64")]
    NotBase64,
}

impl Signer {
    /// One key a line, each signs (rotation); `whsec_` + base64, or else the line's bytes as they are.
    pub(crate) fn new(secret: &SecretString) -> Result<Self, SecretError> {
        let keys = keys(secret).map(key).collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(SecretError::Empty),
            1..=MAX_KEYS => Ok(Self { keys }),
            _ => Err(SecretError::TooMany),
        }
    }

    /// The value of `webhook-signature`; `seconds` since the epoch. `None` only for a body that is not UTF-8.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
        let signatures: Result<Vec<String>, _> =
            self.keys.iter().map(|key| key.sign(id, seconds, body)).collect();
        signatures.ok().map(|signatures| signatures.join(" "))
    }
}

/// The keys of a secret as written.
pub(crate) fn keys(secret: &SecretString) -> impl Iterator<Item = &str> {
    secret.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty())
}

fn key(line: &str) -> Result<Webhook, SecretError> {
    let key = match line.starts_with("whsec_") {
        true => Webhook::new(line),
        false => Webhook::from_bytes(line.as_bytes().to_vec()),
    };
    key.map_err(|_| SecretError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_specifications_example_does() {
        let signer = Signer::new(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")).unwrap();
        let signature =
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn each_line_is_a_key_while_a_secret_is_rotated() {
        let signer =
            Signer::new(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\nplain words\n"))
                .unwrap();
        let signature = signer.sign("id", 1, b"{}").unwrap();
        assert_eq!(signature.split(' ').count(), 2, "{signature}");
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_refused_without_being_shown() {
        for (secret, error) in [
            (" \n", SecretError::Empty),
            ("whsec_hunter2!", SecretError::NotBase64),
            ("a\nb\nc\nd\ne", SecretError::TooMany),
        ] {
            let refused = Signer::new(&SecretString::from(secret)).err();
            assert_eq!(refused.as_ref(), Some(&error));
            assert!(!format!("{refused:?} {error}").contains("hunter2"));
        }
    }
}
