use std::error::Error;

use proptest::prelude::*;
use proto::expectation::StreamFormat;
use serde_json::{Value, json};

use super::*;

pub(super) const OPTIONS: ScenarioOptions<'static> =
    ScenarioOptions::new("/v1/openai/chat/completions", "gpt-4o", &[], "sk-key");

fn load(name: &str) -> Result<Scenario, ScenarioError> {
    Scenario::load(name, &OPTIONS)
}

/// Loads a file of this name and text; the error without the folder's name.
pub(super) fn load_file(name: &str, text: &str) -> Result<Scenario, String> {
    load_file_with(&OPTIONS, name, text)
}

pub(super) fn load_file_with(
    options: &ScenarioOptions<'_>,
    name: &str,
    text: &str,
) -> Result<Scenario, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("body.bin"), b"\x00bytes").unwrap();
    Scenario::load(path.to_str().unwrap(), options).map_err(|error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}").replace(&format!("{}/", folder.path().display()), "")
    })
}

fn header<'a>(scenario: &'a Scenario, name: &str) -> Vec<&'a str> {
    let same = scenario.request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    same.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn built_in_scenarios_are_realistic_and_complete() {
    for (name, bytes, stream, tools) in [
        ("simple_chat", 250..400, false, 0),
        ("chat_with_tools", 1300..1800, false, 3),
        ("simple_chat_stream", 280..460, true, 0),
        ("chat_with_tools_stream", 1300..1900, true, 3),
    ] {
        let scenario = load(name).unwrap();
        let body: Value = serde_json::from_slice(&scenario.request.body).unwrap();
        assert!(
            bytes.contains(&scenario.request.body.len()),
            "{name}: {} bytes",
            scenario.request.body.len()
        );
        assert_eq!(body["model"], "gpt-4o");
        assert_eq!(body["tools"].as_array().map_or(0, Vec::len), tools);
        assert_eq!(body.get("stream").is_some(), stream);
        assert_eq!(scenario.expectation.is_stream(), stream);
        assert!(!scenario.expectation.is_status_only());
        assert_eq!(scenario.request.path, OPTIONS.path);
        assert_eq!(header(&scenario, "authorization"), ["Bearer sk-key"]);
        assert_eq!(header(&scenario, "content-type"), ["application/json"]);
        assert_eq!(
            header(&scenario, "accept"),
            [if stream { "text/event-stream" } else { "application/json" }]
        );
    }
    assert!(builtin::NAMES.iter().all(|name| load(name).is_ok()));
}

#[test]
fn model_and_path_are_the_users() {
    let options = ScenarioOptions { path: "/v1/chat/completions?a=b", model: "o\"1", ..OPTIONS };
    let scenario = Scenario::load("simple_chat", &options).unwrap();
    assert_eq!(scenario.request.path, "/v1/chat/completions?a=b");
    assert_eq!(serde_json::from_slice::<Value>(&scenario.request.body).unwrap()["model"], "o\"1");

    let spaced = ScenarioOptions { path: "/v1/chat completions", ..OPTIONS };
    assert_eq!(
        Scenario::load("simple_chat", &spaced).unwrap_err().to_string(),
        "the scenario `simple_chat` cannot be sent as it is: `path` holds the character ` `, which must be \
         percent-encoded; correct it there"
    );
}

#[test]
fn later_headers_take_the_place_of_earlier_ones_in_any_spelling() {
    let argument = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    let headers = [
        argument("AUTHORIZATION", "Basic x"),
        argument("x-a", "1"),
        argument("X-A", "2"),
        argument("Accept", ""),
    ];
    let scenario = Scenario::load("simple_chat", &ScenarioOptions { headers: &headers, ..OPTIONS }).unwrap();
    assert_eq!(header(&scenario, "authorization"), ["Basic x"]);
    assert_eq!(header(&scenario, "x-a"), ["2"]);
    assert!(header(&scenario, "accept").is_empty(), "a header without a value takes away");
}

#[test]
fn the_engines_own_headers_are_refused_with_the_reason() {
    for name in ["Host", "content-length", "Connection", "transfer-encoding", "Upgrade"] {
        let problem = headers::check(name, "x").unwrap_err();
        assert!(problem.contains(name) && problem.contains("the engine writes itself"), "{problem}");
    }
    assert!(headers::check("user-agent", "x").unwrap_err().contains("preflight, warm-up and load"));
    assert!(headers::check("Accept-Encoding", "gzip").unwrap_err().contains("uncompressed"));
    assert_eq!(headers::check("x-trace", "a\tb ü"), Ok(()));
    assert!(headers::check("x-trace", "a\r\nb: c").is_err());
}

#[test]
fn unknown_scenarios_get_a_suggestion() {
    let all = "built in are simple_chat, chat_with_tools, simple_chat_stream, chat_with_tools_stream; a file's name ends \
               in .toml or .json";
    assert_eq!(
        load("simple_chta").unwrap_err().to_string(),
        format!("there is no scenario `simple_chta`; did you mean `simple_chat`? {all}")
    );
    assert_eq!(load("checkout").unwrap_err().to_string(), format!("there is no scenario `checkout`; {all}"));
    assert!(load("mine.yaml").unwrap_err().to_string().ends_with(all));
}

#[test]
fn two_of_one_name_are_refused() {
    let names = ["simple_chat", "chat_with_tools", "simple_chat"].map(String::from);
    assert_eq!(
        Scenario::load_all(&names, &OPTIONS).unwrap_err().to_string(),
        "there are two scenarios named `simple_chat`; give each its own `name`, or leave one out"
    );
}

const TOML: &str = r#"
name = "embeddings | all"
path = "/v1/openai/embeddings"
headers = { x-team = "checkout", Accept = "application/json; q=1" }
body = { model = "small", input = ["a", "b"], dimensions = 8 }

[expect]
status = 201
exists = ["/data/0"]
equals = { "/object" = "list", "/n" = 1 }
finish_reason = "stop"
stream = true
"#;

const JSON: &str = r#"{
  "name": "embeddings | all",
  "path": "/v1/openai/embeddings",
  "headers": { "x-team": "checkout", "Accept": "application/json; q=1" },
  "body": { "model": "small", "input": ["a", "b"], "dimensions": 8 },
  "expect": {
    "status": 201, "exists": ["/data/0"], "equals": { "/object": "list", "/n": 1 },
    "finish_reason": "stop", "stream": true
  }
}"#;

#[test]
fn toml_and_json_say_the_same() {
    let (from_toml, from_json) = (load_file("a.toml", TOML).unwrap(), load_file("a.json", JSON).unwrap());
    for scenario in [&from_toml, &from_json] {
        assert_eq!(scenario.name, "embeddings | all");
        assert_eq!(scenario.request.method, "POST");
        assert_eq!(scenario.request.path, "/v1/openai/embeddings");
        assert_eq!(header(scenario, "x-team"), ["checkout"]);
        assert_eq!(header(scenario, "accept"), ["application/json; q=1"]);
        let body: Value = serde_json::from_slice(&scenario.request.body).unwrap();
        assert_eq!(body, json!({ "model": "small", "input": ["a", "b"], "dimensions": 8 }));
    }
    assert_eq!(from_toml.expectation, from_json.expectation);
    let expected = |pointer: &str, equals: Option<&str>| proto::expectation::JsonExpectation {
        pointer: pointer.into(),
        equals: equals.map(String::from),
    };
    assert_eq!(
        from_toml.expectation.json,
        [expected("/data/0", None), expected("/n", Some("1")), expected("/object", Some("\"list\""))]
    );
    assert_eq!(
        (from_toml.expectation.status, from_toml.expectation.stream),
        (Some(201), Some(StreamFormat::OpenAiChat))
    );
}

#[test]
fn what_a_file_leaves_out_has_defaults() {
    let scenario = load_file("health.toml", "method = 'GET'").unwrap();
    assert_eq!((scenario.name.as_str(), scenario.request.method.as_str()), ("health", "GET"));
    assert_eq!(scenario.request.path, OPTIONS.path);
    assert!(scenario.request.body.is_empty() && header(&scenario, "content-type").is_empty());
    assert!(scenario.expectation.is_status_only());
}

#[test]
fn streams_are_of_a_format_by_its_name() {
    let stream = |value: &str| load_file("a.toml", &format!("[expect]\nstream = {value}"));
    for format in StreamFormat::ALL {
        let scenario = stream(&format!("'{}'", format.name())).unwrap();
        assert_eq!(scenario.expectation.stream, Some(format));
        assert_eq!(header(&scenario, "accept"), ["text/event-stream"]);
    }
    assert_eq!(stream("true").unwrap().expectation.stream, Some(StreamFormat::OpenAiChat));
    assert_eq!(stream("false").unwrap().expectation.stream, None);
    let names = "true, false or one of openai-chat, openai-responses, anthropic, gemini";
    for value in ["'claude'", "1", "''", "['gemini']"] {
        let error = stream(value).unwrap_err();
        assert!(error.starts_with(&format!("a.toml, line 2: `stream` must be {names}; ")), "{error}");
    }
    let error = stream("'gemini'\nfinish_reason = 'STOP'").unwrap_err();
    assert!(error.contains("`expect.finish_reason` is of chat completions alone; name "), "{error}");
}

#[test]
fn bodies_come_as_text_tables_or_files() {
    assert_eq!(load_file("a.toml", "body = 'as it is'").unwrap().request.body, b"as it is");
    assert_eq!(load_file("a.json", r#"{ "body": [1] }"#).unwrap().request.body, b"[1]");
    for (name, text) in
        [("a.toml", "\u{feff}body = { n = 1 }"), ("a.json", "\u{feff}{ \"body\": { \"n\": 1 } }")]
    {
        assert_eq!(
            load_file(name, text).unwrap().request.body,
            br#"{"n":1}"#,
            "a byte order mark before {name}"
        );
    }
    assert_eq!(load_file("a.toml", "body_file = 'body.bin'").unwrap().request.body, b"\x00bytes");
}

#[test]
fn bad_files_are_told_by_file_and_line() {
    for (name, text, sentence) in [
        ("a.toml", "path = '/x'\n\nbdoy = 'x'\n", "a.toml, line 3: unknown field `bdoy`, expected one of"),
        ("a.json", "{\n  \"bdoy\": 1\n}", "a.json, line 2: unknown field `bdoy`, expected one of"),
        ("a.toml", "[expect]\nstatsu = 200", "a.toml, line 2: unknown field `statsu`, expected one of"),
        (
            "a.toml",
            "\npath = 5",
            "a.toml, line 2: invalid type: integer `5`, expected a string; docs/scenarios.md",
        ),
        (
            "a.toml",
            "name = 'x'\nbody = 5",
            "a.toml, line 2: `body` must be text, a table or a list; docs/scenarios.md",
        ),
        (
            "a.json",
            "{\n\"body\": 5}",
            "a.json, line 2: `body` must be text, a table or a list; docs/scenarios.md",
        ),
        ("a.json", "{\n\"name\": }", "a.json, line 2: expected value; docs/scenarios.md"),
        ("a.toml", "name = \n", "a.toml, line 1: "),
        (
            "a.toml",
            "[expect]\nstatus = 70000",
            "a.toml, line 2: invalid value: integer `70000`, expected u16",
        ),
        (
            "a.toml",
            "\n[body]\na = { at = 2026-11-24 }",
            "a.toml, line 3: `at` is a date or a time, which JSON does not have; put it in quotes; docs/scenarios.md",
        ),
        ("a.toml", "[body]\nx = [1.5, nan]", "a.toml, line 2: `x` is NaN, which JSON does not have; put it"),
        ("a.toml", "body = [-inf]", "a.toml, line 1: `body` is -inf, which JSON does not have; put it in"),
        ("a.toml", "body = 07:32:00", "a.toml, line 1: `body` is a date or a time, which JSON does not have"),
        (
            "a.toml",
            "[expect.equals]\n'/a' = 1\n'/b' = 1979-05-27T07:32:00Z",
            "a.toml, line 3: `/b` is a date or a time, which JSON does not have; put it in quotes; docs/scenarios.md",
        ),
        ("a.toml", "[expect]\nequals = 5", "a.toml, line 2: `equals` must be a table of JSON pointers"),
        (
            "a.toml",
            "expect = { finish_reason = '' }",
            "the scenario `a.toml` cannot be sent as it is: `expect.finish_reason` is empty",
        ),
        (
            "a.toml",
            "body = ''\nbody_file = 'b'",
            "the scenario `a.toml` has both `body` and `body_file`; leave one out",
        ),
        ("a.toml", "body_file = 'gone'", "failed to read the body file gone (check the path"),
        (
            "a.toml",
            "name = \"a\\nb\"",
            "the scenario `a.toml` has a `name` that is empty or holds a control character",
        ),
        (
            "a.toml",
            "name = 'k=v, long'",
            "the scenario `a.toml` has a name that holds a comma, or begins or ends with a space, so that no threshold",
        ),
        (
            "a.toml",
            "name = ' a'",
            "the scenario `a.toml` has a name that holds a comma, or begins or ends with",
        ),
        (
            "a,b.toml",
            "",
            "the scenario `a,b.toml` has a name that holds a comma, or begins or ends with a space",
        ),
        (
            "a.toml",
            "headers = { Host = 'x' }",
            "the scenario `a.toml` must not set `Host`, which the engine writes",
        ),
        (
            "a.toml",
            "path = 'v1'",
            "the scenario `a.toml` cannot be sent as it is: `path` does not start with /",
        ),
        (
            "a.toml",
            "method = 'P T'",
            "the scenario `a.toml` cannot be sent as it is: `method` `P T` is no HTTP method",
        ),
        (
            "a.toml",
            "expect = { status = 404 }",
            "the scenario `a.toml` cannot be sent as it is: `expect.status` is 404; only a 2xx answer can be a success",
        ),
        (
            "a.toml",
            "expect = { exists = ['a'] }",
            "the scenario `a.toml` cannot be sent as it is: a JSON pointer",
        ),
    ] {
        let error = load_file(name, text).unwrap_err();
        assert!(error.starts_with(sentence), "{text:?}\n  gives  {error}\n  not    {sentence}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_missing_file_is_named_with_its_cause() {
    let error = load("/nowhere/a.toml").unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to read the scenario file /nowhere/a.toml (check the path and that this user may read it)"
    );
    assert!(error.source().is_some());
    assert!(
        matches!(error, ScenarioError::Unreadable { path, .. } if path.to_str() == Some("/nowhere/a.toml"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_a_file_panic_or_its_error_longer_than_a_line(
        text in "([a-z_]{1,8} = )?[\\[\\]{}\"'=:,\n a-z0-9]{0,40}", json in any::<bool>(),
    ) {
        if let Err(error) = load_file(if json { "a.json" } else { "a.toml" }, &text) {
            prop_assert!(!error.contains('\n'), "{}", error);
        }
    }
}
