//! Which requests are answered, and with what: the page, its report, its events, and nothing else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;

use super::access::Refusal;
use super::events::Events;
use super::{Stage, page};
use crate::server::{self, Limits};

/// A page that is open takes one, and another now and then.
const LIMITS: Limits =
    Limits { connections: 64, silence: Duration::from_secs(10), stall: Duration::from_secs(20) };

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";

type Answer = Response<Either<Full<Bytes>, Events>>;

/// The place of a page that is open, for as long as its connection is.
type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// Answers for ever.
pub(super) async fn serve(listener: TcpListener, stage: Arc<Stage>) {
    let policy =
        HeaderValue::from_str(&page::policy()).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    server::serve(listener, LIMITS, || {
        let (stage, policy, place) = (Arc::clone(&stage), policy.clone(), Place::default());
        move |request: Request<Incoming>| {
            let (stage, policy, place) = (Arc::clone(&stage), policy.clone(), Arc::clone(&place));
            async move { guarded(answer(&request, &stage, &place).await, policy) }
        }
    })
    .await;
}

async fn answer(request: &Request<Incoming>, stage: &Stage, place: &Place) -> Answer {
    if let Err(refusal) = stage.access.check(request.method(), request.uri(), request.headers()) {
        return refused(&refusal, stage);
    }
    match request.uri().path() {
        "/" => {
            // Before the report is read: what is newer than that is told as news.
            let news = stage.news.borrow().clone();
            let report = stage.report().await;
            whole(
                StatusCode::OK,
                HTML,
                page::page(&stage.run, &stage.folder, &stage.screen.facts(), &news, report),
            )
        }
        "/report" => whole(StatusCode::OK, HTML, stage.report().await.unwrap_or_else(page::no_report)),
        "/events" if request.method() == Method::HEAD => whole(StatusCode::OK, EVENTS, String::new()),
        "/events" => events(stage, place),
        _ => whole(StatusCode::NOT_FOUND, TEXT, "the run is shown at /\n".into()),
    }
}

/// The events of a page, where there is room for it.
fn events(stage: &Stage, place: &Place) -> Answer {
    let Ok(permit) = Arc::clone(&stage.places).try_acquire_owned() else {
        let words = "as many pages are open as may be: close one, and reload this\n";
        let mut answer = whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, words.into());
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return answer;
    };
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
    let events = Events::new(stage.news.subscribe());
    // Nobody may have looked for a while.
    stage.look();
    let mut answer = Response::new(Either::Right(events));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    // The place is free when all has been taken.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn refused(refusal: &Refusal, stage: &Stage) -> Answer {
    let (status, words) = match refusal {
        Refusal::Method => {
            let mut answer = whole(
                StatusCode::METHOD_NOT_ALLOWED,
                TEXT,
                "only GET and HEAD are answered: a run is watched here and nothing else\n".into(),
            );
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        Refusal::Host => (
            StatusCode::FORBIDDEN,
            format!(
                "this page is shown under a name of this machine's loopback alone: open {}\n",
                stage.access.url()
            ),
        ),
        Refusal::Site => {
            (StatusCode::FORBIDDEN, "other pages may link to this one, and not fetch it\n".into())
        }
        Refusal::Token => (
            StatusCode::FORBIDDEN,
            "this page wants its token: open the whole address that the run has printed as its live page\n"
                .into(),
        ),
    };
    whole(status, TEXT, words)
}

fn whole(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// What every answer says, so that nothing keeps it, frames it, or runs what is not the page's own.
fn guarded(mut answer: Answer, policy: HeaderValue) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
