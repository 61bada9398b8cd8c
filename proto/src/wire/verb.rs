//! The bodies of people's verbs and of outcomes that targets report.

use std::time::Duration;

use model::{HaltScope, OutcomeStatus};
use serde_json::Map;

use super::{
    error::DecodeError,
    fields::{self, Fields},
    moment::parse_duration,
};

/// A month: a halt is ended by a person or forgotten, and a forgotten one must not outlive its reason for ever.
pub const HALT_MAX: Duration = Duration::from_secs(31 * 86_400);

/// What a person adds to a verb: `{to_version?, force?, comment?}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerbBody {
    pub to_version: Option<String>,
    /// Also to a version that was never seen out.
    pub force: bool,
    pub comment: String,
}

impl VerbBody {
    /// Reads a body, which may be empty. `to_version` and `force` are known only where `may_name_version`.
    pub fn decode(body: &[u8], may_name_version: bool) -> Result<Self, DecodeError> {
        let object = if body.trim_ascii().is_empty() { Map::new() } else { fields::object(body)? };
        let fields = Fields::new(&object, "");
        let known = ["comment", "reason", "to_version", "force"];
        fields.expect_only(&known[..if may_name_version { 4 } else { 2 }])?;
        Ok(Self {
            to_version: fields.version("to_version")?,
            force: fields.flag("force")?.unwrap_or(false),
            comment: comment(&fields)?,
        })
    }
}

/// `comment`, or `reason` as halts call it.
fn comment(fields: &Fields<'_>) -> Result<String, DecodeError> {
    let (comment, reason) = (fields.text("comment")?, fields.text("reason")?);
    if comment.is_some() && reason.is_some() {
        return Err(fields.error("reason", "is given beside comment, which means the same"));
    }
    Ok(comment.or(reason).unwrap_or_default())
}

/// `{service?, environment?, all?, for, reason}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltBody {
    pub scope: HaltScope,
    /// How long it holds, up to [`HALT_MAX`].
    pub length: Duration,
    pub reason: String,
}

impl HaltBody {
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let object = fields::object(body)?;
        let fields = Fields::new(&object, "");
        fields.expect_only(&["service", "environment", "all", "for", "reason"])?;
        let scope = halt_scope(&fields)?;
        let length = fields.required_name("for")?;
        let length = parse_duration(&length)
            .filter(|length| (Duration::from_secs(1)..=HALT_MAX).contains(length))
            .ok_or_else(|| fields.error("for", "must be a duration from 1s to 31d, e.g. 2h"))?;
        Ok(Self { scope, length, reason: fields.required_text("reason")? })
    }
}

fn halt_scope(fields: &Fields<'_>) -> Result<HaltScope, DecodeError> {
    let (service, environment) = (fields.name("service")?, fields.name("environment")?);
    match (fields.flag("all")?.unwrap_or(false), service, environment) {
        (true, None, None) => Ok(HaltScope::All),
        (true, _, _) => {
            Err(fields.error("all", "contradicts service and environment: name one or the other"))
        }
        (false, Some(service), environment) => Ok(HaltScope::Service { service, environment }),
        (false, None, Some(environment)) => Ok(HaltScope::Environment(environment)),
        (false, None, None) => Err(fields.error("service", "is required, or environment, or \"all\": true")),
    }
}

/// `{status, detail?, target?}`: what came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeBody {
    pub status: OutcomeStatus,
    pub detail: String,
    pub target: Option<String>,
}

impl OutcomeBody {
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let object = fields::object(body)?;
        let fields = Fields::new(&object, "");
        fields.expect_only(&["status", "detail", "target"])?;
        let choices = [
            ("accepted", OutcomeStatus::Accepted),
            ("succeeded", OutcomeStatus::Succeeded),
            ("failed", OutcomeStatus::Failed),
            ("refused", OutcomeStatus::Refused),
        ];
        let status =
            fields.choice("status", &choices)?.ok_or_else(|| fields.error("status", "is required"))?;
        Ok(Self {
            status,
            detail: fields.text("detail")?.unwrap_or_default(),
            target: fields.name("target")?,
        })
    }
}

/// `{service, environment, version, comment?}`: a version that is not bad any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearBody {
    pub service: String,
    pub environment: String,
    pub version: String,
    pub comment: String,
}

impl ClearBody {
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let object = fields::object(body)?;
        let fields = Fields::new(&object, "");
        fields.expect_only(&["service", "environment", "version", "comment", "reason"])?;
        Ok(Self {
            service: fields.required_name("service")?,
            environment: fields.required_name("environment")?,
            version: fields.required_name("version")?,
            comment: comment(&fields)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_names_exactly_what_it_stops_for_how_long_and_why() {
        let scope = |body: &str| {
            HaltBody::decode(body.as_bytes()).map(|halt| halt.scope).map_err(|it| it.to_string())
        };
        let service = |environment: Option<&str>| HaltScope::Service {
            service: "a".into(),
            environment: environment.map(str::to_owned),
        };
        for (body, expected) in [
            (r#"{"all":true,"for":"2h","reason":"r"}"#, Ok(HaltScope::All)),
            (r#"{"service":"a","for":"2h","reason":"r"}"#, Ok(service(None))),
            (r#"{"service":"a","environment":"p","for":"1s","reason":"r"}"#, Ok(service(Some("p")))),
            (
                r#"{"environment":"p","for":"31d","reason":"r","all":false}"#,
                Ok(HaltScope::Environment("p".into())),
            ),
            (
                r#"{"all":true,"service":"a","for":"2h","reason":"r"}"#,
                Err("all: contradicts service and environment: name one or the other"),
            ),
            (r#"{"for":"2h","reason":"r"}"#, Err("service: is required, or environment, or \"all\": true")),
            (r#"{"all":true,"reason":"r"}"#, Err("for: is required")),
            (
                r#"{"all":true,"for":"0s","reason":"r"}"#,
                Err("for: must be a duration from 1s to 31d, e.g. 2h"),
            ),
            (
                r#"{"all":true,"for":"32d","reason":"r"}"#,
                Err("for: must be a duration from 1s to 31d, e.g. 2h"),
            ),
            (r#"{"all":true,"for":"2h"}"#, Err("reason: is required")),
            (
                r#"{"all":true,"for":"2h","reason":"r","env":"p"}"#,
                Err("env: unknown field; known are service, environment, all, for, reason"),
            ),
        ] {
            assert_eq!(scope(body), expected.map_err(str::to_owned), "{body}");
        }
    }

    #[test]
    fn a_verbs_body_may_be_empty_and_names_a_version_only_where_one_is_meant() {
        assert_eq!(VerbBody::decode(b" ", false), Ok(VerbBody::default()));
        let body = br#"{"to_version":"2.4.0","reason":"too slow"}"#;
        let read = VerbBody { to_version: Some("2.4.0".into()), force: false, comment: "too slow".into() };
        assert_eq!(VerbBody::decode(body, true), Ok(read));
        assert!(
            VerbBody::decode(body, false).unwrap_err().to_string().starts_with("to_version: unknown field")
        );
        let both = VerbBody::decode(br#"{"comment":"a","reason":"b"}"#, false).unwrap_err().to_string();
        assert_eq!(both, "reason: is given beside comment, which means the same");
    }

    #[test]
    fn an_outcome_has_a_status() {
        let decode = |body: &str| OutcomeBody::decode(body.as_bytes()).map_err(|it| it.to_string());
        assert_eq!(decode(r#"{"status":"failed","detail":"exit 1"}"#).unwrap().status, OutcomeStatus::Failed);
        assert_eq!(decode("{}"), Err("status: is required".to_owned()));
        assert_eq!(
            decode(r#"{"status":"done"}"#),
            Err(r#"status: must be one of accepted, succeeded, failed, refused, not "done""#.to_owned())
        );
    }
}
