use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Expect) {
    let shown = match parse_matchers(text) {
        Ok(matchers) => canonical(&matchers),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_classic_reading_wins_wherever_it_accepts_the_text() {
    check(r#"{a="b", c=~"d.*"}"#, expect![[r#"{a="b",c=~"d.*"}"#]]);
    check("foo=", expect![[r#"{foo=""}"#]]);
    check("a = b ,", expect![[r#"{a="b"}"#]]);
    // Only \" \n \\ are escapes; any other backslash stays.
    check(r#"a="\d+\.\"\\""#, expect![[r#"{a="\\d+\\.\"\\"}"#]]);
    // A brace alone is dropped, so this pattern is not what it says.
    check("code=~[0-9]{3}", expect![[r#"{code=~"[0-9]{3"}"#]]);
    check("", expect!["{}"]);
}

#[test]
fn what_only_the_utf8_grammar_knows_is_read_by_it() {
    check(r#""foo bar"="Σ""#, expect![[r#"{"foo bar"="Σ"}"#]]);
    check(r#"{"a.b"=~"\\d",}"#, expect![[r#"{"a.b"=~"\\d"}"#]]);
    check(r#"ü="\x41\u00e4\101""#, expect![[r#"{"ü"="AäA"}"#]]);
}

#[test]
fn what_neither_grammar_accepts_is_refused_with_the_classic_complaint() {
    check("=x", expect!["error: bad matcher `=x`: expected a label name, one of = != =~ !~, and a value"]);
    check(
        r#"a="b"c""#,
        expect![[r#"error: bad matcher `a="b"c"`: the value holds an unescaped double quote"#]],
    );
    check(
        "a=b,,c=d",
        expect!["error: bad matcher ``: expected a label name, one of = != =~ !~, and a value"],
    );
    check("a=~(", expect!["error: bad regular expression `(`: error: unclosed group"]);
    check(
        r#""é"="b"#,
        expect![[r#"error: bad matcher `"é"="b`: expected a label name, one of = != =~ !~, and a value"#]],
    );
}

#[test]
fn a_single_matcher_is_one_and_has_no_braces() {
    assert_eq!(Matcher::parse("a=b").unwrap().to_string(), r#"a="b""#);
    assert_eq!(Matcher::parse("{a=b}"), Err(MatcherError::Brace("{a=b}".into())));
    assert_eq!(Matcher::parse("a=b,c=d"), Err(MatcherError::Count(2)));
    assert_eq!(Matcher::parse(""), Err(MatcherError::Count(0)));
}

#[test]
fn older_forms_need_classic_names_and_show_their_anchors() {
    assert_eq!(
        Matcher::from_match_re("owner", "team-(B|C)").unwrap().to_string(),
        r#"owner=~"^(?:team-(B|C))$""#
    );
    assert_eq!(Matcher::from_match("a.b", "x"), Err(MatcherError::Name("a.b".into())));
}

#[test]
fn a_missing_label_is_the_empty_value() {
    let labels = Labels::from_pairs([("a", "1")]);
    for (text, expected, why) in [
        (r#"foo!="x""#, true, "no foo is not x"),
        (r#"foo=~".*""#, true, "anything includes nothing"),
        (r#"foo=~".+""#, false, "something does not"),
        (r#"foo="""#, true, "no foo is an empty foo"),
        (r#"a!~"1|2""#, false, "the alternation is anchored as a whole"),
        (r#"a=~"1|2x""#, true, "and each branch on both sides"),
    ] {
        assert_eq!(Matcher::parse(text).unwrap().matches(&labels), expected, "{text}: {why}");
    }
}

#[test]
fn regular_expressions_mean_what_go_means() {
    for (pattern, value, expected, why) in [
        (r"\d+", "12", true, "ASCII digits are digits"),
        (r"\d+", "١٢", false, "Arabic-Indic digits are not"),
        (r"\w+", "straße", false, "word characters are ASCII"),
        (r"\W+", "ß", true, "and their complement is everything else"),
        (r"a\sb", "a\u{0b}b", false, "a vertical tab is no space in Go"),
        (r"[\d\-x]+", "1-x", true, "a class keeps its escapes"),
        (r"[^\s]+", "a b", false, "a negated class too"),
        (r"[a&&b]+", "a&b", true, "no intersections in Go"),
        (r"[[]", "[", true, "no nested classes"),
        (r"[[:alpha:]-]+", "ab-c", true, "but named ones, and a dash at the end"),
        (r"[]a]+", "a]", true, "a bracket that comes first stands for itself"),
        (r"\Qa.b\E.", "a.bx", true, "quoted runs are literal"),
        (r"\Qa.b\E.", "axbx", false, "to their end"),
        (r"\x41\101\<", "AA<", true, "hexadecimal, octal, escaped punctuation"),
        (r"a{,5}", "a{,5}", true, "a brace that repeats nothing is a literal"),
        (r"a{2}", "aa", true, "one that does repeats"),
        (r"(?i)CRIT", "crit", true, "flags"),
        (r"a.b", "a\nb", false, "a dot is not a line break"),
        (r"crit", "critical", false, "anchored at the end"),
        (r"crit$", "crit\n", false, "the end is the end of the text"),
        (r"foo\b.*", "foo-bar", true, "word boundaries"),
        (r"fo\Bo", "foo", true, "and their absence"),
    ] {
        let matcher = Matcher::try_new("a", MatchOp::Regex, pattern).unwrap();
        assert_eq!(matcher.matches_value(value), expected, "{pattern} on {value:?}: {why}");
    }
    for pattern in [r"a)(b", r"\1", r"(?x)a", r"a{1001}", r"\y", r"(?=a)", r"[a", r"a\", r"\C"] {
        assert!(Matcher::try_new("a", MatchOp::Regex, pattern).is_err(), "{pattern} is not RE2");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in r#"[a-c{}=!~,"\\\[\]()?:Q E&0-9\-x^|é ]{0,24}"#) {
        let _outcome = parse_matchers(&text);
        let _outcome = Matcher::try_new("a", MatchOp::Regex, text);
    }

    #[test]
    fn what_a_matcher_shows_is_read_back_as_the_same_matcher(name in "[a-z_][a-z0-9_]{0,5}", value in ".{0,12}") {
        let matcher = Matcher::try_new(name, MatchOp::NotEqual, value).unwrap();
        let shown = matcher.to_string();
        prop_assert_eq!(parse_matchers(&shown), Ok(vec![matcher]));
    }

    #[test]
    fn a_quoted_run_matches_exactly_itself(value in "[^\\\\]{0,12}") {
        let matcher = Matcher::try_new("a", MatchOp::Regex, format!(r"\Q{value}\E")).unwrap();
        prop_assert!(matcher.matches_value(&value));
        let longer = format!("{value}x");
        prop_assert!(!matcher.matches_value(&longer));
    }
}
