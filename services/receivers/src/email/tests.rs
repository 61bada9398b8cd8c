//! Against a mail server that refuses, over real sockets.

use std::time::Duration;

use model::{Delivery, DeliveryResult, Owner, RecipientState, Send};

use super::{
    double::{MailServer, Script},
    *,
};
use crate::{Config, Receiver, Receivers, fixture, retry::Policy};

const GONE: &str = "550 5.1.1 no such user";
const FULL: &str = "452 4.2.2 mailbox full";

fn receivers(port: u16, to: &str) -> Receivers {
    let email = EmailConfig {
        to: vec![to.to_owned()].into_iter().filter(|to| !to.is_empty()).collect(),
        notify_owner: to.is_empty(),
        from: "ripcord@example.org".into(),
        smarthost: format!("127.0.0.1:{port}"),
        tls: Tls::None,
        ..EmailConfig::default()
    };
    let receiver = Receiver { email: vec![email], ..Receiver::default() };
    let config = Config { receivers: [("sre".to_owned(), receiver)].into(), ..Config::default() };
    let pause = Duration::from_millis(1);
    let policy = Policy { attempts: 3, first_pause: pause, max_pause: pause, ..Policy::default() };
    Receivers::new(config, &prometheus::Registry::new(), telemetry::clock::now).unwrap().with_policy(policy)
}

/// `here@x reached, gone@x refused`.
fn states(delivery: &Delivery) -> String {
    let each = delivery.recipients.iter().map(|it| format!("{} {}", it.to, it.state.as_str()));
    each.collect::<Vec<_>>().join(", ")
}

/// The next try, as the router makes it of what came back.
fn again(send: &Send, delivery: &Delivery) -> Send {
    let settled = delivery.settled().map(|it| it.to.clone());
    Send {
        id: model::SendId::from_text("snd_again"),
        retry_of: Some(send.public_id().clone()),
        settled: send.settled.iter().cloned().chain(settled).collect(),
        ..send.clone()
    }
}

#[tokio::test]
async fn one_recipient_that_is_refused_keeps_the_mail_from_no_other_and_is_named() {
    for (script, to, result, recipients, story) in [
        (
            Script { recipients: [("gone@x.org", vec![GONE])].into(), ..Script::default() },
            "gone@x.org, here@x.org",
            DeliveryResult::Delivered,
            "gone@x.org refused, here@x.org reached",
            "refused at RCPT",
        ),
        (
            Script { data: [("big@x.org", vec!["552 5.3.4 too big"])].into(), ..Script::default() },
            "big@x.org, here@x.org",
            DeliveryResult::Delivered,
            "big@x.org refused, here@x.org reached",
            "refused after DATA",
        ),
        (
            Script { recipients: [("full@x.org", vec![FULL])].into(), ..Script::default() },
            "full@x.org, here@x.org",
            DeliveryResult::Delivered,
            "here@x.org reached, full@x.org waiting",
            "full for longer than the attempts last",
        ),
        (
            Script { recipients: [("full@x.org", vec![FULL, "250 OK"])].into(), ..Script::default() },
            "full@x.org, here@x.org",
            DeliveryResult::Delivered,
            "here@x.org reached, full@x.org reached",
            "full for a moment",
        ),
        (
            Script { recipients: [("gone@x.org", vec![GONE])].into(), ..Script::default() },
            "gone@x.org",
            DeliveryResult::Failed,
            "gone@x.org refused",
            "nobody is left",
        ),
    ] {
        let server = MailServer::start(script).await;
        let delivery = receivers(server.port, to).deliver(&fixture::send("email")).await;
        assert_eq!(
            (delivery.result, states(&delivery).as_str()),
            (result, recipients),
            "{story}: {delivery:?}"
        );
        let here = server.mails().iter().filter(|mail| mail.to == "here@x.org").count();
        assert_eq!(here, usize::from(to.contains("here@")), "{story}");
        for refused in delivery.recipients.iter().filter(|it| it.state != RecipientState::Reached) {
            assert!(delivery.detail.contains(&refused.to), "{story}: {}", delivery.detail);
        }
    }
}

#[tokio::test]
async fn another_try_goes_only_to_those_who_are_left_and_is_the_same_mail() {
    let script = Script {
        recipients: [("full@x.org", vec![FULL, FULL, FULL, "250 OK"]), ("gone@x.org", vec![GONE])].into(),
        ..Script::default()
    };
    let server = MailServer::start(script).await;
    let receivers = receivers(server.port, "full@x.org, gone@x.org, here@x.org");
    let send = fixture::send("email");
    let first = receivers.deliver(&send).await;
    assert_eq!(states(&first), "gone@x.org refused, here@x.org reached, full@x.org waiting");
    let second = receivers.deliver(&again(&send, &first)).await;
    assert_eq!((second.result, states(&second).as_str()), (DeliveryResult::Delivered, "full@x.org reached"));
    let mails = server.mails();
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["here@x.org", "full@x.org"]);
    assert_eq!(mails[0].id(), mails[1].id());
    assert_eq!(server.tried().iter().filter(|to| *to == "gone@x.org").count(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_no_recipients_fault() {
    let server = MailServer::start(Script {
        recipients: [("here@x.org", vec!["530 5.7.0 authentication required"])].into(),
        ..Script::default()
    })
    .await;
    let delivery = receivers(server.port, "here@x.org").deliver(&fixture::send("email")).await;
    assert_eq!((delivery.result, states(&delivery).as_str()), (DeliveryResult::Failed, "here@x.org waiting"));
    assert_eq!(delivery.attempts, 1, "a person has to mend it");
}

#[tokio::test]
async fn an_owners_address_that_cannot_be_read_keeps_the_mail_from_no_other_owner() {
    let owned = |email: &str| Some(Owner { email: Some(email.to_owned()), ..Owner::default() });
    let mut send = fixture::send("email");
    send.notices[0].owner = owned("good@x.org, \"Doe, Jane\" <jane@x.org>");
    send.notices[1].owner = owned("team b, see wiki");
    let server = MailServer::start(Script::default()).await;
    let delivery = receivers(server.port, "").deliver(&send).await;
    assert_eq!(states(&delivery), "team b refused, see wiki refused, good@x.org reached, jane@x.org reached");
    assert!(delivery.detail.contains("see wiki: the owner's email is not an address"), "{}", delivery.detail);
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn the_owner_gets_the_mail_beside_the_receivers_own_addresses_once() {
    let mut send = fixture::send("email");
    send.notices[0].owner = Some(Owner { email: Some("pay@x.org, SRE@x.org".into()), ..Owner::default() });
    send.notices[1].owner = None;
    for (notify_owner, to) in [(true, "sre@x.org pay@x.org"), (false, "sre@x.org")] {
        let server = MailServer::start(Script::default()).await;
        let email = EmailConfig {
            to: vec!["sre@x.org".into()],
            notify_owner,
            from: "ripcord@x.org".into(),
            smarthost: format!("127.0.0.1:{}", server.port),
            tls: Tls::None,
            ..EmailConfig::default()
        };
        let receiver = Receiver { email: vec![email], ..Receiver::default() };
        let config = Config { receivers: [("sre".to_owned(), receiver)].into(), ..Config::default() };
        let receivers = Receivers::new(config, &prometheus::Registry::new(), telemetry::clock::now).unwrap();
        receivers.deliver(&send).await;
        let reached: Vec<String> = server.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!(reached.join(" "), to);
    }
}

#[tokio::test]
async fn no_mail_is_sent_to_a_metadata_address_unless_its_host_is_allowed() {
    let deliver = async |host: &str, allowed: &[&str]| {
        let email = EmailConfig {
            to: vec!["a@x.org".to_owned()],
            from: "ripcord@example.org".into(),
            smarthost: format!("{host}:1"),
            tls: Tls::None,
            ..EmailConfig::default()
        };
        let receiver = Receiver { email: vec![email], ..Receiver::default() };
        let allowed_hosts = allowed.iter().map(|host| (*host).to_owned()).collect();
        let config =
            Config { receivers: [("sre".to_owned(), receiver)].into(), allowed_hosts, ..Config::default() };
        let pause = Duration::from_millis(1);
        let policy = Policy { attempts: 2, first_pause: pause, max_pause: pause, ..Policy::default() };
        let clock = telemetry::clock::now;
        let receivers = Receivers::new(config, &prometheus::Registry::new(), clock).unwrap();
        receivers.with_policy(policy).deliver(&fixture::send("email")).await
    };
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:168.63.129.16]"] {
        let denied = deliver(host, &[]).await;
        assert!(denied.detail.contains("link-local or metadata address"), "{host}: {}", denied.detail);
        assert_eq!(
            (denied.result, denied.attempts),
            (DeliveryResult::Failed, 1),
            "asking again does not help"
        );
    }
    let closed = deliver("127.0.0.1", &[]).await;
    assert!(!closed.detail.contains("metadata"), "a port that is closed is another fault: {}", closed.detail);
}
