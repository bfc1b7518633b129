//! What a page that is open is told, as server-sent events: `live` with everything that there is to be seen, `report` when
//! that is newer, and `end`.
//!
//! Nothing queues for a page: whoever reads slowly gets the newest when there is room for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame};
use serde::Serialize;
use tokio::sync::watch;

/// When a page comes again whose connection broke.
const RETRY: &str = "retry: 2000\n";

/// What there is to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct News {
    /// What there is to be seen, as JSON; empty as long as nobody has looked.
    pub(super) live: Bytes,
    /// How often the report was written.
    pub(super) revision: u64,
    /// The run has ended.
    pub(super) end: Option<Arc<End>>,
}

/// How a run has ended.
#[derive(Debug, Serialize)]
pub(super) struct End {
    /// In a sentence.
    pub(super) words: String,
    /// The report, as an element of the page; `None` where there is none, or nobody looked.
    pub(super) report: Option<String>,
}

/// One page's events, as the body of an answer. It ends with the run.
pub(super) struct Events(Option<Next>);

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Follower)>> + Send>>;

/// What one page has been told.
struct Follower {
    news: watch::Receiver<News>,
    live: Bytes,
    revision: Option<u64>,
    is_over: bool,
}

impl Events {
    /// Of a page that knows nothing yet.
    pub(super) fn new(news: watch::Receiver<News>) -> Self {
        let follower = Follower { news, live: Bytes::new(), revision: None, is_over: false };
        Self(Some(Box::pin(follower.next())))
    }
}

impl Follower {
    /// What is new, as soon as anything is; `None` when nothing more will be.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        while !self.is_over {
            let news = self.news.borrow_and_update().clone();
            let text = self.unsaid(&news);
            if !text.is_empty() {
                return Some((text.into(), self));
            }
            self.news.changed().await.ok()?;
        }
        None
    }

    fn unsaid(&mut self, news: &News) -> Vec<u8> {
        let mut text = Vec::new();
        let mut event = |name: &str, data: &[u8]| {
            text.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
            text.extend_from_slice(data);
            text.extend_from_slice(b"\n\n");
        };
        if news.live != self.live {
            event("live", &news.live);
            self.live = news.live.clone();
        }
        if self.revision != Some(news.revision) {
            event("report", news.revision.to_string().as_bytes());
            if self.revision.is_none() {
                text.extend_from_slice(format!("{RETRY}\n").as_bytes());
            }
            self.revision = Some(news.revision);
        }
        if let Some(end) = &news.end {
            // Texts are always JSON.
            let end = serde_json::to_string(&**end).unwrap_or_default();
            text.extend_from_slice(format!("event: end\ndata: {end}\n\n").as_bytes());
            self.is_over = true;
        }
        text
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.0 else { return Poll::Ready(None) };
        let told = ready!(next.as_mut().poll(context));
        let (text, next) = match told {
            Some((text, follower)) => (Some(text), Some(Box::pin(follower.next()) as Next)),
            None => (None, None),
        };
        self.0 = next;
        Poll::Ready(text.map(|text| Ok(Frame::data(text))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn told(events: &mut Events) -> Option<String> {
        let frame = events.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_page_is_told_everything_at_first_then_what_is_new_and_then_the_end() {
        let news = watch::Sender::new(News { live: "{\"a\":1}".into(), revision: 3, end: None });
        let mut events = Events::new(news.subscribe());
        let first = told(&mut events).await.unwrap();
        assert_eq!(first, "event: live\ndata: {\"a\":1}\n\nevent: report\ndata: 3\n\nretry: 2000\n\n");
        news.send_modify(|news| news.revision = 4);
        assert_eq!(told(&mut events).await.unwrap(), "event: report\ndata: 4\n\n");
        news.send_modify(|news| {
            news.end = Some(Arc::new(End { words: "a\nb".into(), report: Some("<p>\n</p>".into()) }));
        });
        let end = "event: end\ndata: {\"words\":\"a\\nb\",\"report\":\"<p>\\n</p>\"}\n\n";
        assert_eq!(told(&mut events).await.unwrap(), end);
        assert_eq!(told(&mut events).await, None);
        assert_eq!(told(&mut events).await, None);
    }

    #[tokio::test]
    async fn whoever_reads_slowly_gets_the_newest_alone() {
        let news = watch::Sender::new(News::default());
        let mut events = Events::new(news.subscribe());
        assert!(told(&mut events).await.unwrap().starts_with("event: report\ndata: 0\n"));
        for second in 0..10_000 {
            news.send_modify(|news| news.live = format!("{{\"second\":{second}}}").into());
        }
        assert_eq!(told(&mut events).await.unwrap(), "event: live\ndata: {\"second\":9999}\n\n");
    }

    #[tokio::test]
    async fn a_process_that_ends_ends_the_events() {
        let news = watch::Sender::new(News::default());
        let mut events = Events::new(news.subscribe());
        told(&mut events).await.unwrap();
        drop(news);
        assert_eq!(told(&mut events).await, None);
    }
}
