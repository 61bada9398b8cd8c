//! What people would see, as plain text.

use serde_json::Value;

use super::Message;

/// A message and its thread.
pub(super) fn message(root: &Message, thread: &[&Message]) -> String {
    let mut lines = vec![root.channel.clone()];
    lines.extend(body(root).lines().map(|line| format!("  {line}")));
    for reply in thread {
        lines.extend(body(reply).lines().map(|line| format!("    ↳ {line}")));
    }
    lines.join("\n")
}

fn body(message: &Message) -> String {
    if message.blocks.is_null() { plain(&message.text) } else { blocks(&message.blocks) }
}

/// Blocks, a line each and more.
pub(super) fn blocks(blocks: &Value) -> String {
    let blocks = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().map(block).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn block(block: &Value) -> String {
    let texts = |key: &str| -> Vec<String> {
        let list = block[key].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|item| plain(item["text"].as_str().unwrap_or_default())).collect()
    };
    let own = plain(block["text"]["text"].as_str().unwrap_or_default());
    let fields =
        texts("fields").iter().map(|field| field.replacen('\n', ": ", 1)).collect::<Vec<_>>().join(" | ");
    let pieces = [own, fields, texts("elements").join(" ")];
    pieces.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A link by its name; `<!here>`, `<@U1>`, `<!subteam^S1>` as mentions.
fn shown_link(link: &str) -> String {
    if let Some((_, name)) = link.split_once('|') {
        return name.to_owned();
    }
    match link.strip_prefix("!subteam^").or_else(|| link.strip_prefix(['!', '@'])) {
        Some(mentioned) => format!("@{mentioned}"),
        None => link.to_owned(),
    }
}

/// Slack's markup as it reads: links by their names, no asterisks and back-quotes, entities undone.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((link, after)) = after.split_once('>') else { break };
        shown.push_str(before);
        shown.push_str(&shown_link(link));
        rest = after;
    }
    shown.push_str(rest);
    let unmarked: String = shown.chars().filter(|c| !matches!(c, '*' | '`')).collect();
    unmarked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
