//! Who may read the page: on loopback whoever asks for it by a loopback name, elsewhere whoever has the token.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hyper::header::{HOST, HeaderMap};
use hyper::http::uri::Authority;
use hyper::{Method, Uri};
use ring::error::Unspecified;
use ring::hmac::{self, HMAC_SHA256, Key};
use ring::rand::{SecureRandom as _, SystemRandom};
use url::form_urlencoded;

use crate::server;

/// Of a token, before it is written as text.
const TOKEN_BYTES: usize = 24;

/// Who may read the page.
#[derive(Debug)]
pub(super) struct Access {
    address: SocketAddr,
    /// Elsewhere than on loopback.
    token: Option<Token>,
}

/// What the page's address ends with.
struct Token {
    text: String,
    /// Tags are compared in a time that does not depend on what they are.
    key: Key,
    tag: hmac::Tag,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It wants something else than to read.
    Method,
    /// It asks by a name that may be somebody else's, who would then read the answer.
    Host,
    /// It comes from somebody else's page.
    Site,
    /// It has no token, or a wrong one.
    Token,
}

impl Access {
    /// To what is listened at `address`.
    ///
    /// # Errors
    /// When the system has no randomness for a token.
    pub(super) fn new(address: SocketAddr) -> Result<Self, Unspecified> {
        let token = if address.ip().is_loopback() { None } else { Some(Token::random()?) };
        Ok(Self { address, token })
    }

    /// What a user opens.
    pub(super) fn url(&self) -> String {
        let host = server::host(self.address);
        let query = self.token.as_ref().map_or_else(String::new, |token| format!("?token={}", token.text));
        format!("http://{host}/{query}")
    }

    /// Whether a request is answered.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if ![Method::GET, Method::HEAD].contains(method) {
            return Err(Refusal::Method);
        }
        match &self.token {
            Some(token) if !token.is_in(uri.query().unwrap_or_default()) => return Err(Refusal::Token),
            Some(_) => {}
            None if !self.is_asked_by_name(uri, headers) => return Err(Refusal::Host),
            None => {}
        }
        if is_from_elsewhere(headers) { Err(Refusal::Site) } else { Ok(()) }
    }

    /// Whether the one host that is asked for, and the one of the URI where it names one, are loopback and this port.
    fn is_asked_by_name(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        let is_ours = |authority: &Authority| {
            let name = authority.host();
            let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            let is_loopback =
                name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
            let port = authority.port_u16().unwrap_or(80);
            is_loopback && port == self.address.port() && !authority.as_str().contains('@')
        };
        host.as_ref().is_some_and(is_ours) && uri.authority().is_none_or(is_ours)
    }
}

impl Token {
    fn random() -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        let mut bytes = [0; TOKEN_BYTES];
        random.fill(&mut bytes)?;
        let (text, key) = (BASE64.encode(bytes), Key::generate(HMAC_SHA256, &random)?);
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { text, key, tag })
    }

    fn is_in(&self, query: &str) -> bool {
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
        named.is_some_and(|(_, token)| hmac::verify(&self.key, token.as_bytes(), self.tag.as_ref()).is_ok())
    }
}

/// Kept out of every log.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Whether a browser says that another page asks. A link on it may be followed.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &str, values: &[&str]| {
        headers.get(name).is_some_and(|given| values.iter().any(|value| given == *value))
    };
    headers.contains_key("sec-fetch-site")
        && !is("sec-fetch-site", &["same-origin", "none"])
        && !is("sec-fetch-mode", &["navigate"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Access {
        Access::new(address.parse().unwrap()).unwrap()
    }

    fn check(
        access: &Access,
        method: &str,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        access.check(&method.parse().unwrap(), &uri.parse().unwrap(), &headers.collect())
    }

    #[test]
    fn on_loopback_it_is_asked_for_by_a_loopback_name_and_its_port() {
        let access = at("127.0.0.1:9470");
        assert_eq!(access.url(), "http://127.0.0.1:9470/");
        for host in ["127.0.0.1:9470", "127.1.2.3:9470", "localhost:9470", "LOCALHOST:9470", "[::1]:9470"] {
            assert_eq!(check(&access, "GET", "/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.example:9470",
            "localhost.evil.example:9470",
            "10.0.0.1:9470",
            "x@127.0.0.1:9470",
            "[::2]:9470",
            "",
            "0.0.0.0:9470",
            "127.0.0.1.evil.example:9470",
        ] {
            assert_eq!(check(&access, "GET", "/", &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check(&access, "GET", "/", &[]), Err(Refusal::Host));
        let own = ("host", "127.0.0.1:9470");
        assert_eq!(check(&access, "GET", "http://evil.example:9470/", &[own]), Err(Refusal::Host));
        assert_eq!(check(&access, "GET", "http://localhost:9470/", &[own]), Ok(()));
        let mut two = HeaderMap::new();
        for host in ["127.0.0.1:9470", "evil.example"] {
            two.append(HOST, host.parse().unwrap());
        }
        assert_eq!(access.check(&Method::GET, &Uri::from_static("/"), &two), Err(Refusal::Host));
        assert_eq!(check(&at("127.0.0.1:80"), "GET", "/", &[("host", "localhost")]), Ok(()));
        assert_eq!(check(&at("[::1]:9470"), "GET", "/", &[("host", "[::1]:9470")]), Ok(()));
    }

    #[test]
    fn elsewhere_the_token_of_the_address_is_wanted_and_the_host_may_be_any() {
        let access = at("10.0.0.1:9470");
        let url = access.url();
        let query = url.strip_prefix("http://10.0.0.1:9470/").unwrap();
        let token = query.strip_prefix("?token=").unwrap();
        assert_eq!(token.len(), 32, "192 bits: {token}");
        let asks =
            |query: &str| check(&access, "GET", &format!("/events{query}"), &[("host", "bench.example")]);
        assert_eq!(asks(query), Ok(()));
        assert_eq!(asks(&format!("?x=1&token={token}")), Ok(()));
        let (short, upper) = (&token[1..], token.to_ascii_uppercase());
        for wrong in [
            String::new(),
            "?token=".into(),
            format!("?token={short}"),
            format!("?token={token}x"),
            format!("?token={upper}x"),
            format!("?other={token}"),
        ] {
            assert_eq!(asks(&wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(check(&access, "GET", "/", &[("host", "127.0.0.1:9470")]), Err(Refusal::Token));
        assert!(!format!("{access:?}").contains(token));
        assert_ne!(at("10.0.0.1:9470").url(), url, "another run has another one");
        for open in ["0.0.0.0:9470", "[::]:9470"] {
            let url = at(open).url();
            assert!(
                url.contains(":9470/?token=") && !url.contains("0.0.0.0") && !url.contains("[::]"),
                "{url}"
            );
        }
    }

    #[test]
    fn it_is_read_and_nothing_else() {
        let access = at("127.0.0.1:9470");
        for (method, answer) in [
            ("HEAD", Ok(())),
            ("POST", Err(Refusal::Method)),
            ("PUT", Err(Refusal::Method)),
            ("OPTIONS", Err(Refusal::Method)),
            ("CONNECT", Err(Refusal::Method)),
        ] {
            assert_eq!(check(&access, method, "/", &[("host", "127.0.0.1:9470")]), answer, "{method}");
        }
    }

    #[test]
    fn other_pages_may_link_to_it_and_not_fetch_it() {
        let access = at("127.0.0.1:9470");
        for (site, mode, answer) in [
            ("same-origin", "cors", Ok(())),
            ("none", "navigate", Ok(())),
            ("cross-site", "navigate", Ok(())),
            ("cross-site", "no-cors", Err(Refusal::Site)),
            ("same-site", "cors", Err(Refusal::Site)),
        ] {
            let headers = [("host", "localhost:9470"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            assert_eq!(check(&access, "GET", "/events", &headers), answer, "{site} {mode}");
        }
    }
}
