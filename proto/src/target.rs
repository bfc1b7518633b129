//! Where requests go and what they are.

use std::fmt;
use std::net::IpAddr;

use url::Url;

use crate::route::{self, Route};
use crate::tls::ClientIdentity;
use crate::{InvalidMessage, wire};

/// What is spoken with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2: over plain text by prior knowledge, over TLS by ALPN.
    Http2,
    /// Over TLS what the target chooses by ALPN, else HTTP/1.1.
    Auto,
}

impl HttpVersion {
    /// All of them.
    pub const ALL: [HttpVersion; 3] = [Self::Http11, Self::Http2, Self::Auto];

    /// The name in flags, JSON and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http11 => "1.1",
            Self::Http2 => "2",
            Self::Auto => "auto",
        }
    }

    /// From the wire's number, where `field` stands.
    ///
    /// # Errors
    /// When this version does not know it.
    pub fn from_wire(field: &'static str, number: i32) -> Result<Self, InvalidMessage> {
        match wire::HttpVersion::try_from(number) {
            Ok(wire::HttpVersion::Unspecified | wire::HttpVersion::HttpVersion11) => Ok(Self::Http11),
            Ok(wire::HttpVersion::HttpVersion2) => Ok(Self::Http2),
            Ok(wire::HttpVersion::Auto) => Ok(Self::Auto),
            Err(_) => {
                Err(InvalidMessage::new(field, format!("is {number}, which this version does not know")))
            }
        }
    }

    /// The wire's number.
    pub fn to_wire(self) -> i32 {
        let version = match self {
            Self::Http11 => wire::HttpVersion::HttpVersion11,
            Self::Http2 => wire::HttpVersion::HttpVersion2,
            Self::Auto => wire::HttpVersion::Auto,
        };
        version as i32
    }
}

/// A base URL, how it is reached, and what is needed to trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`, a host, and perhaps a port.
    pub url: Url,
    /// Root certificates (PEM) trusted beside the system's.
    pub extra_roots: Option<String>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Where connections go.
    pub route: Route,
    /// Addresses of the worker's machine that connections come from, in turn; empty for the system's own choice.
    pub local_addresses: Vec<IpAddr>,
    /// The name that TLS asks for and that the certificate must be for; `None` for the URL's host.
    pub server_name: Option<String>,
    /// Whether a connection may resume the TLS session of an earlier one.
    pub session_resumption: bool,
    /// What is shown to a target that wants to know who asks.
    pub client_identity: Option<ClientIdentity>,
    /// What is spoken with it.
    pub http_version: HttpVersion,
}

impl Target {
    /// A target that is reached as its URL says, whose certificate the system trusts.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            extra_roots: None,
            insecure: false,
            route: Route::Url,
            local_addresses: Vec::new(),
            server_name: None,
            session_resumption: false,
            client_identity: None,
            http_version: HttpVersion::Http11,
        }
    }

    /// Whether requests travel over TLS.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL's host without brackets, and its port.
    pub fn address(&self) -> (String, u16) {
        let host = self.url.host_str().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (bare.to_owned(), self.url.port_or_known_default().unwrap_or(80))
    }

    /// What the `Host` header says: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The name that TLS asks for and that the certificate must be for.
    pub fn tls_name(&self) -> String {
        self.server_name.clone().unwrap_or_else(|| self.address().0)
    }

    /// As people write it: a URL without a last slash, or `unix:` and a path.
    pub fn shown(&self) -> String {
        match &self.route {
            Route::UnixSocket(path) => format!("unix:{path}"),
            Route::Url | Route::ConnectTo { .. } => self.url.as_str().trim_end_matches('/').to_owned(),
        }
    }
}

/// Checks that a URL can be a target's: `http` or `https`, with a host, and nothing that requests would ignore.
///
/// # Errors
/// What is wrong, to be read after the URL ("has no host").
pub fn check_target_url(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has the scheme `{}`, not http or https", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host".into());
    }
    if url.port_or_known_default() == Some(0) {
        return Err("has port 0".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; send credentials as a header".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds a query or fragment; those belong to the scenario's path".into());
    }
    Ok(())
}

/// One HTTP request, as it is sent over and over.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// From the first slash, with the query.
    pub path: String,
    /// Name and value, in order. May hold secrets, so they are not shown.
    pub headers: Vec<(String, String)>,
    /// Sent as it is.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("header_names", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Request {
    /// Checks that the request can be written as HTTP/1.1 without a line or a header being smuggled in.
    ///
    /// # Errors
    /// Which part is not HTTP.
    pub fn check(&self) -> Result<(), InvalidMessage> {
        if self.method.is_empty() || !self.method.bytes().all(is_token_byte) {
            return Err(InvalidMessage::new(
                "request.method",
                format!("`{}` is no HTTP method", self.method.escape_debug()),
            ));
        }
        // Its query may hold a secret, so that it is not shown as a whole.
        if !self.path.starts_with('/') {
            return Err(InvalidMessage::new("request.path", "does not start with /"));
        }
        if let Some(odd) = self.path.chars().find(|character| !character.is_ascii_graphic()) {
            let odd = odd.escape_debug();
            return Err(InvalidMessage::new(
                "request.path",
                format!("holds the character `{odd}`, which must be percent-encoded"),
            ));
        }
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(InvalidMessage::new(
                    "request.headers",
                    format!("hold `{}`, which is no header name", name.escape_debug()),
                ));
            }
            if !value.bytes().all(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f)) {
                return Err(InvalidMessage::new(
                    "request.headers",
                    format!("hold a control character in the value of `{name}`"),
                ));
            }
        }
        Ok(())
    }
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl From<&Target> for wire::Target {
    fn from(target: &Target) -> Self {
        wire::Target {
            url: target.url.to_string(),
            ca_pem: target.extra_roots.clone().unwrap_or_default(),
            insecure: target.insecure,
            route: (&target.route).into(),
            local_addresses: target.local_addresses.iter().map(IpAddr::to_string).collect(),
            server_name: target.server_name.clone().unwrap_or_default(),
            session_resumption: target.session_resumption,
            client_identity: target.client_identity.as_ref().map(Into::into),
            http_version: target.http_version.to_wire(),
        }
    }
}

impl TryFrom<wire::Target> for Target {
    type Error = InvalidMessage;

    fn try_from(target: wire::Target) -> Result<Self, InvalidMessage> {
        let url = Url::parse(&target.url)
            .map_err(|error| InvalidMessage::new("target.url", format!("is not a URL: {error}")))?;
        check_target_url(&url).map_err(|problem| InvalidMessage::new("target.url", problem))?;
        let target = Self {
            url,
            extra_roots: Some(target.ca_pem).filter(|pem| !pem.is_empty()),
            insecure: target.insecure,
            http_version: HttpVersion::from_wire("target.http_version", target.http_version)?,
            route: target.route.try_into()?,
            local_addresses: route::local_addresses(&target.local_addresses)?,
            server_name: Some(target.server_name).filter(|name| !name.is_empty()),
            session_resumption: target.session_resumption,
            client_identity: target.client_identity.map(TryInto::try_into).transpose()?,
        };
        let is_socket = matches!(target.route, Route::UnixSocket(_));
        if is_socket && (target.is_tls() || !target.local_addresses.is_empty()) {
            return Err(InvalidMessage::new("target.unix_socket", "knows neither TLS nor local addresses"));
        }
        Ok(target)
    }
}

impl From<&Request> for wire::Request {
    fn from(request: &Request) -> Self {
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| wire::Header { name: name.clone(), value: value.clone() });
        wire::Request {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: headers.collect(),
            body: request.body.clone(),
        }
    }
}

impl TryFrom<wire::Request> for Request {
    type Error = InvalidMessage;

    fn try_from(request: wire::Request) -> Result<Self, InvalidMessage> {
        let headers = request.headers.into_iter().map(|header| (header.name, header.value)).collect();
        let request = Self { method: request.method, path: request.path, headers, body: request.body };
        request.check()?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, header: (&str, &str)) -> Request {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        Request { method: "POST".into(), path: path.into(), headers, body: Vec::new() }
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_request() {
        assert_eq!(request("/a?b=c", ("x-a", "ü ok\t")).check(), Ok(()));
        for (path, header) in [
            ("/a b", ("a", "b")),
            ("a", ("a", "b")),
            ("/a\r\n", ("a", "b")),
            ("/", ("a:", "b")),
            ("/", ("a", "b\r\nc: d")),
            ("/", ("", "b")),
        ] {
            assert!(request(path, header).check().is_err(), "{path:?} {header:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", request("/", ("authorization", "Bearer sk-secret"))).contains("sk-secret"));
    }

    #[test]
    fn addresses_and_authorities() {
        let target = |url: &str| Target::new(Url::parse(url).unwrap());
        assert_eq!(target("http://[::1]:9000").address(), ("::1".into(), 9000));
        assert_eq!(target("http://[::1]:9000").authority(), "[::1]:9000");
        assert_eq!(target("https://gateway.example/").address(), ("gateway.example".into(), 443));
        assert_eq!(target("https://gateway.example/").authority(), "gateway.example");
        assert_eq!(target("https://gateway.example/").shown(), "https://gateway.example");
        for bad in ["ftp://a", "http://a/?q", "http://u:p@a", "http://a:0", "unix:/a"] {
            assert!(check_target_url(&Url::parse(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_field() {
        let spoil = |change: &dyn Fn(&mut wire::Target)| {
            let mut message = wire::Target::from(&Target::new(Url::parse("https://a").unwrap()));
            change(&mut message);
            Target::try_from(message).unwrap_err().field
        };
        let to = |host: &str, port| {
            Some(wire::target::Route::ConnectTo(wire::HostAndPort { host: host.into(), port }))
        };
        let socket = |path: &str| Some(wire::target::Route::UnixSocket(path.into()));
        assert_eq!(spoil(&|m| m.route = to("", 1)), "target.connect_to");
        assert_eq!(spoil(&|m| m.route = to("a", 0)), "target.connect_to");
        assert_eq!(spoil(&|m| m.route = to("a", 65_536)), "target.connect_to");
        assert_eq!(spoil(&|m| m.route = socket("a")), "target.unix_socket");
        assert_eq!(spoil(&|m| m.route = socket("/a")), "target.unix_socket", "with https");
        assert_eq!(spoil(&|m| m.local_addresses = vec!["localhost".into()]), "target.local_addresses");
        let half = wire::ClientIdentity { certificate_pem: "PEM".into(), key_pem: String::new() };
        assert_eq!(spoil(&|m| m.client_identity = Some(half.clone())), "target.client_identity");
    }
}
