//! Where Prometheus reads the metrics: `GET /metrics`, until the process ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::meters::Meters;
use super::{exposition, families, lock};
use crate::server::{self, Limits};

/// A connection that is silent takes up room, and one that a Prometheus keeps between two looks it can make anew: so silence is
/// borne for less than a Prometheus waits.
const LIMITS: Limits =
    Limits { connections: 16, silence: Duration::from_secs(3), stall: Duration::from_secs(60) };

/// Answers for ever, and counts how often the metrics were read.
pub(super) async fn serve(listener: TcpListener, meters: Arc<Mutex<Meters>>, scraped: watch::Sender<u64>) {
    let scraped = Arc::new(scraped);
    server::serve(listener, LIMITS, || {
        let (meters, scraped) = (Arc::clone(&meters), Arc::clone(&scraped));
        move |request: Request<Incoming>| {
            let answer = answer(&request, &meters, &scraped);
            async move { answer }
        }
    })
    .await;
}

fn answer(
    request: &Request<Incoming>,
    meters: &Mutex<Meters>,
    scraped: &watch::Sender<u64>,
) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let meters = lock(meters);
            // While nothing can be added: whoever waits for a look at the end waits for one that holds it.
            scraped.send_modify(|scrapes| *scrapes += 1);
            (StatusCode::OK, exposition::CONTENT_TYPE, exposition::text(&families::families(&meters)))
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered\n".into()),
        _ => (StatusCode::NOT_FOUND, "text/plain", "the metrics are at /metrics\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
