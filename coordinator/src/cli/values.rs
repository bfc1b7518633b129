//! How the values of flags and variables are read.
//!
//! Every error reads on from the name of the flag or the variable: "must be at least 1".

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::assignment::{MAX_SPAN, MAX_STREAMS};
use proto::load::{Rate, WarmUp};
use proto::target::HttpVersion;

use crate::scenario::Header;
use crate::trust::FleetName;

/// Where a worker listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerAddress {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl WorkerAddress {
    /// Whether nothing that is sent there leaves this machine.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Anything but nothing.
pub(crate) fn text(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(text.into()) }
}

/// On or off.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("must be true or false, not `{}`", text.trim())),
    }
}

/// A whole number from 1.
pub(crate) fn count(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(whole_number(text)?).ok_or("must be at least 1".into())
}

/// A whole number from 1 to 4294967295.
pub(crate) fn count_u32(text: &str) -> Result<NonZeroU32, String> {
    NonZeroU32::try_from(count(text)?)
        .map_err(|_| format!("must be at most {}, not {}", u32::MAX, text.trim()))
}

/// More than one coordinator can lead. A number that was mistyped must not start so many processes or machines.
const MOST_WORKERS: u32 = 1_000;

/// A number of workers.
pub(crate) fn workers(text: &str) -> Result<NonZeroU32, String> {
    let workers = count_u32(text)?;
    if workers.get() > MOST_WORKERS {
        Err(format!("must be at most {MOST_WORKERS}, not {workers}"))
    } else {
        Ok(workers)
    }
}

/// Any whole number.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    whole_number(text)
}

/// A span with its unit, above 0 and at most a week.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span.is_zero() {
        return Err("must be longer than 0".into());
    }
    if span > MAX_SPAN {
        return Err(format!("must be at most 7 days, not `{}`", text.trim()));
    }
    Ok(span)
}

/// Arrivals a second.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|problem| format!("must be arrivals a second: {problem}"))
}

/// A duration with its unit, a bare number of requests, or none.
pub(crate) fn warm_up(text: &str) -> Result<WarmUp, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(WarmUp::None);
    }
    if let Ok(requests) = text.parse() {
        return Ok(NonZeroU64::new(requests).map_or(WarmUp::None, WarmUp::Requests));
    }
    match span(text) {
        Ok(Duration::ZERO) => Ok(WarmUp::None),
        Ok(_) => duration(text).map(WarmUp::Duration),
        Err(_) => Err(format!(
            "must be a duration such as 2s, a number of requests such as 100, or none, not `{text}`"
        )),
    }
}

/// `1.1`, `2` or `auto`.
pub(crate) fn http_version(text: &str) -> Result<HttpVersion, String> {
    let text = text.trim();
    let known = HttpVersion::ALL.into_iter().find(|version| version.name() == text);
    known.ok_or_else(|| format!("must be 1.1, 2 or auto, not `{text}`"))
}

/// How many requests share a connection.
pub(crate) fn streams(text: &str) -> Result<NonZeroU32, String> {
    let streams = count_u32(text)?;
    if streams.get() > MAX_STREAMS {
        return Err(format!("must be at most {MAX_STREAMS}"));
    }
    Ok(streams)
}

/// A name that is also the name of a folder.
pub(crate) fn fleet_name(text: &str) -> Result<FleetName, String> {
    FleetName::new(text.trim())
}

/// `host:port`, with brackets round an IPv6 address.
pub(crate) fn worker_address(text: &str) -> Result<WorkerAddress, String> {
    let text = text.trim();
    let wrong = || format!("must be HOST:PORT, such as 10.0.0.2:7700 or [::1]:7700, not `{text}`");

    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().map_err(|_| wrong())?.to_string(),
        None => host.to_owned(),
    };
    let bare = host.parse::<Ipv6Addr>().is_ok() && text.starts_with('[');
    let is_name = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if bare || is_name { Ok(WorkerAddress { host, port }) } else { Err(wrong()) }
}

/// An IP address, with or without brackets.
pub(crate) fn ip_address(text: &str) -> Result<IpAddr, String> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| format!("must be an IP address, such as 10.0.0.2 or fd00::2, not `{text}`"))
}

/// `Name: value`.
pub(crate) fn header(text: &str) -> Result<Header, String> {
    text.parse()
}

/// A name as Google Cloud has them: lower-case letters, digits and dashes.
pub(crate) fn gcp_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be lower-case letters, digits and dashes, such as europe-west1-b, not `{text}`"))
    }
}

/// Addresses of IPv4 with the length of their common part; one address stands for itself.
pub(crate) fn address_range(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    match (address.parse::<Ipv4Addr>(), length.parse::<u8>()) {
        (Ok(address), Ok(length @ 0..=32)) => Ok(format!("{address}/{length}")),
        _ => Err(format!("must be a range of IPv4 addresses, such as 203.0.113.7/32, not `{text}`")),
    }
}

/// `key=value`, of what Google Cloud allows in labels.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let wrong = || {
        format!(
            "must be KEY=VALUE of lower-case letters, digits, dashes and underscores, not `{}`",
            text.trim()
        )
    };
    let (key, value) = text.trim().split_once('=').ok_or_else(wrong)?;
    let good = key.starts_with(|letter: char| letter.is_ascii_lowercase())
        && [key, value].iter().all(|part| part.len() <= 63 && part.bytes().all(fits));
    if good { Ok((key.to_owned(), value.to_owned())) } else { Err(wrong()) }
}

/// `NAME=value`, as a container takes it.
pub(crate) fn container_variable(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("must be NAME=VALUE in one line, not `{}`", text.trim());
    let (name, value) = text.trim().split_once('=').ok_or_else(wrong)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = !name.is_empty() && name.bytes().all(fits) && !value.contains(['\n', '\r']);
    if good { Ok((name.to_owned(), value.to_owned())) } else { Err(wrong()) }
}

/// A port that can be named.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = text.trim().parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("must be a port from 1 to 65535, not `{}`", text.trim()))
}

/// 64 hexadecimal digits.
pub(crate) fn sha256(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err(format!("must be the 64 digits that sha256sum prints, not `{text}`"))
    }
}

fn whole_number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("must be a whole number, not `{text}`"))
}

fn span(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    humantime::parse_duration(text)
        .map_err(|_| format!("must be a duration with its unit, such as 30s, 500ms or 2m, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_say_what_they_must_be() {
        assert_eq!(count("0").unwrap_err(), "must be at least 1");
        assert_eq!(count(" 7 ").unwrap().get(), 7);
        assert_eq!(count("-1").unwrap_err(), "must be a whole number, not `-1`");
        assert_eq!(count_u32("4294967296").unwrap_err(), "must be at most 4294967295, not 4294967296");
        assert_eq!(workers("1000").unwrap().get(), 1_000);
        assert_eq!(workers("4294967295").unwrap_err(), "must be at most 1000, not 4294967295");
        assert_eq!(
            rate("0").unwrap_err(),
            "must be arrivals a second: a rate of 0 requests per second is not above 0"
        );
    }

    #[test]
    fn durations_need_their_unit() {
        assert_eq!(duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert_eq!(
            duration("30").unwrap_err(),
            "must be a duration with its unit, such as 30s, 500ms or 2m, not `30`"
        );
        assert_eq!(duration("0s").unwrap_err(), "must be longer than 0");
        assert_eq!(duration("8d").unwrap_err(), "must be at most 7 days, not `8d`");
    }

    #[test]
    fn a_warm_up_is_a_time_a_count_or_nothing() {
        assert_eq!(warm_up("2s").unwrap(), WarmUp::Duration(Duration::from_secs(2)));
        assert_eq!(warm_up("500ms").unwrap(), WarmUp::Duration(Duration::from_millis(500)));
        assert_eq!(warm_up("20").unwrap(), WarmUp::Requests(NonZeroU64::new(20).unwrap()));
        for none in ["0", "none", "None", "0s"] {
            assert_eq!(warm_up(none).unwrap(), WarmUp::None, "{none}");
        }
        assert_eq!(
            warm_up("a bit").unwrap_err(),
            "must be a duration such as 2s, a number of requests such as 100, or none, not `a bit`"
        );
        assert_eq!(warm_up("9d").unwrap_err(), "must be at most 7 days, not `9d`");
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for (text, host, loopback) in [
            ("127.0.0.1:7700", "127.0.0.1", true),
            ("localhost:1", "localhost", true),
            ("[::1]:7700", "::1", true),
            ("worker-1.example:7700", "worker-1.example", false),
            ("10.0.0.2:7700", "10.0.0.2", false),
        ] {
            let address = worker_address(text).unwrap();
            assert_eq!((address.host.as_str(), address.is_loopback()), (host, loopback));
            assert_eq!(address.to_string(), text);
        }
        for bad in
            ["", "host", ":7700", "host:", "host:0", "host:70000", "::1:7700", "[x]:1", "http://a:1", "a b:1"]
        {
            let error = worker_address(bad).unwrap_err();
            assert!(
                error.starts_with("must be HOST:PORT") && error.ends_with(&format!("`{bad}`")),
                "{error}"
            );
        }
    }

    #[test]
    fn headers_are_checked_without_showing_their_value() {
        let header_argument = header("X-Team:  checkout ").unwrap();
        assert_eq!((header_argument.name.as_str(), header_argument.value.as_str()), ("X-Team", "checkout"));
        assert!(!format!("{:?}", header("authorization: Bearer sk-secret").unwrap()).contains("sk-secret"));
        for bad in ["sk-secret", "a b: sk-secret", ": sk-secret", "x: sk-secret\u{7f}", "Host: sk-secret"] {
            assert!(!header(bad).unwrap_err().contains("sk-secret"), "{bad}");
        }
    }

    #[test]
    fn http_versions_and_streams_are_read() {
        for version in HttpVersion::ALL {
            assert_eq!(http_version(version.name()), Ok(version));
        }
        assert_eq!(http_version("3").unwrap_err(), "must be 1.1, 2 or auto, not `3`");
        assert_eq!(streams("25").unwrap().get(), 25);
        assert_eq!(streams("10001").unwrap_err(), "must be at most 10000");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_in_a_sentence_that_reads_on(value in ".{0,40}") {
            let errors = [
                count(&value).err(), count_u32(&value).err(), duration(&value).err(), rate(&value).err(),
                warm_up(&value).err(), worker_address(&value).err(), http_version(&value).err(), streams(&value).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert!(error.starts_with("must "), "{}", error);
            }
        }

        #[test]
        fn an_address_survives_being_shown(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16..) {
            let address = WorkerAddress { host, port };
            prop_assert_eq!(worker_address(&address.to_string()), Ok(address));
        }
    }
}
