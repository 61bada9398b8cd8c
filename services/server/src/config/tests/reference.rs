//! `docs/src/configuration.md` is true: it names every key that the reader accepts and none that it does not, and
//! its examples pass `check`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use policy::{Diagnostics, KeyUse, Level, Place, yaml::Node};

const PAGE: &str = include_str!("../../../../../docs/src/configuration.md");

/// The heading whose table lists the top-level keys.
const TOP: &str = "ripcord.yml";

/// Mappings that are documented once and may stand in several places.
const SAME: [(&str, &str); 9] = [
    ("policies[].attribution", "defaults.attribution"),
    ("policies[].targets[]", "policies[].target"),
    ("policies[].rollback_triggers", "rollback_triggers"),
    ("policies[].alerts[]", "alerts[]"),
    ("policies[].stages[]", "stages[]"),
    ("policies[].metrics", "metrics"),
    ("mute_time_intervals[]", "time_intervals[]"),
    ("freezes[].match", "policies[].match"),
    ("code_integration", "PIPELINE_STAGE"),
];

/// Mappings whose keys are names.
const NAMED: [&str; 2] = ["metrics", "rollback_triggers"];

/// Files that the examples name; authorities are parsed when a message is sent.
const FILES: [(&str, &str); 12] = [
    ("cluster.key", "b2xkIGtleSBvZiB0aGUgY2x1c3RlciwgMzIgYnl0ZXM="),
    ("webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("slack.token", "xoxb-0123456789"),
    ("prometheus.token", "prometheus-0123456789abcdef"),
    ("ci.token", "ci-0123456789abcdef"),
    ("operator.token", "operator-0123456789abcdef"),
    ("alertmanager.token", "alertmanager-0123456789abcdef"),
    ("kafka.secret", "kafka-0123456789abcdef"),
    ("smtp.secret", "smtp-0123456789abcdef"),
    ("pager.url", "https://pager.example.org/hook"),
    ("pager.token", "pager-0123456789abcdef"),
    ("ca.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
];

/// Team files that an example names.
const TEAM_FILES: [&str; 2] = ["policies/payments.yml", "teams/search.yml"];

fn examples() -> Vec<&'static str> {
    let blocks = PAGE.split("```yaml\n").skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0)).collect()
}

fn folder_of_examples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for name in TEAM_FILES {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "policies: []\n").unwrap();
    }
    folder
}

/// Keys by the path of the mapping that may hold them.
type Keys = BTreeMap<String, KeyUse>;

/// Reads one example, and returns its faults and the keys that could have stood in it.
fn read(folder: &Path, text: &str) -> (Vec<String>, Keys) {
    let file = super::write(folder, text);
    let diagnostics = Diagnostics::recording();
    drop(super::super::read_into(Some(&file), super::super::Purpose::Check, &diagnostics));
    let root = policy::yaml::parse(&file.display().to_string(), text).unwrap();
    let mut paths = BTreeMap::new();
    walk(&root, String::new(), &mut paths);
    let mut keys = Keys::new();
    for ((place, key), used) in diagnostics.keys() {
        let Some(mapping) = paths.get(&place) else { continue };
        let known = keys.entry(documented_as(mapping, &key)).or_default();
        known.is_container |= used.is_container;
        known.is_given |= used.is_given;
    }
    let faults = diagnostics.into_vec().into_iter().filter(|it| it.level == Level::Error);
    (faults.map(|fault| fault.to_string()).collect(), keys)
}

/// Where each mapping stands, by path: `policies[].target.webhook`.
fn walk(node: &Node, path: String, paths: &mut BTreeMap<Place, String>) {
    if let Some(entries) = node.entries() {
        for entry in entries {
            let is_named = NAMED.iter().any(|named| path.ends_with(named));
            let name = if is_named { "NAME" } else { &entry.key.name };
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            walk(&entry.value, below, paths);
        }
        paths.insert(node.place.clone(), path);
        return;
    }
    for item in node.items().unwrap_or_default() {
        walk(item, format!("{path}[]"), paths);
    }
}

/// The path under which a key stands in the page.
fn documented_as(mapping: &str, key: &str) -> String {
    // One route is read as another, and one definition of a metric as a list of them.
    let mut mapping = mapping.replace(".routes[]", "").replace("NAME[]", "NAME");
    for (place, same) in SAME {
        if let Some(rest) = mapping.strip_prefix(place) {
            mapping = format!("{same}{rest}");
        }
    }
    let key = match (mapping.as_str(), key.rsplit_once('_')) {
        ("rollback_triggers.NAME", Some((_, change @ ("drop" | "increase")))) => format!("METRIC_{change}"),
        _ => key.to_owned(),
    };
    if mapping.is_empty() { key } else { format!("{mapping}.{key}") }
}

/// The keys that the page's tables list: those in the first cell of a row, under the path of its heading.
fn documented() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut heading = None;
    for line in PAGE.lines() {
        if line.starts_with('#') {
            heading = codes(line).into_iter().next();
        }
        let cell = line.strip_prefix('|').and_then(|row| row.split('|').next());
        if let (Some(heading), Some(cell)) = (&heading, cell) {
            let path = |key: String| if heading == TOP { key } else { format!("{heading}.{key}") };
            keys.extend(codes(cell).into_iter().map(path));
        }
    }
    keys
}

/// What stands in backticks.
fn codes(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_example_passes_check_and_the_tables_list_exactly_the_keys_that_the_reader_accepts() {
    let folder = folder_of_examples();
    let mut accepted = Keys::new();
    for example in examples() {
        let (faults, keys) = read(folder.path(), example);
        assert!(faults.is_empty(), "{}\n{example}", faults.join("\n"));
        for (path, used) in keys {
            let known = accepted.entry(path).or_default();
            known.is_container |= used.is_container;
            known.is_given |= used.is_given;
        }
    }
    let documented = documented();
    let sections = policy::POLICY_SECTIONS.into_iter().chain(policy::SERVER_SECTIONS).map(str::to_owned);
    let all: BTreeSet<String> = accepted.keys().cloned().chain(sections).collect();
    // Any name may be one: the page lists the usual ones in a sentence.
    let is_pipeline_stage = |key: &&String| policy::PIPELINE_STAGES.contains(&key.as_str());
    let undocumented: Vec<&String> =
        all.difference(&documented).filter(|key| !is_pipeline_stage(key)).collect();
    assert!(undocumented.is_empty(), "accepted, and in no table of the page: {undocumented:#?}");
    let imaginary: Vec<&String> = documented.difference(&all).collect();
    assert!(
        imaginary.is_empty(),
        "in a table of the page, and in no example or not accepted: {imaginary:#?}"
    );
    let unopened = accepted.iter().filter(|(_, used)| used.is_container && !used.is_given);
    let unopened: Vec<&String> = unopened.map(|(path, _)| path).collect();
    assert!(unopened.is_empty(), "has keys of its own, and stands in no example: {unopened:#?}");
}
