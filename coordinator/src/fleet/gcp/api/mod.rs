//! Google's two APIs, as far as they are needed: Compute Engine and Cloud Storage, over REST.
//!
//! Every call is made with the same request id until it is answered, so that a retry after a lost answer makes nothing
//! twice. What Google asks to be tried again is, with growing random pauses, a bounded number of times; nothing else is.
//! Only too many calls are waited out for longer: Google counts them by the minute.

mod compute;
mod error;
mod login;
mod resources;
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;
use url::Url;
use uuid::Uuid;

use crate::causes::innermost;
use crate::clock;

pub use error::{ApiError, Kind, Refusal};
pub use login::{Login, LoginError};
pub use resources::{Binding, Bucket, Firewall, Instance, Instances, Operation};

/// How often a call is made at most.
const TRIES: u32 = 7;
/// The longest pause before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Beyond it too many calls in a minute are not the reason any more.
const RATE_LIMIT_PATIENCE: Duration = Duration::from_secs(90);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Google answers a wait after two minutes at the latest.
const CALL_LIMIT: Duration = Duration::from_secs(150);
/// Bytes a second; whatever goes out more slowly is given up.
const SLOWEST_UPLOAD: u64 = 32 * 1024;
/// A connection on which nothing arrives for so long is dead, however long the call may take.
#[cfg(target_os = "linux")]
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Where the two APIs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Ends in `/compute/v1/`.
    pub compute: Url,
    /// Ends in `/storage/v1/`.
    pub storage: Url,
}

/// Asks Google, for one project.
#[derive(Debug, Clone)]
pub struct Client {
    /// Who asks.
    pub login: Login,
    http: reqwest::Client,
    endpoints: Endpoints,
    project: String,
    /// Seconds that Google's clock is ahead of this machine's, as its last answer had it.
    ahead: Arc<AtomicI64>,
}

/// One call.
struct Call {
    /// A phrase such as "create loadtest-vm-1".
    what: String,
    method: Method,
    url: Url,
    body: Body,
}

enum Body {
    None,
    Json(Value),
    Bytes(Vec<u8>),
}

impl Call {
    fn new(what: impl Into<String>, method: Method, url: Url) -> Self {
        Self { what: what.into(), method, url, body: Body::None }
    }

    fn get(what: impl Into<String>, url: Url) -> Self {
        Self::new(what, Method::GET, url)
    }

    fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// With an id that all tries share.
    fn once(self) -> Self {
        self.query("requestId", &Uuid::new_v4().to_string())
    }
}

impl Client {
    /// For `project`.
    ///
    /// # Errors
    /// When nobody is logged in.
    pub fn new(endpoints: Endpoints, project: &str) -> Result<Self, ApiError> {
        // A second installation changes nothing: it is the only provider that there is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("archestra-bench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(SILENCE_LIMIT);
        let http = builder.build().map_err(|error| ApiError::Unreachable {
            what: "set up a client for Google's API".into(),
            host: endpoints.compute.to_string(),
            problem: innermost(&error),
        })?;
        let project = project.to_owned();
        Ok(Self { login: Login::find()?, http, endpoints, project, ahead: Arc::default() })
    }

    /// Whose resources it asks for.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// What time it is for Google, whose times all resources have: this machine's clock may be wrong.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        let own = clock::local_now().timestamp();
        own.checked_add(ahead).unwrap_or(own)
    }

    fn set_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(theirs) = date.and_then(|date| rfc2822::parse(date).ok()) {
            let ahead = theirs.timestamp().duration_since(clock::local_now().timestamp());
            self.ahead.store(ahead.as_secs(), Ordering::Relaxed);
        }
    }

    /// Makes a call until it is answered for good.
    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        let text = self.answer(&call).await?;
        // Some answers are empty on purpose.
        let text = if text.trim().is_empty() { "null" } else { &text };
        serde_json::from_str(text).map_err(|error| ApiError::Unreadable {
            what: call.what.clone(),
            host: host(&call.url),
            problem: error.to_string(),
        })
    }

    async fn answer(&self, call: &Call) -> Result<String, ApiError> {
        let (began, limit) = (clock::now(), limit(&call.body));
        let mut tried = 1;
        loop {
            let token = self.login.token().await?;
            let request = self.http.request(call.method.clone(), call.url.clone()).bearer_auth(token);
            let request = request.timeout(limit);
            let request = match &call.body {
                Body::Json(body) => request.json(body),
                Body::Bytes(bytes) => {
                    request.header("content-type", "application/octet-stream").body(bytes.clone())
                }
                // Google wants a length also where there is nothing.
                Body::None if call.method == Method::POST => request.header("content-length", "0"),
                Body::None => request,
            };
            let failed = match self.send(request).await {
                Ok((status, text)) if status.is_success() => return Ok(text),
                Ok((status, text)) => {
                    let refusal = Box::new(Refusal::of_answer(status.as_u16(), &text));
                    let may_pass = refusal.may_pass();
                    let error = ApiError::Refused { what: call.what.clone(), refusal };
                    if !may_pass {
                        return Err(error);
                    }
                    error
                }
                Err(problem) if is_too_slow(call, &problem) => {
                    return Err(ApiError::TooSlow { what: call.what.clone(), minutes: limit.as_secs() / 60 });
                }
                Err(problem) => ApiError::Unreachable {
                    what: call.what.clone(),
                    host: host(&call.url),
                    problem: innermost(&problem),
                },
            };
            if !goes_on(&failed, tried, clock::now().saturating_duration_since(began)) {
                return Err(failed);
            }
            tracing::debug!(error = %failed, tried, "trying again");
            sleep(pause(tried)).await;
            tried += 1;
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<(StatusCode, String)> {
        let response = request.send().await?;
        self.set_clock(response.headers());
        let status = response.status();
        Ok((status, response.text().await?))
    }
}

/// Whether a call that failed is made again, after so many tries and so long after the first.
fn goes_on(failed: &ApiError, tried: u32, waited: Duration) -> bool {
    match failed.refusal() {
        Some(Refusal { kind: Kind::RateLimit, .. }) => waited < RATE_LIMIT_PATIENCE,
        _ => tried < TRIES,
    }
}

/// How long one try may take: what is large, as long as a slow line needs for it.
fn limit(body: &Body) -> Duration {
    match body {
        Body::Bytes(bytes) => CALL_LIMIT + Duration::from_secs(bytes.len() as u64 / SLOWEST_UPLOAD),
        Body::None | Body::Json(_) => CALL_LIMIT,
    }
}

/// A line that is too slow for a file is so the second time, too.
fn is_too_slow(call: &Call, problem: &reqwest::Error) -> bool {
    matches!(call.body, Body::Bytes(_)) && problem.is_timeout() && !problem.is_connect()
}

/// A random part of a span that doubles, so that many who failed together do not come back together.
fn pause(tried: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << (tried - 1).min(16)).min(LONGEST_PAUSE);
    let part = (Uuid::new_v4().as_u128() % 1000) as u32;
    longest / 2 + longest / 2 * part / 1000
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: Kind) -> ApiError {
        let refusal = Refusal { code: 403, reason: String::new(), message: String::new(), kind };
        ApiError::Refused { what: "list the VMs".into(), refusal: Box::new(refusal) }
    }

    #[test]
    fn too_many_calls_are_waited_out_until_the_next_minute_and_nothing_else_is() {
        let seconds = Duration::from_secs;
        assert!(goes_on(&refused(Kind::RateLimit), TRIES, seconds(31)));
        assert!(goes_on(&refused(Kind::RateLimit), TRIES + 5, seconds(75)));
        assert!(!goes_on(&refused(Kind::RateLimit), TRIES + 5, RATE_LIMIT_PATIENCE));
        assert!(goes_on(&refused(Kind::Backend), TRIES - 1, seconds(31)));
        assert!(!goes_on(&refused(Kind::Backend), TRIES, seconds(31)));
        // So many pauses are longer than that, so that the tries are bounded too.
        let shortest: Duration =
            (1..=16).map(|tried| FIRST_PAUSE.saturating_mul(1 << (tried - 1)).min(LONGEST_PAUSE) / 2).sum();
        assert!(shortest > RATE_LIMIT_PATIENCE);
    }

    #[test]
    fn a_large_file_has_the_time_that_a_slow_line_needs() {
        assert_eq!(limit(&Body::None), CALL_LIMIT);
        assert_eq!(limit(&Body::Json(Value::Null)), CALL_LIMIT);
        // 84 MB at a megabit a second.
        let needed = Duration::from_secs(84 * 8);
        assert!(limit(&Body::Bytes(vec![0; 84_000_000])) > 2 * needed);
    }
}
