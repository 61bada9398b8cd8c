//! Topics of a real broker, used as other people's programs use them: with kcat.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::broker;

/// A message as kcat reads it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) key: String,
    /// In their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: String,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// The broker, if there is one and kcat too.
pub(crate) async fn bootstrap() -> Option<String> {
    if Command::new("kcat").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "kcat is required here");
        eprintln!("SKIPPED: the tests with topics need kcat (Debian: kcat)");
        return None;
    }
    broker::shared().await
}

/// Creates a topic; nothing creates topics by itself there.
pub(crate) fn create(bootstrap: &str, name: &str, partitions: u32) {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    // CreateTopics, version 2, one replica, no client id, ten seconds.
    let request = [
        &[0, 19, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 1][..],
        &text(name),
        &partitions.to_be_bytes(),
        &1_u16.to_be_bytes(),
        &[0; 8],
        &10_000_u32.to_be_bytes(),
        &[0],
    ]
    .concat();
    let mut stream = TcpStream::connect(bootstrap.split(',').next().unwrap()).unwrap();
    stream.write_all(&[&(request.len() as u32).to_be_bytes()[..], &request].concat()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    let good = [text(name), vec![0, 0]].concat();
    assert!(answer.windows(good.len()).any(|it| it == good), "topic {name} was not created: {answer:?}");
}

/// A message a line.
pub(crate) fn produce(bootstrap: &str, topic: &str, headers: &[(&str, &str)], lines: &str) {
    let mut kcat = Command::new("kcat");
    kcat.args(["-P", "-b", bootstrap, "-t", topic, "-k", "checkout"]);
    for (name, value) in headers {
        kcat.arg("-H").arg(format!("{name}={value}"));
    }
    let mut child = kcat.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Everything that is on a topic now.
pub(crate) fn consume(bootstrap: &str, topic: &str) -> Vec<Message> {
    let arguments = ["-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-J"];
    let output = Command::new("kcat").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| message(&serde_json::from_str(line).unwrap())).collect()
}

fn message(json: &Value) -> Message {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = json["headers"].as_array().cloned().unwrap_or_default();
    Message {
        key: text(&json["key"]),
        headers: headers.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        payload: text(&json["payload"]),
    }
}
