//! Tokens, of which only a hash is kept.

use model::Scope;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Role;

/// A 64-bit secret is 11 characters of base64; anything shorter can be guessed.
const SECRET_BYTES_MIN: usize = 12;

/// A token that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is shorter than {SECRET_BYTES_MIN} bytes; make one with: openssl rand -base64 24")]
    TooShort,
    #[error("the token holds characters that an Authorization header cannot carry")]
    Unprintable,
}

/// SHA-256 of a token. Tokens are random, so that no slow hash is needed.
#[derive(Clone)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(secret: &SecretString) -> Result<Self, TokenError> {
        let text = secret.expose_secret().trim();
        if text.len() < SECRET_BYTES_MIN {
            return Err(TokenError::TooShort);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unprintable);
        }
        Ok(Self::of_bytes(text.as_bytes()))
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.equals(&Self::of_bytes(text))
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// One of `server.tokens`.
#[derive(Clone, Debug)]
pub struct Token {
    pub(super) name: String,
    pub(super) hash: TokenHash,
    pub(super) roles: Vec<Role>,
    pub(super) scope: Scope,
}

impl Token {
    /// A token of this name with `roles`; white space around the secret (a file's last newline) does not count.
    pub fn try_new(
        name: impl Into<String>,
        secret: &SecretString,
        roles: Vec<Role>,
    ) -> Result<Self, TokenError> {
        let hash = TokenHash::of(secret)?;
        Ok(Self { name: name.into(), hash, roles, scope: Scope::default() })
    }

    /// Limits it to some services and environments; an empty list means all.
    pub fn scoped_to(mut self, services: Vec<String>, environments: Vec<String>) -> Self {
        self.scope = Scope { services, environments };
        self
    }
}
