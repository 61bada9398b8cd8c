//! A Slack for tests and the demo: `chat.postMessage`, `chat.update` and `auth.test` over real HTTP on loopback.
//! It checks token, channel and blocks as Slack does, keeps messages and threads, fails on demand, and shows what
//! people would see.

mod blocks;
mod render;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How the double fails a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: this call goes through, the next fault is for the next one.
    Pass,
    /// The call goes through; the answer says where the message stands, and nothing of the message itself.
    Thin,
    /// 200 with `ok: false` and this error code.
    Error(&'static str),
    /// 429 with `Retry-After` in seconds.
    RateLimited(u64),
    /// A bare HTTP status.
    Status(u16),
    /// Does what was asked and then answers 500: nobody but Slack knows that it worked.
    AnswerLost,
    /// Takes the request and never answers.
    Hang,
}

/// A message as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `#name` as it was first posted to, or the id.
    pub channel: String,
    pub channel_id: String,
    pub ts: String,
    /// The message whose thread it stands in.
    pub thread_ts: Option<String>,
    pub text: String,
    /// `null` where there are none.
    pub blocks: Value,
    /// How often it was updated.
    pub updates: u32,
}

#[derive(Default)]
struct Workspace {
    token: String,
    /// Ids by channel name.
    channels: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    messages: Vec<Message>,
    faults: VecDeque<Fault>,
    calls: Vec<String>,
}

type Shared = Arc<Mutex<Workspace>>;

/// The double; it ends with its handle.
pub struct SlackDouble {
    address: SocketAddr,
    workspace: Shared,
    serving: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for SlackDouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlackDouble").field("address", &self.address).finish_non_exhaustive()
    }
}

impl SlackDouble {
    /// Listens on a free port of loopback and takes this bot token only.
    pub async fn start(token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let workspace: Shared =
            Arc::new(Mutex::new(Workspace { token: token.to_owned(), ..Workspace::default() }));
        let router = Router::new().route("/api/{method}", any(call)).with_state(Arc::clone(&workspace));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the Slack double ended");
            }
        });
        Ok(Self { address, workspace, serving })
    }

    /// `http://127.0.0.1:PORT/api`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// Fails the next calls like this, in order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// From now on this channel does not exist.
    pub fn remove_channel(&self, name: &str) {
        self.lock().missing.insert(name.to_owned());
    }

    /// Somebody deletes a message.
    pub fn delete(&self, ts: &str) {
        self.lock().messages.retain(|message| message.ts != ts);
    }

    /// All messages that stand, replies included, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }

    /// Every call so far that had the right token: method names in order.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// What people would see: one text a message, its thread below it.
    pub fn rendered(&self) -> Vec<String> {
        let messages = self.messages();
        let thread_of = |root: &Message| {
            messages.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&root.ts)).collect::<Vec<_>>()
        };
        let roots = messages.iter().filter(|message| message.thread_ts.is_none());
        roots.map(|root| render::message(root, &thread_of(root))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Workspace> {
        lock(&self.workspace)
    }
}

/// What people would see of a message that `chat.postMessage` is asked to post.
#[cfg(test)]
pub(crate) fn as_text(request: &Value) -> String {
    format!(
        "{}\n{}",
        render::plain(request["text"].as_str().unwrap_or_default()),
        render::blocks(&request["blocks"])
    )
}

impl Drop for SlackDouble {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(workspace: &Shared) -> MutexGuard<'_, Workspace> {
    workspace.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn call(
    State(workspace): State<Shared>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = lock(&workspace).faults.pop_front();
    match fault {
        Some(Fault::Error(code)) => return refused(code),
        Some(Fault::RateLimited(seconds)) => {
            let body = Json(json!({ "ok": false, "error": "ratelimited" }));
            return (
                StatusCode::TOO_MANY_REQUESTS,
                [(header::RETRY_AFTER, HeaderValue::from(seconds))],
                body,
            )
                .into_response();
        }
        Some(Fault::Status(code)) => {
            return StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::AnswerLost | Fault::Pass | Fault::Thin) | None => {}
    }
    let answer = match lock(&workspace).answer(&method, &headers, &body) {
        Ok(mut answer) => {
            if fault == Some(Fault::Thin) {
                answer.as_object_mut().map(|it| it.remove("message"));
            }
            Json(answer).into_response()
        }
        Err(code) => refused(code),
    };
    if fault == Some(Fault::AnswerLost) { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { answer }
}

fn refused(code: &str) -> Response {
    Json(json!({ "ok": false, "error": code })).into_response()
}

impl Workspace {
    fn answer(&mut self, method: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, &'static str> {
        self.check_token(headers)?;
        self.calls.push(method.to_owned());
        if method == "auth.test" {
            return Ok(json!({
                "ok": true, "url": "https://double.slack.com/", "team": "double", "team_id": "T0001",
                "user": "ripcord", "user_id": "U0001", "bot_id": "B0001",
            }));
        }
        let is_json =
            |value: &HeaderValue| value.to_str().is_ok_and(|text| text.starts_with("application/json"));
        if !headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
            return Err("invalid_post_type");
        }
        let request: Value = serde_json::from_slice(body).map_err(|_| "invalid_json")?;
        match method {
            "chat.postMessage" => self.post(&request),
            "chat.update" => self.update(&request),
            _ => Err("unknown_method"),
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let given = headers.get(header::AUTHORIZATION).ok_or("not_authed")?;
        let token = given.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        if token == Some(self.token.as_str()) { Ok(()) } else { Err("invalid_auth") }
    }

    fn post(&mut self, request: &Value) -> Result<Value, &'static str> {
        let asked = request["channel"].as_str().filter(|name| !name.is_empty()).ok_or("channel_not_found")?;
        let (channel, channel_id) = self.channel(asked)?;
        let thread_ts = request["thread_ts"].as_str().map(str::to_owned);
        let stands = |ts: &String| self.messages.iter().any(|message| &message.ts == ts);
        if thread_ts.as_ref().is_some_and(|ts| !stands(ts)) {
            return Err("thread_not_found");
        }
        let (text, blocks) = content(request)?;
        let ts = format!("1795428{:03}.{:06}", self.messages.len(), self.calls.len());
        let message = Message { channel, channel_id, ts, thread_ts, text, blocks, updates: 0 };
        let answer = shown(&message);
        self.messages.push(message);
        Ok(answer)
    }

    fn update(&mut self, request: &Value) -> Result<Value, &'static str> {
        let (text, blocks) = content(request)?;
        let channel = request["channel"].as_str().unwrap_or_default();
        if !self.channels.values().any(|id| id == channel) {
            // Unlike postMessage, update does not take a name.
            return Err("channel_not_found");
        }
        let ts = request["ts"].as_str().unwrap_or_default();
        let found =
            self.messages.iter_mut().find(|message| message.ts == ts && message.channel_id == channel);
        let message = found.ok_or("message_not_found")?;
        message.text = text;
        message.blocks = blocks;
        message.updates += 1;
        Ok(shown(message))
    }

    /// Name and id of a channel; a name that nobody used before is a new channel.
    fn channel(&mut self, asked: &str) -> Result<(String, String), &'static str> {
        if self.missing.contains(asked) {
            return Err("channel_not_found");
        }
        if let Some((name, id)) = self.channels.iter().find(|(_, id)| *id == asked) {
            return Ok((name.clone(), id.clone()));
        }
        let next = format!("C{:04}", self.channels.len() + 1);
        let id = self.channels.entry(asked.to_owned()).or_insert(next).clone();
        Ok((asked.to_owned(), id))
    }
}

fn content(request: &Value) -> Result<(String, Value), &'static str> {
    let text = request["text"].as_str().unwrap_or_default().to_owned();
    let blocks = request.get("blocks").cloned().unwrap_or(Value::Null);
    blocks::check(&blocks)?;
    if text.is_empty() && blocks.is_null() {
        return Err("no_text");
    }
    Ok((text, blocks))
}

fn shown(message: &Message) -> Value {
    let mut shown = json!({ "type": "message", "user": "U0001", "bot_id": "B0001", "ts": message.ts, "text": message.text });
    if !message.blocks.is_null() {
        shown["blocks"] = message.blocks.clone();
    }
    json!({ "ok": true, "channel": message.channel_id, "ts": message.ts, "text": message.text, "message": shown })
}
