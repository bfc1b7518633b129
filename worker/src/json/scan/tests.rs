//! What a scan finds is what a parsed text holds, however the text is cut.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::json::{Expected, Pattern};
use crate::pieces::cut;

/// What was met and what was seen, by the number of the pattern.
type Found = Result<(Vec<bool>, Vec<bool>), NotJson>;

fn scan(patterns: &[Pattern], pieces: &[&[u8]]) -> Found {
    let (pointers, mut scan) = (Pointers::new(patterns), Scan::default());
    scan.begin(&pointers, Wants::NONE);
    for piece in pieces {
        scan.feed(&pointers, piece);
    }
    scan.finish(&pointers)?;
    let list = |wants: Wants| {
        (0..patterns.len()).map(|want| wants.contains(Wants::only(want as u8))).collect::<Vec<_>>()
    };
    Ok((list(scan.met()), list(scan.seen())))
}

/// The same for the whole, for every cut in two, and byte by byte.
fn scan_at_every_cut(patterns: &[Pattern], text: &str) -> Found {
    let bytes = text.as_bytes();
    let whole = scan(patterns, &[bytes]);
    for cut in 0..=bytes.len() {
        let (before, after) = bytes.split_at(cut);
        assert_eq!(scan(patterns, &[before, after]), whole, "{text} cut at {cut}");
    }
    assert_eq!(scan(patterns, &bytes.chunks(1).collect::<Vec<_>>()), whole, "{text} by bytes");
    whole
}

fn is_met(pointer: &str, test: Test, text: &str) -> bool {
    scan_at_every_cut(&[Pattern::at(pointer, test, 0)], text).unwrap().0[0]
}

fn equals(text: &str) -> Test {
    Test::Equals(Expected::new(text).unwrap())
}

/// Nothing that any text has, so that the whole of it is read.
fn never() -> Pattern {
    Pattern::at("/never/there", Test::Exists, 31)
}

#[test]
fn values_are_found_by_keys_and_indexes() {
    let text = r#" {"a": [10, {"b": "x"}, []], "": null, "0": true, "m~n/o": -1.5e3, "ü\"": {"a": {}}} "#;
    for (pointer, value) in [
        ("/a", r#"[1e1,{"b":"x"},[]]"#),
        ("/a/0", "10"),
        ("/a/1/b", "\"x\""),
        ("/a/2", "[]"),
        ("/", "null"),
        ("/0", "true"),
        ("/m~0n~1o", "-1500"),
        ("/ü\"", r#"{"a":{}}"#),
        ("/ü\"/a", "{}"),
    ] {
        assert!(is_met(pointer, Test::Exists, text), "{pointer}");
        assert!(is_met(pointer, equals(value), text), "{pointer} {value}");
        assert!(!is_met(pointer, equals("[\"another\"]"), text), "{pointer}");
    }
    for missing in ["/b", "/a/3", "/a/00", "/a/-", "/a/1/b/c", "/a/b", "/00", "/never/there", "/a/0/0"] {
        assert!(!is_met(missing, Test::Exists, text), "{missing}");
    }
    assert!(is_met("", Test::Exists, "7"));
    assert!(is_met("", equals("7"), " 7.0 "));
    assert!(is_met("", equals("7"), "7"));
}

#[test]
fn tests_look_at_the_kind_and_at_emptiness() {
    for (value, not_null, text, array) in [
        ("null", false, false, false),
        ("0", true, false, false),
        ("\"\"", true, false, false),
        ("\"x\"", true, true, false),
        ("\"\\\"\"", true, true, false),
        ("[]", true, false, false),
        ("[ ]", true, false, false),
        ("[null]", true, false, true),
        ("[[]]", true, false, true),
        ("{}", true, false, false),
        ("{\"a\":\"x\"}", true, false, false),
    ] {
        let document = format!("{{\"v\":{value}}}");
        assert_eq!(is_met("/v", Test::NotNull, &document), not_null, "{value}");
        assert_eq!(is_met("/v", Test::NonEmptyString, &document), text, "{value}");
        assert_eq!(is_met("/v", Test::NonEmptyArray, &document), array, "{value}");
    }
}

#[test]
fn counts_are_kept_at_any_cut() {
    let pointers = Pointers::new(&[
        Pattern::at("/n", Test::Count(0), 0),
        Pattern::at("/o/n", Test::Count(1), 1),
        Pattern::at("/o/n", equals("12"), 2),
    ]);
    let mut scan = Scan::default();
    for (text, counts) in [
        (r#"{"n":7,"o":{"n":12},"n":8}"#, [Some(7), Some(12)]),
        (r#"{ "n" : 4294967295 , "o" : { "m" : 1 } }"#, [Some(u32::MAX), None]),
        (r#"{"n":4294967296,"o":{"n":1e1}}"#, [None, None]),
        (r#"{"n":null,"o":{"n":"12"}}"#, [None, None]),
        (r#"{"o":null,"n":0}"#, [Some(0), None]),
    ] {
        for piece in 1..=text.len() {
            scan.begin(&pointers, Wants::NONE);
            text.as_bytes().chunks(piece).for_each(|piece| scan.feed(&pointers, piece));
            assert_eq!(scan.finish(&pointers), Ok(()), "{text}");
            assert_eq!([scan.count(0), scan.count(1)], counts, "{text} by {piece}");
        }
    }
}

#[test]
fn any_element_will_do_beside_a_certain_one() {
    let patterns = [
        Pattern::any("/c/*/t", Test::NonEmptyString, 0),
        Pattern::at("/c/0/t", Test::NonEmptyString, 1),
        Pattern::at("/c/1/t", Test::NonEmptyString, 2),
    ];
    let met = |text: &str| scan_at_every_cut(&patterns, text).unwrap().0;
    assert_eq!(met(r#"{"c":[{"t":"x"},{"t":""}]}"#), [true, true, false]);
    assert_eq!(met(r#"{"c":[{"t":""},{"t":"x"}]}"#), [true, false, true]);
    assert_eq!(met(r#"{"c":[{"t":""},{"t":""},{"t":"x"}]}"#), [true, false, false]);
    assert_eq!(met(r#"{"c":{"0":{"t":"x"}}}"#), [false, true, false]);
    assert_eq!(met(r#"{"c":[]}"#), [false, false, false]);
}

#[test]
fn keys_may_be_escaped_and_the_first_of_two_counts() {
    assert!(is_met("/a/ü", equals("1"), r#"{"\u0061":{"\u00fC":1}}"#));
    assert!(is_met("/\u{1f600}", Test::Exists, r#"{"\ud83d\ude00":1}"#));
    assert!(!is_met("/a\\nb", Test::Exists, r#"{"a\nb":1}"#));
    assert!(!is_met("/a", Test::Exists, &format!("{{\"a{}\":1}}", "a".repeat(100))));
    assert!(is_met("/a", equals("1"), r#"{"a":1,"a":2}"#));
    assert!(!is_met("/a", equals("2"), r#"{"a":1,"a":2}"#));
}

#[test]
fn what_is_not_json_is_refused_as_long_as_something_is_looked_for() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\"}",
        "{\"a\":}",
        "{,}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[1]]",
        "1 2",
        "{} {}",
        "tru",
        "trux",
        "nulll",
        "nUll",
        "01",
        "-",
        "1.",
        "1.e1",
        "1e",
        "+1",
        ".5",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "'a'",
        "<html>",
        "\u{feff}{}",
        "[\"a\":1]",
        "{\"a\" 1}",
        ":",
        ",",
    ] {
        assert_eq!(scan_at_every_cut(&[never()], text), Err(NotJson), "{text:?}");
    }
    let cut_number = scan_at_every_cut(&[Pattern::at("/0", Test::Exists, 0)], "[1");
    assert_eq!(cut_number, Err(NotJson), "more digits may have been lost");
    for text in ["{}", "[]", "0", "\"\"", " null ", "[[],{}]", "{\"a\":{\"a\":[0,-0.0,1E+2]}}", "true"] {
        assert!(scan_at_every_cut(&[never()], text).is_ok(), "{text:?}");
    }
}

#[test]
fn nothing_is_read_once_all_is_known() {
    let patterns = [Pattern::at("/a", Test::Exists, 0), Pattern::at("/b", equals("1"), 1)];
    assert_eq!(
        scan_at_every_cut(&patterns, r#"{"a":0,"b":2 and then nonsense"#),
        Ok((vec![true, false], vec![true, true]))
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(scan(&[never()], &[nested(MAX_DEPTH).as_bytes()]).is_ok());
    assert_eq!(scan(&[never()], &[nested(MAX_DEPTH + 1).as_bytes()]), Err(NotJson));
    assert_eq!(scan(&[never()], &["[{\"a\":".repeat(100_000).as_bytes()]), Err(NotJson));

    let far = Pattern::at(&"/0".repeat(100_000), Test::Exists, 0);
    assert_eq!(scan(&[far], &[nested(MAX_DEPTH).as_bytes()]), Ok((vec![false], vec![false])));
    assert!(is_met(&"/0".repeat(40), Test::Exists, &nested(41)));
}

#[test]
fn a_value_that_is_longer_than_it_could_be_differs_at_any_cut() {
    let padded = |blanks: usize| format!("{{\"v\":[1,{}2]}}", " ".repeat(blanks));
    for (text, equal) in [(padded(4000), true), (padded(5000), false)] {
        for piece in [1, 1000, text.len()] {
            let pieces: Vec<_> = text.as_bytes().chunks(piece).collect();
            let found = scan(&[Pattern::at("/v", equals("[1,2]"), 0)], &pieces).unwrap();
            assert_eq!(found, (vec![equal], vec![true]), "by {piece}");
        }
    }
}

/// A few keys, so that pointers often lead somewhere.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "0", "1", "", "a/b", "m~n", "ü", "q\"\\", "\u{1f600}", "\n"])
        .prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|number: f64| json!(number)),
        "[a-z\"\\\\\n\u{e9}\u{1f600}]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    prop::collection::vec(key(), 0..4).prop_map(|tokens| {
        tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect()
    })
}

/// Every character that is not plain ASCII as `\u` escapes.
fn escaped(text: &str) -> String {
    let unit = |unit: u16| format!("\\u{unit:04X}");
    text.chars()
        .map(|letter| match letter {
            ' '..='~' => letter.to_string(),
            _ => letter.encode_utf16(&mut [0; 2]).iter().copied().map(unit).collect(),
        })
        .collect()
}

proptest! {
    #[test]
    fn a_scan_finds_what_serde_json_finds(
        document in document(),
        pointers in prop::collection::vec(pointer(), 1..6),
        sizes in prop::collection::vec(1usize..30, 1..8),
        pretty in any::<bool>(),
        escape in any::<bool>(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let text = if escape { escaped(&text.unwrap()).replace("\\u000A", "\n") } else { text.unwrap() };

        let mut patterns = Vec::new();
        let (mut met, mut seen) = (Vec::new(), Vec::new());
        for pointer in &pointers {
            let value = document.pointer(pointer);
            let same = value.cloned().unwrap_or_default().to_string();
            let string = value.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()));
            let array = value.is_some_and(|value| value.as_array().is_some_and(|array| !array.is_empty()));
            for (test, expected) in [
                (Test::Exists, value.is_some()),
                (Test::NotNull, value.is_some_and(|value| !value.is_null())),
                (Test::NonEmptyString, string),
                (Test::NonEmptyArray, array),
                (equals(&same), value.is_some()),
                (equals("\"another\""), false),
            ] {
                patterns.push(Pattern::at(pointer, test, patterns.len() as u8));
                met.push(expected);
                seen.push(value.is_some());
            }
        }
        prop_assert_eq!(scan(&patterns, &cut(text.as_bytes(), &sizes)), Ok((met, seen)), "{}", text);
    }

    #[test]
    fn broken_texts_are_refused_as_serde_json_refuses_them_at_any_cut(
        document in document(),
        change in (any::<prop::sample::Index>(), prop::sample::select(b"{}[],:\"\\0e-.tn a".to_vec())),
        length in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1usize..30, 1..8),
    ) {
        let mut text = document.to_string().into_bytes();
        let at = change.0.index(text.len());
        text[at] = change.1;
        text.truncate(length.index(text.len()) + 1);

        let found = scan(&[never()], &[&text]);
        prop_assert_eq!(&found, &scan(&[never()], &cut(&text, &sizes)));
        // What it lets through: half a UTF-8 character, half a surrogate pair. Numbers too large for an f64 are JSON.
        if serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok() {
            prop_assert!(found.is_ok());
        } else if text.is_ascii() {
            prop_assert_eq!(found, Err(NotJson), "{}", String::from_utf8_lossy(&text));
        }
    }

    /// Most of a text is passed over by another way than that which goes from state to state, byte by byte.
    #[test]
    fn the_short_way_finds_what_the_long_way_finds(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{\"", "\"", ":", ",", "\"a\":", "\"a\":\"", "\",\"b\":", ",\"0\":[{\"a\":", "\"abcdefg\":", "\"abcdefgh\":", "\"abcdefghi\":{\"", "0", "00", "-0",
                "7", "12345678", "1234567890123", "1.5", "1e3", "2.", "null", "nul", "true", "false,\"", "[{\"", "[", "}", "]", "}],\"", "\\\"", "\\x", "\\u00e9", "\\", " ", "é",
                "12345678901234567890123456789012345678901234567890", "\0",
            ]),
            0..24,
        ),
        sizes in prop::collection::vec(1usize..30, 1..8),
    ) {
        let text = ["{\"", &parts.concat()].concat();
        let tests = [Test::NonEmptyString, Test::NotNull, Test::NonEmptyArray, equals("7")];
        let pointers = ["/a", "/0", "/0/0/a", "/b", "/abcdefg", "/abcdefgh", "/abcdefghi/a"];
        let patterns: Vec<_> = (0..).zip(pointers).zip(tests.iter().cycle())
            .map(|((want, pointer), test)| Pattern::at(pointer, test.clone(), want)).chain([never()]).collect();
        let long = scan(&patterns, &text.as_bytes().chunks(1).collect::<Vec<_>>());
        prop_assert_eq!(&scan(&patterns, &[text.as_bytes()]), &long, "{}", text);
        prop_assert_eq!(&scan(&patterns, &cut(text.as_bytes(), &sizes)), &long, "{}", text);
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        sizes in prop::collection::vec(1usize..30, 1..8),
        pointer in pointer(),
    ) {
        let patterns = [Pattern::at(&pointer, equals("1"), 0)];
        prop_assert_eq!(scan(&patterns, &[&bytes]), scan(&patterns, &cut(&bytes, &sizes)));
    }
}
