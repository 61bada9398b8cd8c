use http::HeaderValue;

use super::*;

const SECRET: &str = "prometheus-secret-1";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn peer(address: &str) -> Option<SocketAddr> {
    Some(address.parse().unwrap())
}

fn auth() -> Auth {
    let scoped =
        Token::try_new("ci", &secret("ci-secret-123456"), vec![Role::Deploy, Role::Alerts, Role::Operate])
            .unwrap()
            .scoped_to(vec!["checkout".into()], vec!["production".into()]);
    Auth::new(
        vec![
            Token::try_new("prometheus", &secret(&format!("{SECRET}\n")), vec![Role::Telemetry]).unwrap(),
            scoped,
            Token::try_new("root", &secret("root-secret-1234"), vec![Role::Admin]).unwrap(),
        ],
        Vec::new(),
    )
}

#[test]
fn tokens_give_their_roles_and_no_others() {
    for (authorization, role, expected) in [
        ("Bearer prometheus-secret-1", Role::Telemetry, Ok("prometheus")),
        ("bearer   prometheus-secret-1 ", Role::Telemetry, Ok("prometheus")),
        ("Bearer prometheus-secret-1", Role::View, Err(r#""prometheus" does not have the role "view""#)),
        ("Bearer ci-secret-123456", Role::View, Ok("ci")),
        ("Bearer ci-secret-123456", Role::Admin, Err(r#""ci" does not have the role "admin""#)),
        ("Bearer prometheus-secret-1", Role::Deploy, Err(r#""prometheus" does not have the role "deploy""#)),
        ("Bearer prometheus-secret-1", Role::Alerts, Err(r#""prometheus" does not have the role "alerts""#)),
        ("Bearer ci-secret-123456", Role::Telemetry, Err(r#""ci" does not have the role "telemetry""#)),
        ("Bearer root-secret-1234", Role::Telemetry, Ok("root")),
        ("Bearer root-secret-1234", Role::Deploy, Ok("root")),
        ("Bearer root-secret-1234", Role::Operate, Ok("root")),
        ("Bearer prometheus-secret-2", Role::Telemetry, Err("a valid bearer token is needed")),
        ("Bearer ", Role::Telemetry, Err("a valid bearer token is needed")),
        ("Basic cHJvbWV0aGV1cw==", Role::Telemetry, Err("a valid bearer token is needed")),
        ("prometheus-secret-1", Role::Telemetry, Err("a valid bearer token is needed")),
    ] {
        let found =
            auth().authorize(&headers(&[("authorization", authorization)]), peer("10.0.0.1:1"), role, None);
        match (found, expected) {
            (Ok(actor), Ok(name)) => {
                assert_eq!((actor.name.as_str(), actor.address.as_str()), (name, "10.0.0.1"))
            }
            (Err(error), Err(text)) => {
                assert!(error.to_string().starts_with(text), "{authorization}: {error}")
            }
            (found, _) => panic!("{authorization}: {found:?}"),
        }
    }
}

#[test]
fn two_authorization_headers_are_none() {
    let mut headers = headers(&[("authorization", "Bearer prometheus-secret-1")]);
    headers.append("authorization", HeaderValue::from_static("Bearer root-secret-1234"));
    assert_eq!(auth().authorize(&headers, None, Role::Telemetry, None), Err(AuthError::Unauthenticated));
}

#[test]
fn a_scope_holds_what_it_names_and_nothing_wider() {
    let headers = headers(&[("authorization", "Bearer ci-secret-123456")]);
    let caller = auth().identify(&headers, None, Role::Operate).unwrap();
    for (reach, is_within) in [
        (Reach::ServiceIn("checkout", "production"), true),
        (Reach::ServiceIn("checkout", "staging"), false),
        (Reach::ServiceIn("cart", "production"), false),
        (Reach::Service("checkout"), false),
        (Reach::Environment("production"), false),
        (Reach::Everything, false),
    ] {
        assert_eq!(caller.expect_within(reach).is_ok(), is_within, "{reach:?}");
    }
    let touched = Some(("cart", "production"));
    assert!(matches!(
        auth().authorize(&headers, None, Role::View, touched),
        Err(AuthError::OutOfScope { .. })
    ));
}

#[test]
fn loopback_is_open_to_this_machines_programs_only() {
    let open = Auth::new(Vec::new(), vec![Role::Telemetry, Role::View]);
    for (address, pairs, is_open, why) in [
        ("127.0.0.1:1", &[][..], true, "a program here"),
        ("[::1]:1", &[], true, "over IPv6"),
        ("[::ffff:127.0.0.1]:1", &[], true, "IPv4 in IPv6"),
        ("10.0.0.1:1", &[], false, "another machine"),
        ("127.0.0.1:1", &[("host", "localhost:9480")], true, "by name"),
        ("127.0.0.1:1", &[("host", "[::1]:9480")], true, "by address"),
        ("127.0.0.1:1", &[("host", "evil.example:9480")], false, "a name made to point here"),
        ("127.0.0.1:1", &[("host", "localhost.evil.example")], false, "a name that looks like it"),
        ("127.0.0.1:1", &[("origin", "http://localhost:3000")], true, "a page from here"),
        ("127.0.0.1:1", &[("origin", "https://evil.example")], false, "a page from elsewhere"),
        ("127.0.0.1:1", &[("origin", "null")], false, "a page from nowhere"),
        ("127.0.0.1:1", &[("sec-fetch-site", "cross-site")], false, "a browser on another page"),
        ("127.0.0.1:1", &[("x-forwarded-for", "10.0.0.1")], false, "a proxy beside us"),
        ("127.0.0.1:1", &[("authorization", "Bearer wrong-token-1234")], false, "a token that is wrong"),
    ] {
        let found = open.authorize(&headers(pairs), peer(address), Role::Telemetry, None);
        assert_eq!(found.is_ok(), is_open, "{why}");
    }
    let nobody = headers(&[]);
    assert!(
        open.authorize(&nobody, peer("127.0.0.1:1"), Role::Operate, None).is_err(),
        "operate needs a token"
    );
    assert!(
        auth().authorize(&nobody, peer("127.0.0.1:1"), Role::Telemetry, None).is_err(),
        "tokens close loopback"
    );
}

#[test]
fn the_alertmanager_hook_takes_its_own_token_or_one_with_the_role_alerts() {
    let tokenless = || Auth::new(Vec::new(), vec![Role::Alerts]);
    let own = |auth: Auth| auth.with_alertmanager(&secret("am-secret-123456")).unwrap();
    let (here, elsewhere) = ("127.0.0.1:1", "10.0.0.1:1");
    for (auth, address, token, expected, why) in [
        (tokenless(), here, "", Ok("alertmanager"), "a program of this machine, while there are no tokens"),
        (tokenless(), elsewhere, "", Err("a valid bearer"), "another machine"),
        (tokenless(), here, "wrong-secret-12", Err("a valid bearer"), "a wrong token is no missing one"),
        (own(tokenless()), here, "", Err("a valid bearer"), "the hook has a token of its own"),
        (own(tokenless()), elsewhere, "am-secret-123456", Ok("alertmanager"), "its own token"),
        (auth(), here, "", Err("a valid bearer"), "tokens close the hook on loopback too"),
        (auth(), here, "wrong-secret-12", Err("a valid bearer"), "a wrong token"),
        (auth(), here, SECRET, Err(r#""prometheus" does not have the role "alerts""#), "another role"),
        (auth(), elsewhere, "ci-secret-123456", Ok("ci"), "a token with the role"),
        (own(auth()), elsewhere, "ci-secret-123456", Ok("ci"), "a token with the role beside the hook's own"),
        (own(auth()), here, SECRET, Err(r#""prometheus" does not have the role "alerts""#), "another role"),
    ] {
        let authorization = format!("Bearer {token}");
        let sent =
            if token.is_empty() { headers(&[]) } else { headers(&[("authorization", &authorization)]) };
        let found = auth.identify_alertmanager(&sent, peer(address));
        match (found, expected) {
            (Ok(caller), Ok(name)) => assert_eq!(caller.actor.name, name, "{why}"),
            (Err(error), Err(text)) => assert!(error.to_string().starts_with(text), "{why}: {error}"),
            (found, _) => panic!("{why}: {found:?}"),
        }
    }
}

#[test]
fn an_alert_is_about_what_its_first_label_of_each_kind_names() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let labels = AlertLabels { service: names(&["service", "app"]), environment: names(&["env"]) };
    for (pairs, expected) in [
        (&[("service", "a"), ("app", "b"), ("env", "prod")][..], Reach::ServiceIn("a", "prod")),
        (&[("app", "b")], Reach::Service("b")),
        (&[("env", "prod")], Reach::Environment("prod")),
        (&[("job", "b")], Reach::Everything),
    ] {
        let alert = Alert { labels: model::Labels::from_pairs(pairs.iter().copied()), ..Alert::default() };
        assert_eq!(labels.reach_of(&alert), expected);
    }
}

#[test]
fn weak_tokens_are_refused_and_no_token_is_ever_printed() {
    for (text, error) in [
        ("", TokenError::TooShort),
        ("short", TokenError::TooShort),
        ("has a space in it", TokenError::Unprintable),
    ] {
        assert_eq!(Token::try_new("a", &secret(text), Vec::new()).unwrap_err(), error);
    }
    let shown = format!("{:?}", auth().with_alertmanager(&secret("am-secret-123456")).unwrap());
    assert!(!shown.contains("secret") && shown.contains("TokenHash(…)"), "{shown}");
}
