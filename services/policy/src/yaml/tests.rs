use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::diagnostic::Diagnostics;

fn shown(diagnostics: &[crate::Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn check_refused(text: &str, expected: Expect) {
    expected.assert_eq(&shown(&parse("f.yml", text).unwrap_err()));
}

#[test]
fn nodes_know_their_place() {
    let root = parse("f.yml", "a:\n  - x: 'hello'\n    y: [1, 2]\n").unwrap();
    let item = &root.get("a").unwrap().items().unwrap()[0];
    let hello = item.get("x").unwrap();
    assert_eq!((hello.place.line, hello.place.column), (2, 8));
    assert_eq!(hello.place_in_text(2).column, 11);
    let two = &item.get("y").unwrap().items().unwrap()[1];
    assert_eq!((two.place.line, two.place.column, two.text()), (3, 12, Some("2")));
}

#[test]
fn columns_count_characters_and_empty_values_are_at_their_key() {
    let root = parse("f.yml", "ü: {b: ö, c:}\n").unwrap();
    let inner = root.get("ü").unwrap();
    assert_eq!(inner.get("b").unwrap().place.column, 8);
    assert!(inner.get("c").unwrap().is_null());
    assert_eq!(inner.get("c").unwrap().place.column, 11);
}

#[test]
fn scalars_stay_text_and_only_plain_nulls_are_null() {
    let root = parse("f.yml", "{a: 1%, b: 0x10, c: '~', d: ~, e: '', f: yes}").unwrap();
    let texts: Vec<Option<&str>> =
        ["a", "b", "c", "d", "e", "f"].iter().map(|key| root.get(key).unwrap().text()).collect();
    assert_eq!(texts, [Some("1%"), Some("0x10"), Some("~"), None, Some(""), Some("yes")]);
}

#[test]
fn an_empty_file_is_an_empty_mapping() {
    for text in ["", "\n", "# only a comment\n", "---\n", "\u{feff}"] {
        let root = parse("f.yml", text).unwrap();
        assert!(root.is_null() || root.entries() == Some(&[]), "{text:?}: {root:?}");
    }
}

#[test]
fn aliases_and_merges_are_expanded_and_own_keys_win() {
    let root = parse("f.yml", "base: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}\nd: *b\n").unwrap();
    let c = root.get("c").unwrap();
    assert_eq!((c.get("x").unwrap().text(), c.get("y").unwrap().text()), (Some("1"), Some("3")));
    assert_eq!(root.get("d").unwrap().get("y").unwrap().text(), Some("2"));
}

#[test]
fn what_is_not_one_document_of_known_keys_is_refused() {
    check_refused(
        "a: 1\nb: 2\na: 3\nb: 4\n",
        expect![[r#"
        f.yml:3:1: error: `a` is given twice
          hint: the first is on line 1; keep one of them
        f.yml:4:1: error: `b` is given twice
          hint: the first is on line 2; keep one of them"#]],
    );
    check_refused("a: [1\nb: 2\n", expect!["f.yml:2:2: error: not YAML: illegal placement of ':' indicator"]);
    check_refused(
        "a: 1\n---\nb: 2\n",
        expect![[r#"
        f.yml:2:1: error: a second YAML document in one file
          hint: remove the `---`, or put the second part into a file of its own"#]],
    );
    check_refused("[a]: 1\n", expect!["f.yml:1:1: error: a key must be a single value"]);
    check_refused("a: &x [*x]\n", expect!["f.yml:1:8: error: an alias inside of what it stands for"]);
    check_refused(
        "a: *unknown\n",
        expect!["f.yml:1:4: error: not YAML: while parsing node, found unknown anchor"],
    );
    check_refused(
        "a:\n\tb: 1\n",
        expect!["f.yml:2:2: error: not YAML: tabs disallowed within this context (block indentation)"],
    );
}

#[test]
fn an_alias_bomb_ends_before_it_is_expanded() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", "));
    }
    let faults = parse("f.yml", &text).unwrap_err();
    assert!(faults[0].message.contains("once aliases are expanded"), "{}", shown(&faults));
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}x{}", "[".repeat(100), "]".repeat(100));
    assert!(parse("f.yml", &deep).unwrap_err()[0].message.contains("nested deeper than 64"));
    let by_aliases: String = (1..80).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        text + &format!("a{level}: &a{level} [*a{}]\n", level - 1)
    });
    assert!(parse("f.yml", &by_aliases).unwrap_err()[0].message.contains("nested deeper than 64"));
    let long = "x".repeat(MAX_BYTES + 1);
    assert!(parse("f.yml", &long).unwrap_err()[0].message.contains("the most is"));
}

#[test]
fn the_reader_reports_every_fault_of_a_mapping_in_one_run() {
    let text = "window: 5 minutes\ntreshold: 1%\nlimit: 1.5\ncount: many\nmode: autos\nflag: yes\nlist: 5\nname: [a]\nbig: 10d\n";
    let root = parse("f.yml", text).unwrap();
    let diagnostics = Diagnostics::default();
    let mut reader = Reader::open(&root, "the file", &diagnostics).unwrap();
    assert_eq!(reader.duration("window"), None);
    assert_eq!(reader.ratio_within("limit", 0.0..=1.0), None);
    assert_eq!(reader.integer_within("count", 1..=9), None);
    assert_eq!(reader.choice("mode", &[("auto", 1), ("observe", 2)]), None);
    assert_eq!(reader.boolean("flag"), None);
    assert_eq!(reader.list("list"), &[]);
    assert_eq!(reader.required_text("name"), None);
    assert_eq!(reader.duration_within("big", Duration::ZERO..=Duration::from_secs(3600)), None);
    assert_eq!(reader.required("action"), None);
    assert_eq!(reader.get("threshold"), None);
    reader.finish();
    expect![[r#"
        f.yml:1:1: error: `action` is missing
        f.yml:1:9: error: `window`: `5 minutes` is not a duration
          hint: durations look like 250ms, 30s, 5m, 1h, 1h30m or 2d
        f.yml:2:1: error: unknown key `treshold`
          hint: did you mean `threshold`?
        f.yml:3:8: error: `limit`: 1.5 is out of range
          hint: did you mean 1.5%?
        f.yml:4:8: error: `count`: `many` is not a whole number in range
          hint: from 1 to 9
        f.yml:5:7: error: `mode`: `autos` is not one of auto, observe
          hint: did you mean `auto`?
        f.yml:6:7: error: `flag`: `yes` is neither true nor false
          hint: write true or false
        f.yml:7:7: error: `list` must be a list, found a single value
          hint: begin each item with `- `, or write [a, b]
        f.yml:8:7: error: `name` must be a single value, found a list
        f.yml:9:6: error: `big`: 10d is out of range
          hint: from 0s to 1h"#]]
    .assert_eq(&shown(&diagnostics.into_vec()));
}

#[test]
fn durations_are_read_as_prometheus_does() {
    for (text, millis) in [
        ("0", Some(0)),
        ("250ms", Some(250)),
        ("30s", Some(30_000)),
        ("1h30m", Some(5_400_000)),
        ("2d", Some(172_800_000)),
        ("1w", Some(604_800_000)),
        ("30m1h", None),
        ("5m5m", None),
        ("5", None),
        ("", None),
        ("1.5h", None),
        ("-5m", None),
        ("5 m", None),
        ("m", None),
        ("101y", None),
        ("99999999999999999999s", None),
    ] {
        let parsed = parse_duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(parsed, millis, "{text}");
    }
}

#[test]
fn ratios_are_percentages_or_fractions() {
    for (text, ratio) in [
        ("1%", Some(0.01)),
        ("0.01", Some(0.01)),
        ("100%", Some(1.0)),
        ("99.9%", Some(0.999)),
        ("-1%", None),
        ("1 %", None),
        ("inf", None),
        ("1e-3", None),
        ("%", None),
        ("", None),
    ] {
        assert_eq!(parse_ratio(text).ok(), ratio, "{text}");
    }
}

proptest! {
    #[test]
    fn a_formatted_duration_reads_as_the_same(millis in 0_u64..4_000_000_000_000) {
        let duration = Duration::from_millis(millis % (100 * 365 * 86_400_000));
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_parsed_or_refused_without_panic(text in "[ -~\n\t&*!|>'\"\\[\\]{}:,#%-]{0,80}") {
        if let Err(faults) = parse("f.yml", &text) {
            prop_assert!(!faults.is_empty());
        }
    }
}
