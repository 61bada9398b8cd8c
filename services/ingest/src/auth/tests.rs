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
    let scoped = Token::try_new("ci", &secret("ci-secret-123456"), vec![Role::Ingest, Role::Operate])
        .unwrap()
        .scoped_to(vec!["checkout".into()], vec!["production".into()]);
    Auth::new(
        vec![
            Token::try_new("prometheus", &secret(&format!("{SECRET}\n")), vec![Role::Ingest]).unwrap(),
            scoped,
            Token::try_new("root", &secret("root-secret-1234"), vec![Role::Admin]).unwrap(),
        ],
        Vec::new(),
    )
}

#[test]
fn tokens_give_their_roles_and_no_others() {
    for (authorization, role, expected) in [
        ("Bearer prometheus-secret-1", Role::Ingest, Ok("prometheus")),
        ("bearer   prometheus-secret-1 ", Role::Ingest, Ok("prometheus")),
        ("Bearer prometheus-secret-1", Role::View, Err(r#""prometheus" does not have the role "view""#)),
        ("Bearer ci-secret-123456", Role::View, Ok("ci")),
        ("Bearer ci-secret-123456", Role::Admin, Err(r#""ci" does not have the role "admin""#)),
        ("Bearer root-secret-1234", Role::Ingest, Ok("root")),
        ("Bearer root-secret-1234", Role::Operate, Ok("root")),
        ("Bearer prometheus-secret-2", Role::Ingest, Err("a valid bearer token is needed")),
        ("Bearer ", Role::Ingest, Err("a valid bearer token is needed")),
        ("Basic cHJvbWV0aGV1cw==", Role::Ingest, Err("a valid bearer token is needed")),
        ("prometheus-secret-1", Role::Ingest, Err("a valid bearer token is needed")),
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
    assert_eq!(auth().authorize(&headers, None, Role::Ingest, None), Err(AuthError::Unauthenticated));
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
    let open = Auth::new(Vec::new(), vec![Role::Ingest, Role::View]);
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
        let found = open.authorize(&headers(pairs), peer(address), Role::Ingest, None);
        assert_eq!(found.is_ok(), is_open, "{why}");
    }
    let nobody = headers(&[]);
    assert!(
        open.authorize(&nobody, peer("127.0.0.1:1"), Role::Operate, None).is_err(),
        "operate needs a token"
    );
    assert!(
        auth().authorize(&nobody, peer("127.0.0.1:1"), Role::Ingest, None).is_err(),
        "tokens close loopback"
    );
}

#[test]
fn the_alertmanager_hook_is_off_without_a_token_except_on_loopback() {
    let nobody = headers(&[]);
    let off = auth().identify_alertmanager(&nobody, peer("10.0.0.1:1"));
    assert_eq!(off, Ok(None));
    assert!(auth().identify_alertmanager(&nobody, peer("127.0.0.1:1")).unwrap().is_some());
    let on = auth().with_alertmanager(&secret("am-secret-123456")).unwrap();
    assert_eq!(on.identify_alertmanager(&nobody, peer("127.0.0.1:1")), Err(AuthError::Unauthenticated));
    let right = headers(&[("authorization", "Bearer am-secret-123456")]);
    assert_eq!(on.identify_alertmanager(&right, peer("10.0.0.1:1")).unwrap().unwrap().name, "alertmanager");
    let other = headers(&[("authorization", "Bearer prometheus-secret-1")]);
    assert_eq!(on.identify_alertmanager(&other, peer("10.0.0.1:1")), Err(AuthError::Unauthenticated));
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
