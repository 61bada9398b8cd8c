//! Mails in a real SMTP conversation, with aiosmtpd (Debian `python3-aiosmtpd`) at the other end: in clear, with
//! AUTH, STARTTLS and implicit TLS. Skipped, loudly, on a machine that lacks it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![allow(clippy::explicit_write, reason = "the harness captures eprintln, and a skipped test must be seen")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use model::{
    Delivery, DeliveryResult, Labels, Notice, NoticeId, NoticeKind, NoticeStatus, Owner, ReleaseId,
    ReleaseRef, Send, SendId, SendReason, ServiceKey, Severity,
};
use receivers::{Config, EmailConfig, Receiver, Receivers, Tls};
use secrecy::SecretString;
use serde_json::Value;

struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    /// `None` where Python or aiosmtpd is missing.
    fn start(arguments: &[&str]) -> Option<Self> {
        let has_it = Command::new("python3").args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !has_it.is_ok_and(|status| status.success()) {
            // Past the test harness' capture, so that nobody takes a skipped test for a passed one.
            writeln!(
                std::io::stderr(),
                "\nSKIPPED: python3 with aiosmtpd is not installed, mails are not tested\n"
            )
            .unwrap();
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp_server.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Some(Self { child, lines, port: port.trim().parse().unwrap() })
    }

    /// Ends the server and gives the mails it got.
    fn mails(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        let mails = self.lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        self.child.wait().unwrap();
        mails
    }
}

/// A key and a certificate for `localhost`, signed by itself.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn make() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=localhost\n\
                      [ext]\nsubjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";
        std::fs::write(folder.path().join("config"), config).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-config", "config", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            writeln!(std::io::stderr(), "\nSKIPPED: openssl is not installed, mail over TLS is not tested\n")
                .unwrap();
            return None;
        }
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

fn config(port: u16, tls: Tls) -> EmailConfig {
    EmailConfig {
        to: vec!["sre@example.org".into(), "Ada <ada@example.org>".into()],
        from: "Ripcord <ripcord@example.org>".into(),
        smarthost: format!("localhost:{port}"),
        hello: Some("ripcord.example.org".into()),
        tls,
        send_resolved: true,
        notify_owner: false,
        ..EmailConfig::default()
    }
}

fn with_password(mut config: EmailConfig, password: &str) -> EmailConfig {
    config.auth_username = Some("ripcord".into());
    config.auth_password = Some(SecretString::from(password));
    config
}

async fn deliver(config: EmailConfig) -> Delivery {
    let receiver = Receiver { email: vec![config], ..Receiver::default() };
    let config = Config { receivers: [("sre".to_owned(), receiver)].into(), ..Config::default() };
    let receivers = Receivers::new(config, &prometheus::Registry::new(), telemetry::clock::now).unwrap();
    receivers.deliver(&send()).await
}

fn send() -> Send {
    let now = telemetry::clock::now();
    let notice = Notice {
        id: NoticeId::from_text("ntc_1"),
        kind: NoticeKind::RolledBack,
        severity: Severity::Critical,
        status: NoticeStatus::Firing,
        labels: Labels::from_pairs([("service", "checkout")]),
        annotations: Labels::from_pairs([("summary", "checkout 2.4.1 was rolled back – grüße")]),
        starts_at: now,
        ends_at: None,
        generator_url: String::new(),
        release: None,
        command: None,
        reasons: Vec::new(),
        owner: Some(Owner { email: Some("payments@example.org".into()), ..Owner::default() }),
        cause: model::EventId::from_text("evt_1"),
    };
    Send {
        id: SendId::from_text("snd_1"),
        receiver: "sre".into(),
        integration: "email".into(),
        index: 0,
        group_key: "{}:{}".into(),
        group_labels: Labels::default(),
        common_labels: Labels::default(),
        common_annotations: Labels::default(),
        status: NoticeStatus::Firing,
        reason: SendReason::FirstNotification,
        notices: vec![notice],
        fresh: vec![0],
        truncated: 0,
        thread: None,
        release: Some(ReleaseRef {
            id: ReleaseId::from_text("rel_1"),
            key: ServiceKey::new("checkout", "production"),
            cluster: None,
            version: "2.4.1".into(),
        }),
        retry_of: None,
        settled: Vec::new(),
    }
}

#[tokio::test]
async fn a_mail_in_clear_reaches_each_recipient_whole() {
    let Some(server) = Server::start(&[]) else { return };
    let delivery = deliver(config(server.port, Tls::None)).await;
    assert_eq!((delivery.result, delivery.attempts), (DeliveryResult::Delivered, 1), "{delivery:?}");
    assert_eq!(
        (delivery.detail.as_str(), delivery.thread.as_deref()),
        ("accepted for 2 recipients", Some("<rel_1@ripcord>"))
    );
    let mails = server.mails();
    let to: Vec<&str> = mails.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    assert_eq!(to, ["sre@example.org", "ada@example.org"]);
    assert_eq!(mails[0]["data"], mails[1]["data"]);
    let data = mails[0]["data"].as_str().unwrap();
    for part in [
        "Subject: [ROLLED BACK] checkout 2.4.1 in production: rolled back",
        "Message-ID: <snd_1@ripcord>",
        "References: <rel_1@ripcord>",
        "multipart/alternative",
        "text/plain",
        "text/html",
    ] {
        assert!(data.contains(part), "{part} in {data}");
    }
}

#[tokio::test]
async fn the_owner_gets_it_where_the_receiver_names_nobody() {
    let Some(server) = Server::start(&[]) else { return };
    let delivery = deliver(EmailConfig { to: Vec::new(), ..config(server.port, Tls::None) }).await;
    assert_eq!(delivery.result, DeliveryResult::Delivered);
    assert_eq!(server.mails()[0]["to"][0], "payments@example.org");
}

#[tokio::test]
async fn a_password_opens_the_server_and_a_wrong_one_is_not_shown() {
    let Some(server) = Server::start(&["--auth", "ripcord:s3cr3t"]) else { return };
    let right = deliver(with_password(config(server.port, Tls::None), "s3cr3t\n")).await;
    assert_eq!(right.result, DeliveryResult::Delivered, "{right:?}");
    let wrong = deliver(with_password(config(server.port, Tls::None), "0ther-s3cr3t")).await;
    assert_eq!((wrong.result, wrong.attempts), (DeliveryResult::Failed, 1), "{wrong:?}");
    assert!(!format!("{wrong:?}").contains("s3cr3t"), "{wrong:?}");
    assert!(server.mails().iter().all(|mail| mail["user"] == "ripcord"));
}

#[tokio::test]
async fn mail_goes_over_starttls_and_over_tls_to_a_server_whose_authority_is_trusted() {
    let Some(certificate) = Certificate::make() else { return };
    let authorities = std::fs::read(certificate.path("cert.pem")).unwrap();
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    for (mode, tls) in [("--starttls", Tls::StartTls), ("--implicit", Tls::Implicit)] {
        let Some(server) = Server::start(&[mode, "--cert", &cert, "--key", &key]) else { return };
        let trusting = EmailConfig { tls_ca: Some(authorities.clone()), ..config(server.port, tls) };
        let delivery = deliver(trusting).await;
        assert_eq!(delivery.result, DeliveryResult::Delivered, "{mode}: {delivery:?}");
        assert!(server.mails().iter().all(|mail| mail["tls"] == true), "{mode}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_without_starttls_when_it_is_asked_for() {
    let Some(server) = Server::start(&[]) else { return };
    let delivery = deliver(config(server.port, Tls::StartTls)).await;
    assert_eq!((delivery.result, delivery.attempts), (DeliveryResult::Failed, 1), "{delivery:?}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn one_refused_recipient_does_not_keep_the_mail_from_the_others_and_a_greylisted_one_gets_it_once() {
    let Some(server) = Server::start(&["--refuse", "ada@example.org", "--later", "sre@example.org"]) else {
        return;
    };
    let delivery = deliver(config(server.port, Tls::None)).await;
    assert_eq!((delivery.result, delivery.attempts), (DeliveryResult::Delivered, 2), "{delivery:?}");
    assert!(delivery.detail.starts_with("accepted for 1 of 2 recipients; ada@example.org: "), "{delivery:?}");
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0]["to"][0].as_str()), (1, Some("sre@example.org")));
}

#[test]
fn configurations_that_cannot_work_are_refused_with_the_place() {
    let wrong = |change: fn(&mut EmailConfig)| {
        let mut email = config(25, Tls::None);
        change(&mut email);
        let receiver = Receiver { email: vec![email], ..Receiver::default() };
        let config = Config { receivers: [("sre".to_owned(), receiver)].into(), ..Config::default() };
        config.check().unwrap_err().to_string()
    };
    let place = "receiver \"sre\", email_configs[0]: ";
    for (message, start) in [
        (wrong(|email| email.smarthost = "mail".into()), "smarthost must be host:port, not \"mail\""),
        (wrong(|email| email.from = "nobody".into()), "from is not an address"),
        (wrong(|email| email.to = vec!["a b".into()]), "to holds \"a b\", which is not an address"),
        (
            wrong(|email| email.auth_username = Some("a".into())),
            "auth_username and auth_password belong together",
        ),
        (
            wrong(|email| {
                email.smarthost = "mail.example.org:25".into();
                email.auth_username = Some("a".into());
                email.auth_password = Some(SecretString::from("b"));
            }),
            "a password is not sent to another machine in clear",
        ),
    ] {
        assert!(message.starts_with(&format!("{place}{start}")), "{message}");
    }
}
