//! What the mock does with a request: finds what it is for, reads it, waits as long as asked, and answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};

use super::Behaviour;
use super::answers::{self, Completion};
use super::chat::ChatRequest;
use super::events::{EventStream, Events};
use super::pace::Pace;
use super::witness::{self, Witness};
use crate::clock::{self, Nanos};

/// The longest request body.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

type Answer = Response<Either<Full<Bytes>, EventStream>>;

/// What all connections share.
pub(super) struct Endpoint {
    behaviour: Behaviour,
    completions: AtomicU64,
    witness: Arc<Witness>,
}

/// One connection's side of it.
#[derive(Clone)]
pub(super) struct Connection {
    endpoint: Arc<Endpoint>,
    /// Only when anything is to be waited for.
    pace: Option<Arc<Pace>>,
}

impl Endpoint {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, completions: AtomicU64::new(0), witness: Arc::new(Witness::new()) }
    }

    /// What serves a new connection.
    ///
    /// # Errors
    /// When the system has no timer left for it.
    pub(super) fn connection(self: &Arc<Self>) -> io::Result<Connection> {
        let waits = !self.behaviour.latency.is_zero() || !self.behaviour.chunk_interval.is_zero();
        let pace = if waits { Some(Arc::new(Pace::new()?)) } else { None };
        Ok(Connection { endpoint: Arc::clone(self), pace })
    }
}

impl Connection {
    /// The answer to one request.
    ///
    /// # Errors
    /// When the request breaks off, or its timer fails: there is nobody, or nothing, to answer.
    pub(super) async fn answer(self, request: Request<Incoming>) -> io::Result<Answer> {
        match (request.uri().path(), request.method()) {
            ("/v1/chat/completions" | "/v1/openai/chat/completions", &Method::POST) => {
                self.complete(request).await
            }
            ("/health", &Method::GET) => Ok(json(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))),
            ("/v1/chat/completions" | "/v1/openai/chat/completions", method) => {
                Ok(not_allowed(method, "POST"))
            }
            (witness::PATH, &Method::GET) => Ok(json(StatusCode::OK, self.endpoint.witness.render())),
            ("/health" | witness::PATH, method) => Ok(not_allowed(method, "GET")),
            (path, method) => Ok(refuse(
                StatusCode::NOT_FOUND,
                &format!("Invalid URL ({method} {path})"),
                Some("unknown_url"),
            )),
        }
    }

    async fn complete(self, request: Request<Incoming>) -> io::Result<Answer> {
        let (head, body) = request.into_parts();
        let body = read(body).await?;
        let asked = self.endpoint.witness.asked(head.headers.get(USER_AGENT).map(HeaderValue::as_bytes));
        let Some(body) = body else { return Ok(self.whole(asked, too_large())) };
        let request: ChatRequest<'_> = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => {
                let message =
                    format!("We could not read the body of your request as a chat request: {error}");
                return Ok(self.whole(asked, refuse(StatusCode::BAD_REQUEST, &message, None)));
            }
        };
        let behaviour = self.endpoint.behaviour;
        let number = self.endpoint.completions.fetch_add(1, Ordering::Relaxed) + 1;
        let completion = Completion::new(&request, number, clock::unix_seconds(), behaviour.tool_calls);
        if request.wants_stream() {
            let events = Events::new(completion, behaviour.chunks, request.wants_usage());
            return self.stream(events, asked).await;
        }
        if let Some(pace) = self.pace.as_ref().filter(|_| !behaviour.latency.is_zero()) {
            pace.start(behaviour.latency, Duration::ZERO)?;
            pace.ticks().await?;
        }
        Ok(self.whole(asked, json(StatusCode::OK, completion.render())))
    }

    /// An answer that is ready as a whole.
    fn whole(&self, asked: Nanos, answer: Answer) -> Answer {
        self.endpoint.witness.answered(asked);
        answer
    }

    /// Waits for the first chunk to be due, and leaves the timer ticking for the others.
    async fn stream(self, events: Events, asked: Nanos) -> io::Result<Answer> {
        let Behaviour { latency, chunk_interval, .. } = self.endpoint.behaviour;
        if let Some(pace) = &self.pace {
            let first = if latency.is_zero() { chunk_interval } else { latency };
            pace.start(first, chunk_interval)?;
        }
        let due = match &self.pace {
            Some(pace) if !latency.is_zero() => pace.ticks().await?,
            _ => 1,
        };
        let pace = self.pace.filter(|_| !chunk_interval.is_zero());
        let witness = Arc::clone(&self.endpoint.witness);
        let mut answer = Response::new(Either::Right(EventStream::new(events, pace, due, (witness, asked))));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(answer)
    }
}

/// The whole body; `None` when it is too large.
async fn read(body: Incoming) -> io::Result<Option<Bytes>> {
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Ok(None);
    }
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn too_large() -> Answer {
    let message = format!("The body of your request is larger than {MAX_BODY_BYTES} bytes");
    let mut answer = refuse(StatusCode::PAYLOAD_TOO_LARGE, &message, None);
    // The rest of the body is not worth reading.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn not_allowed(method: &Method, allowed: &'static str) -> Answer {
    let message = format!("Method {method} is not allowed here, only {allowed}");
    let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED, &message, Some("method_not_supported"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn refuse(status: StatusCode, message: &str, code: Option<&str>) -> Answer {
    json(status, answers::error(message, code))
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
