//! Where Prometheus reads the metrics: `GET /metrics`, until the process ends.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::meters::Meters;
use super::{exposition, families, lock};

/// Connections at once; further ones wait.
const MOST_CONNECTIONS: usize = 16;
/// How long a connection may be silent before its next request: less than a Prometheus waits, since silent ones take up the room.
/// One that it keeps between two looks it can make anew.
const SILENCE: Duration = Duration::from_secs(3);
/// After a connection that could not be taken, such as for want of a file.
const REST: Duration = Duration::from_millis(100);

/// Answers for ever, and counts how often the metrics were read.
pub(super) async fn serve(listener: TcpListener, meters: Arc<Mutex<Meters>>, scraped: watch::Sender<u64>) {
    let (room, scraped) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), Arc::new(scraped));
    loop {
        // The room is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let (meters, scraped) = (Arc::clone(&meters), Arc::clone(&scraped));
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&request, &meters, &scraped);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(SILENCE);
            // A peer that breaks off is none of ours.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
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
