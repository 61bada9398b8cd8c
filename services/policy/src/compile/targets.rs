//! `target` and `targets`: where a command goes.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{
    HeaderValue, Hidden, Target,
    diagnostic::{Diagnostics, suggest},
    yaml::{Entry, Node, Reader, ValueError, parse_topic},
};

/// How long a webhook may take to answer that it has the command.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a program may take to carry a command out.
const EXEC_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

const KINDS: [&str; 3] = ["webhook", "exec", "kafka"];

/// Kinds that are to come, so that a file written for them is understood and not misunderstood.
const KINDS_TO_COME: [&str; 8] =
    ["kubernetes", "argo_rollout", "argo_cd", "flux", "http_route", "virtual_service", "flag", "github"];

/// `None` where nothing is said. A target of a kind that is to come is said, and executes nothing.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Vec<Target>> {
    let (key, _) = reader.one_of(&["target", "targets"])?;
    let nodes = match key {
        "target" => reader.get("target").map(std::slice::from_ref).unwrap_or_default(),
        _ => reader.list("targets"),
    };
    Some(nodes.iter().filter_map(|node| target(node, reader.diagnostics())).collect())
}

fn target(node: &Node, diagnostics: &Diagnostics) -> Option<Target> {
    let [Entry { key, value }] = node.entries().unwrap_or_default() else {
        let hint = "a target is one kind with its settings: { webhook: { url: … } }";
        diagnostics.error_hint(node, "a target must be a mapping of one kind", hint);
        return None;
    };
    match key.name.as_str() {
        "webhook" => webhook(value, diagnostics),
        "exec" => exec(value, diagnostics),
        "kafka" => kafka(value, diagnostics),
        kind if KINDS_TO_COME.contains(&kind) => {
            let message = format!("the target `{kind}` is parsed but does not act yet: nothing is executed");
            diagnostics.warning(key, message, "use a webhook, exec or kafka target until it does");
            None
        }
        kind => {
            let kinds: Vec<&str> = KINDS.into_iter().chain(KINDS_TO_COME).collect();
            diagnostics.error_hint(key, format!("unknown kind of target `{kind}`"), suggest(kind, &kinds));
            None
        }
    }
}

fn webhook(node: &Node, diagnostics: &Diagnostics) -> Option<Target> {
    let mut reader = Reader::open(node, "`webhook`", diagnostics)?;
    reader.required("url");
    let url = reader.parsed("url", http_url).map(|url| Hidden::from(url.as_str()));
    let secret_file = reader.text("secret_file").map(str::to_owned);
    if secret_file.is_none() {
        let hint = "add `secret_file: FILE`, and check the signature where it arrives";
        let message = "this webhook is sent unsigned: its receiver cannot tell who asks for a rollback";
        diagnostics.warning(node, message, hint);
    }
    let headers = headers(&mut reader);
    let timeout = reader.duration_within("timeout", TIMEOUTS).unwrap_or(WEBHOOK_TIMEOUT);
    reader.finish();
    Some(Target::Webhook { url: url?, secret_file, headers, timeout })
}

/// `NAME: value`, or `NAME_file: FILE`, which holds the value.
fn headers(reader: &mut Reader<'_, '_>) -> BTreeMap<String, HeaderValue> {
    let mut headers = BTreeMap::new();
    for (entry, text) in reader.text_mapping("headers") {
        let (name, value) = match entry.key.name.strip_suffix("_file") {
            Some(name) => (name, HeaderValue::File(text.to_owned())),
            None => (entry.key.name.as_str(), HeaderValue::Given(Hidden::from(text))),
        };
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) || text.contains(['\r', '\n', '\0']) {
            let message = format!("`{name}` is not a header with a value of one line");
            reader.diagnostics().error(&entry.key, message);
        } else if headers.insert(name.to_owned(), value).is_some() {
            reader.diagnostics().error(&entry.key, format!("the header `{name}` is given twice"));
        }
    }
    headers
}

/// An absolute URL over HTTP with a host; what else it holds is for whoever sends to it.
fn http_url(text: &str) -> Result<String, ValueError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    if host.is_empty() || host.ends_with('@') || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(ValueError::new("not a URL", "write it as https://deploy.example.org/rollback"));
    }
    Ok(text.to_owned())
}

fn exec(node: &Node, diagnostics: &Diagnostics) -> Option<Target> {
    if node.entries().is_none() {
        let hint = "exec: { argv: [\"/usr/bin/deploy\", \"--to\", \"{{to_version}}\"] }";
        diagnostics.error_hint(
            node,
            format!("`exec` must be a mapping with `argv`, found {}", node.kind()),
            hint,
        );
        return None;
    }
    let mut reader = Reader::open(node, "`exec`", diagnostics)?;
    let given = reader.required("argv");
    if let Some(given) = given.filter(|given| given.items().is_none()) {
        let hint = "write the program and each argument apart: argv: [\"/usr/bin/deploy\", \"--to\", \"{{to_version}}\"]";
        diagnostics.error_hint(given, "`argv` must be a list: there is no shell to split it", hint);
    }
    let argv = if given.is_some_and(|given| given.items().is_some()) {
        reader.texts("argv").unwrap_or_default()
    } else {
        Vec::new()
    };
    if given.is_some_and(|given| given.items().is_some()) && argv.first().is_none_or(String::is_empty) {
        diagnostics.error(node, "`argv` names no program");
    }
    let timeout = reader.duration_within("timeout", TIMEOUTS).unwrap_or(EXEC_TIMEOUT);
    reader.finish();
    (!argv.is_empty()).then_some(Target::Exec { argv, timeout })
}

fn kafka(node: &Node, diagnostics: &Diagnostics) -> Option<Target> {
    let mut reader = Reader::open(node, "`kafka`", diagnostics)?;
    reader.required("topic");
    let topic = reader.parsed("topic", parse_topic);
    reader.finish();
    Some(Target::Kafka { topic: topic? })
}
