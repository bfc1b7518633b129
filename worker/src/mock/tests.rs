//! The mock over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::pace;
use super::{Behaviour, MockArgs, run};
use crate::clock::{Clock, Nanos};
use crate::request::{Purpose, user_agent};

const CHAT: &str = "/v1/chat/completions";

struct Mock {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Mock {
    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(run(listener, behaviour, async move { drop(ended.await) }));
        Self { address, end, served }
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body).await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.exchange(&request).await
    }

    async fn exchange(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::parse(&String::from_utf8(answer).unwrap())
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let chunked = head.contains("transfer-encoding: chunked");
        let body = if chunked { joined_chunks(body) } else { body.to_owned() };
        Self { status: head[9..12].parse().unwrap(), head, body }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The events' JSON, after checking that the stream ends as it must.
    fn events(&self) -> Vec<Value> {
        assert!(self.head.contains("content-type: text/event-stream"), "{}", self.head);
        let events = self.body.strip_suffix("data: [DONE]\n\n").unwrap();
        let events = events.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
        events.map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

fn joined_chunks(mut chunked: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = chunked.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        chunked = rest[size..].strip_prefix("\r\n").unwrap();
    }
}

fn request(more: &[(&str, Value)]) -> String {
    let mut request = json!({"model": "gpt-\"4o\"", "messages": [{"role": "user", "content": "Hello"}]});
    for (key, value) in more {
        request[key] = value.clone();
    }
    request.to_string()
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}])
}

#[tokio::test]
async fn a_plain_answer_is_a_chat_completion() {
    let mock = Mock::start(Behaviour::default()).await;
    for path in [CHAT, "/v1/openai/chat/completions", "/v1/chat/completions?api-version=1"] {
        let answer = mock.post(path, &request(&[])).await;
        let completion = answer.json();
        assert_eq!(answer.status, 200);
        assert_eq!(completion["object"], "chat.completion");
        assert_eq!(completion["model"], "gpt-\"4o\"");
        assert_eq!(completion["choices"][0]["finish_reason"], "stop");
        assert!(completion["choices"][0]["message"]["content"].as_str().unwrap().starts_with("This answer"));
        assert_eq!(completion["usage"]["total_tokens"], 17);
        assert!((550..650).contains(&answer.body.len()), "{} bytes", answer.body.len());
    }
}

#[tokio::test]
async fn no_two_completions_share_an_id() {
    let mock = Mock::start(Behaviour::default()).await;
    let first = mock.post(CHAT, &request(&[])).await.json();
    let second = mock.post(CHAT, &request(&[])).await.json();
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn tools_that_are_offered_are_called() {
    let mock = Mock::start(Behaviour::default()).await;
    let choice = mock.post(CHAT, &request(&[("tools", tools())])).await.json()["choices"][0].take();
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["query"].is_string());

    let choice = mock.post(CHAT, &request(&[("tools", json!([]))])).await.json()["choices"][0].take();
    assert_eq!(choice["finish_reason"], "stop");
}

#[tokio::test]
async fn tool_calls_can_be_forced() {
    let mock = Mock::start(Behaviour { tool_calls: true, ..Behaviour::default() }).await;
    let choice = mock.post(CHAT, &request(&[])).await.json()["choices"][0].take();
    assert_eq!(choice["message"]["tool_calls"][0]["type"], "function");
}

#[tokio::test]
async fn a_stream_has_a_role_its_chunks_an_end_and_the_usage() {
    for interval in [Duration::ZERO, Duration::from_millis(1)] {
        let mock =
            Mock::start(Behaviour { chunks: 100, chunk_interval: interval, ..Behaviour::default() }).await;
        let options = json!({"include_usage": true});
        let body = request(&[("stream", json!(true)), ("stream_options", options)]);
        let events = mock.post(CHAT, &body).await.events();

        assert_eq!(events.len(), 1 + 100 + 1 + 1);
        assert_eq!(events[0]["object"], "chat.completion.chunk");
        assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(events[0]["choices"][0]["delta"]["content"], "");
        let content =
            events[1..101].iter().map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap());
        assert!(content.collect::<String>().starts_with("This answer comes from a mock"));
        assert_eq!(events[101]["choices"][0]["finish_reason"], "stop");
        assert_eq!(events[101]["usage"], Value::Null);
        assert_eq!(events[102]["choices"], json!([]));
        assert_eq!(events[102]["usage"]["completion_tokens"], 100);
    }
}

#[tokio::test]
async fn the_usage_is_not_streamed_unasked() {
    let mock = Mock::start(Behaviour { chunks: 0, ..Behaviour::default() }).await;
    let events = mock.post(CHAT, &request(&[("stream", json!(true))])).await.events();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn a_streamed_tool_call_adds_up_to_json() {
    let mock = Mock::start(Behaviour { chunks: 5, ..Behaviour::default() }).await;
    let events = mock.post(CHAT, &request(&[("stream", json!(true)), ("tools", tools())])).await.events();
    let calls: Vec<_> =
        events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]["function"]).collect();
    assert_eq!(calls[0]["name"], "get_weather");
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    let arguments: Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(arguments["query"], "This answer comes from a");
    assert_eq!(events[6]["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn nonsense_is_refused_as_openai_refuses_it() {
    let mock = Mock::start(Behaviour::default()).await;
    for body in ["", "{", "[]", r#"{"model":"m"}"#, r#"{"messages":"hello"}"#, r#"{"messages":null}"#] {
        let answer = mock.post(CHAT, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    let missing = mock.post(CHAT, r#"{"model":"m"}"#).await.json();
    assert!(missing["error"]["message"].as_str().unwrap().contains("messages"), "{missing}");
}

#[tokio::test]
async fn only_what_is_there_is_served() {
    let mock = Mock::start(Behaviour::default()).await;
    let health = mock.send("GET", "/health", "").await;
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));

    let nowhere = mock.post("/v1/embeddings", "{}").await;
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.json()["error"]["message"].as_str().unwrap().contains("/v1/embeddings"));

    let get = mock.send("GET", CHAT, "").await;
    assert_eq!(get.status, 405);
    assert!(get.head.contains("allow: post"), "{}", get.head);
    assert!(get.json()["error"]["message"].is_string());
}

#[tokio::test]
async fn what_was_asked_for_and_how_long_it_took_can_be_asked_for() {
    let latency = Duration::from_millis(5);
    let mock = Mock::start(Behaviour { latency, ..Behaviour::default() }).await;
    let witness = || async { mock.send("GET", "/archestra-bench/witness", "").await.json() };
    assert_eq!(
        witness().await.to_string(),
        r#"{"object":"archestra-bench.witness","requests":0,"of_load":0,"answered":0,"service_time_ns":0}"#
    );
    mock.post(CHAT, &request(&[])).await;
    mock.post("/v1/openai/chat/completions", &request(&[("stream", json!(true))])).await;
    mock.post(CHAT, "no chat").await;
    mock.send("GET", "/health", "").await;
    let body = request(&[]);
    for purpose in [Purpose::WarmUp, Purpose::Load] {
        let (agent, length) = (user_agent(purpose), body.len());
        let head = format!("user-agent: {agent}\r\nconnection: close\r\ncontent-length: {length}");
        mock.exchange(&format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{body}")).await;
    }

    let said = witness().await;
    assert_eq!((&said["requests"], &said["of_load"], &said["answered"]), (&json!(5), &json!(1), &json!(5)));
    // What is refused waits for nothing.
    assert!(said["service_time_ns"].as_u64().unwrap() >= Nanos::from(4 * latency).0, "{said}");
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_asked_for_and_not_answered() {
    let mock = Mock::start(Behaviour { latency: Duration::from_secs(600), ..Behaviour::default() }).await;
    let body = request(&[]);
    let mut stream = TcpStream::connect(mock.address).await.unwrap();
    let request = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let witness = || async { mock.send("GET", "/archestra-bench/witness", "").await.json() };
    let waited = async {
        while witness().await["requests"] == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.unwrap();
    drop(stream);
    assert_eq!(witness().await["answered"], 0);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_not_read() {
    let mock = Mock::start(Behaviour::default()).await;
    let announced = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 16777217\r\n\r\n{";
    assert_eq!(mock.exchange(announced).await.status, 413);

    let largest = request(&[("padding", json!("x".repeat(16 * 1024 * 1024 - 200)))]);
    assert_eq!(mock.post(CHAT, &largest).await.status, 200);
}

#[tokio::test]
async fn no_answer_comes_before_its_latency() {
    let latency = Duration::from_micros(20_500);
    let interval = Duration::from_millis(3);
    let mock =
        Mock::start(Behaviour { latency, chunk_interval: interval, chunks: 6, ..Behaviour::default() }).await;
    let clock = Clock::new();
    let mut spans = Vec::new();
    for more in [vec![], vec![("stream", json!(true))], vec![]] {
        let sent = clock.now();
        assert_eq!(mock.post(CHAT, &request(&more)).await.status, 200);
        spans.push(clock.now().since(sent));
    }
    assert!(spans[0] >= latency.into() && spans[2] >= latency.into(), "{spans:?}");
    assert!(spans[1] >= (latency + 5 * interval).into(), "{spans:?}");
}

#[tokio::test]
async fn a_connection_is_kept_and_its_timer_used_again() {
    let latency = Duration::from_millis(5);
    let mock = Mock::start(Behaviour { latency, ..Behaviour::default() }).await;
    let body = request(&[]);
    let request = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(mock.address).await.unwrap();
    let clock = Clock::new();
    for _ in 0..5 {
        let sent = clock.now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"fp_archestra_bench\"}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(clock.now().since(sent) >= latency.into());
    }
}

#[tokio::test]
async fn shutdown_does_not_wait_for_requests_in_flight() {
    let mock = Mock::start(Behaviour { latency: Duration::from_secs(600), ..Behaviour::default() }).await;
    let body = request(&[]);
    let mut stream = TcpStream::connect(mock.address).await.unwrap();
    let request = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    mock.send("GET", "/health", "").await;

    mock.end.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), mock.served).await.unwrap().unwrap().unwrap();
    let closed = stream.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}

/// Both timers keep the same promises, so the one of other systems is tried here too.
macro_rules! ticks_come_as_asked {
    ($name:ident, $timer:ident) => {
        #[tokio::test]
        async fn $name() {
            let timer = pace::$timer::Pace::new().unwrap();
            let clock = Clock::new();
            timer.start(Duration::from_millis(10), Duration::from_millis(2)).unwrap();
            let mut ticks = 0;
            while ticks < 6 {
                ticks += timer.ticks().await.unwrap();
            }
            assert!(clock.now() >= Nanos::from(Duration::from_millis(10 + 5 * 2)));

            timer.start(Duration::from_millis(10), Duration::ZERO).unwrap();
            let started = clock.now();
            assert_eq!(timer.ticks().await.unwrap(), 1);
            assert!(clock.now().since(started) >= Nanos::from(Duration::from_millis(9)));
            tokio::time::timeout(Duration::from_millis(50), timer.ticks()).await.unwrap_err();
        }
    };
}

#[cfg(target_os = "linux")]
ticks_come_as_asked!(the_precise_timer_ticks_as_asked, precise);
ticks_come_as_asked!(the_coarse_timer_ticks_as_asked, coarse);

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    mock: MockArgs,
}

#[test]
fn spans_are_read_with_and_without_a_unit() {
    let latency =
        |text: &str| Cli::try_parse_from(["mock", &format!("--latency={text}")]).map(|cli| cli.mock.latency);
    assert_eq!(latency("0").unwrap(), Duration::ZERO);
    assert_eq!(latency("1.5").unwrap(), Duration::from_micros(1500));
    assert_eq!(latency("10ms").unwrap(), Duration::from_millis(10));
    assert_eq!(latency("1s 500ms").unwrap(), Duration::from_millis(1500));
    for nonsense in ["-1", "soon", "NaN", "2h", "1e30", ""] {
        let error = latency(nonsense).unwrap_err().to_string();
        assert!(error.contains("such as 10ms"), "{nonsense}: {error}");
    }
}
