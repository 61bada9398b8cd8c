//! What Slack takes as blocks (docs.slack.dev, Block Kit reference).

use serde_json::Value;

const REFUSED: &str = "invalid_blocks";

/// Text of all blocks together beyond which Slack answers `msg_blocks_too_long`; not documented, observed.
const MAX_TOTAL_CHARS: usize = 13_200;

pub(super) fn check(blocks: &Value) -> Result<(), &'static str> {
    if blocks.is_null() {
        return Ok(());
    }
    let blocks = blocks.as_array().ok_or("invalid_blocks_format")?;
    if blocks.is_empty() || blocks.len() > 50 {
        return Err(REFUSED);
    }
    let mut total = 0;
    for block in blocks {
        total += match block["type"].as_str() {
            Some("header") => text(&block["text"], &["plain_text"], 150)?,
            Some("section") => section(block)?,
            Some("context") => elements(block)?,
            Some("divider") => 0,
            _ => return Err(REFUSED),
        };
    }
    if total > MAX_TOTAL_CHARS { Err("msg_blocks_too_long") } else { Ok(()) }
}

fn section(block: &Value) -> Result<usize, &'static str> {
    let fields = match block.get("fields") {
        Some(fields) => {
            fields.as_array().filter(|fields| (1..=10).contains(&fields.len())).ok_or(REFUSED)?.as_slice()
        }
        None if block.get("text").is_none() => return Err(REFUSED),
        None => &[],
    };
    let own = block.get("text").map_or(Ok(0), |own| text(own, &["mrkdwn", "plain_text"], 3000))?;
    fields.iter().try_fold(own, |total, field| Ok(total + text(field, &["mrkdwn", "plain_text"], 2000)?))
}

fn elements(block: &Value) -> Result<usize, &'static str> {
    let elements =
        block["elements"].as_array().filter(|elements| (1..=10).contains(&elements.len())).ok_or(REFUSED)?;
    elements.iter().try_fold(0, |total, element| Ok(total + text(element, &["mrkdwn", "plain_text"], 3000)?))
}

fn text(value: &Value, kinds: &[&str], max: usize) -> Result<usize, &'static str> {
    let kind = value["type"].as_str().unwrap_or_default();
    let length = value["text"].as_str().unwrap_or_default().chars().count();
    if kinds.contains(&kind) && (1..=max).contains(&length) { Ok(length) } else { Err(REFUSED) }
}
