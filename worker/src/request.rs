//! Turns a request into the bytes that go over a connection, once, before the block starts.

use proto::SOFTWARE_VERSION;
use proto::target::{Request, Target};

/// What a request is sent for; the target can tell by its `User-Agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One request before anything else, to see whether the target answers as expected.
    Preflight,
    /// Before the measurement, counted apart.
    WarmUp,
    /// The measurement.
    Load,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::WarmUp => "warm-up",
            Self::Load => "load",
        }
    }
}

/// The request as HTTP/1.1. `Host`, `User-Agent`, `Accept-Encoding`, `Content-Length` and `Connection` are written here;
/// all other headers are the request's own.
pub fn render(target: &Target, request: &Request, keep_alive: bool, purpose: Purpose) -> Vec<u8> {
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, target.authority());
    head.push_str(&format!("User-Agent: {}\r\n", user_agent(purpose)));
    head.push_str("Accept-Encoding: identity\r\n");
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if with_length(request) {
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    if !keep_alive {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");

    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}

/// Who sends it, and what for.
pub(crate) fn user_agent(purpose: Purpose) -> String {
    format!("archestra-bench/{SOFTWARE_VERSION} ({})", purpose.name())
}

/// Whether the length of the body is said: also of none, where there could be one.
pub(crate) fn with_length(request: &Request) -> bool {
    !request.body.is_empty() || !matches!(request.method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn rendered(method: &str, body: &str, keep_alive: bool, purpose: Purpose) -> String {
        let target = Target::new(Url::parse("http://[::1]:9000").unwrap());
        let headers = vec![("Authorization".into(), "Bearer x".into())];
        let request = Request { method: method.into(), path: "/v1?a=b".into(), headers, body: body.into() };
        String::from_utf8(render(&target, &request, keep_alive, purpose)).unwrap()
    }

    #[test]
    fn a_post_is_complete() {
        let expected = format!(
            "POST /v1?a=b HTTP/1.1\r\nHost: [::1]:9000\r\nUser-Agent: archestra-bench/{SOFTWARE_VERSION} (warm-up)\r\n\
             Accept-Encoding: identity\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        );
        assert_eq!(rendered("POST", "{}", false, Purpose::WarmUp), expected);
    }

    #[test]
    fn an_empty_post_says_so_and_a_get_does_not() {
        assert!(rendered("POST", "", true, Purpose::Load).contains("Content-Length: 0\r\n"));
        assert!(!rendered("GET", "", true, Purpose::Load).contains("Content-Length"));
    }
}
