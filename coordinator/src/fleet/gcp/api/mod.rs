//! Google's two APIs, as far as they are needed: Compute Engine and Cloud Storage, over REST.
//!
//! Every call is made with the same request id until it is answered, so that a retry after a lost answer makes nothing
//! twice. What Google asks to be tried again is, with growing random pauses, a bounded number of times; nothing else is.

mod compute;
mod error;
mod login;
mod resources;
mod storage;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;
use url::Url;
use uuid::Uuid;

use crate::causes::innermost;

pub use error::{ApiError, Kind, Refusal};
pub use login::{Login, LoginError};
pub use resources::{Binding, Bucket, Firewall, Instance, Instances, Operation};

/// How often a call is made at most.
const TRIES: u32 = 7;
/// The longest pause before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Google answers a wait after two minutes at the latest.
const CALL_LIMIT: Duration = Duration::from_secs(150);

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
        let http = reqwest::Client::builder()
            .user_agent(concat!("archestra-bench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .timeout(CALL_LIMIT)
            .build();
        let http = http.map_err(|error| ApiError::Unreachable {
            what: "set up a client for Google's API".into(),
            host: endpoints.compute.to_string(),
            problem: innermost(&error),
        })?;
        Ok(Self { login: Login::find()?, http, endpoints, project: project.to_owned() })
    }

    /// Whose resources it asks for.
    pub fn project(&self) -> &str {
        &self.project
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
        let mut tried = 1;
        loop {
            let token = self.login.token().await?;
            let request = self.http.request(call.method.clone(), call.url.clone()).bearer_auth(token);
            let request = match &call.body {
                Body::Json(body) => request.json(body),
                Body::Bytes(bytes) => {
                    request.header("content-type", "application/octet-stream").body(bytes.clone())
                }
                // Google wants a length also where there is nothing.
                Body::None if call.method == Method::POST => request.header("content-length", "0"),
                Body::None => request,
            };
            let failed = match send(request).await {
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
                Err(problem) => ApiError::Unreachable {
                    what: call.what.clone(),
                    host: host(&call.url),
                    problem: innermost(&problem),
                },
            };
            if tried == TRIES {
                return Err(failed);
            }
            tracing::debug!(error = %failed, tried, "trying again");
            sleep(pause(tried)).await;
            tried += 1;
        }
    }
}

async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<(StatusCode, String)> {
    let response = request.send().await?;
    let status = response.status();
    Ok((status, response.text().await?))
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
