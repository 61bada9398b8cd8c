//! `http_config` of a webhook: how requests prove who sends them, in Alertmanager's keys.

use ::receivers::Authorization;
use policy::yaml::Reader;
use secrecy::{ExposeSecret as _, SecretString};

use super::{files::Files, receivers::warn_without_effect, secrets};

/// Keys that change nothing here.
const WITHOUT_EFFECT: [&str; 8] = [
    "proxy_connect_header",
    "oauth2",
    "tls_config",
    "proxy_url",
    "no_proxy",
    "proxy_from_environment",
    "enable_http2",
    "http_headers",
];

/// What `http_config` says; two ways at once are a fault, as in Alertmanager.
pub(super) fn read(http: &mut Reader<'_, '_>, files: &mut Files) -> Option<Authorization> {
    let diagnostics = http.diagnostics();
    let token = secrets::read(http, "bearer_token", files).map(Authorization::bearer);
    let authorization = http.mapping("authorization").and_then(|it| read_authorization(it, files));
    let basic = http.mapping("basic_auth").and_then(|it| read_basic(it, files));
    for key in WITHOUT_EFFECT {
        warn_without_effect(http, key);
    }
    if let Some(node) = http.get("follow_redirects") {
        let hint = "redirects are never followed on the way out";
        diagnostics.warning(node, "`follow_redirects` is accepted, but has no effect here", hint);
    }
    let given: Vec<Authorization> = [token, authorization, basic].into_iter().flatten().collect();
    if given.len() > 1 {
        let hint = "keep one of them";
        diagnostics.error_hint(
            http,
            "`basic_auth`, `authorization` and `bearer_token` exclude each other",
            hint,
        );
    }
    given.into_iter().next()
}

fn read_authorization(mut reader: Reader<'_, '_>, files: &mut Files) -> Option<Authorization> {
    let scheme = reader.text("type").unwrap_or("Bearer").trim().to_owned();
    let credentials = secrets::read(&mut reader, "credentials", files);
    let is_scheme =
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    if !is_scheme {
        reader.diagnostics().error_hint(
            &reader,
            format!("{scheme:?} is not an authorization type"),
            "type: Bearer",
        );
    } else if scheme.eq_ignore_ascii_case("basic") {
        let message = "authorization type \"Basic\" wants a username and a password";
        reader.diagnostics().error_hint(&reader, message, "use `basic_auth`");
    }
    reader.finish();
    Some(Authorization::Credentials { scheme, credentials: credentials? })
}

fn read_basic(mut reader: Reader<'_, '_>, files: &mut Files) -> Option<Authorization> {
    let username = secrets::read(&mut reader, "username", files);
    let password = secrets::read(&mut reader, "password", files).unwrap_or_else(|| SecretString::from(""));
    if username.is_none() && !secrets::is_given(&mut reader, "username") {
        reader.diagnostics().error_hint(&reader, "`basic_auth` needs a `username`", "username: ripcord");
    }
    reader.finish();
    let username = username?.expose_secret().trim_end_matches(['\r', '\n']).to_owned();
    Some(Authorization::Basic { username, password })
}
