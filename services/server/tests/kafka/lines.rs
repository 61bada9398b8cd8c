//! Senders of request lines who know what became of each: what was refused is sent again under another name only,
//! so that it shows if anything is lost or counted twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::system::{System, until};

const SENDERS: usize = 3;

/// Lines of one request, all of one service that no other request names.
const LINES: u64 = 10;

const PACE: Duration = Duration::from_millis(60);

/// What the sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Taken,
    /// 503, and when to come back.
    Refused,
    /// None came.
    Unknown,
}

#[derive(Debug, Default)]
struct Told {
    services: Mutex<BTreeMap<String, Answer>>,
    odd: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Senders under way.
pub(crate) struct Lines {
    told: Arc<Told>,
    senders: Vec<JoinHandle<()>>,
}

impl Lines {
    pub(crate) fn start(front: &System) -> Self {
        let told = Arc::<Told>::default();
        let sender = |sender| {
            let (http, url, told) = (front.http.clone(), front.url.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                for n in 0.. {
                    if told.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let service = format!("lines-{sender}-{n}");
                    match send(&http, &url, &service).await {
                        Ok(answer) => drop(told.services.lock().unwrap().insert(service, answer)),
                        Err(odd) => told.odd.lock().unwrap().push(odd),
                    }
                    tokio::time::sleep(PACE).await;
                }
            })
        };
        let senders = (0..SENDERS).map(sender).collect();
        Self { told, senders }
    }

    /// How many requests were answered like this so far.
    pub(crate) fn count(&self, answer: Answer) -> usize {
        self.told.services.lock().unwrap().values().filter(|told| **told == answer).count()
    }

    /// Waits until so many more requests were taken.
    pub(crate) async fn until_more(&self, requests: usize) {
        let enough = self.count(Answer::Taken) + requests;
        until("more is taken", async || (self.count(Answer::Taken) >= enough).then_some(())).await;
    }

    /// Ends, and compares what was answered with what `console` counts: what was taken once, the rest once at most.
    pub(crate) async fn finish(self, console: &System) {
        self.told.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.unwrap();
        }
        assert_eq!(*self.told.odd.lock().unwrap(), Vec::<String>::new());
        let services = self.told.services.lock().unwrap().clone();
        assert!(!services.is_empty());
        let mut counts = BTreeMap::<Answer, u64>::new();
        for (service, answer) in &services {
            *counts.entry(*answer).or_default() += 1;
            let path = format!("/api/v1/services/{service}/metrics?environment=production&window=1h");
            let counted =
                async || console.get(&path).await["versions"][0]["requests"].as_u64().unwrap_or_default();
            if *answer == Answer::Taken {
                until(&format!("{service} is counted"), async || (counted().await == LINES).then_some(()))
                    .await;
            } else {
                let counted = counted().await;
                assert!(counted == 0 || counted == LINES, "{service} is counted {counted} times");
            }
        }
        eprintln!("FIGURE requests by answer: {counts:?}");
    }
}

/// The answer, or what nobody should answer.
async fn send(http: &reqwest::Client, url: &str, service: &str) -> Result<Answer, String> {
    let line = format!(r#"{{"service":"{service}","environment":"production","version":"1","status":200}}"#);
    let post = http.post(format!("{url}/api/v1/requests")).header("content-type", "application/x-ndjson");
    let Ok(answer) = post.body(format!("{line}\n").repeat(LINES as usize)).send().await else {
        return Ok(Answer::Unknown);
    };
    match answer.status().as_u16() {
        202 => Ok(Answer::Taken),
        503 if answer.headers().contains_key("retry-after") => Ok(Answer::Refused),
        status => Err(format!("{service}: {status}")),
    }
}
