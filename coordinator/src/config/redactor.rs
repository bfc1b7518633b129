//! Takes secrets out of whatever is shown or stored.

use std::fmt;

use proto::counters::Counters;
use proto::outcome::Failure;

use super::Secret;
use crate::plan::Block;
use crate::scenario::{Scenario, sounds_secret};

const REDACTED: &str = "[redacted]";

/// Shorter ones may be part of an ordinary word.
const SHORTEST_SECRET: usize = 8;
/// A shorter part of a secret, at the end of a text that was cut, tells nothing.
const SHORTEST_PART: usize = 4;

/// What one run sends and nobody may see: the key, and what its headers and paths hold that sounds secret.
#[derive(Clone)]
pub struct Redactor(Vec<String>);

impl Redactor {
    /// For the scenarios of each arm, and the key that they are sent with.
    pub fn new<'a>(arms: impl IntoIterator<Item = (&'a Secret, &'a [Scenario])>) -> Self {
        let mut secrets = Vec::new();
        for (api_key, scenarios) in arms {
            secrets.push(api_key.expose().to_owned());
            for scenario in scenarios {
                let headers = scenario.request.headers.iter();
                let values =
                    headers.filter(|(name, _)| sounds_secret(name)).map(|(_, value)| without_scheme(value));
                secrets.extend(values.map(ToOwned::to_owned));
                secrets.extend(secret_parameters(&scenario.request.path).map(ToOwned::to_owned));
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        // One that holds another is taken out first.
        secrets.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        secrets.dedup();
        Self(secrets)
    }

    /// Any text.
    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// A text that may have been cut in the middle of a secret.
    pub fn cut_text(&self, text: &str) -> String {
        let text = self.text(text);
        let part_of = |secret: &String| {
            let parts = (SHORTEST_PART..secret.len()).rev().filter(|length| secret.is_char_boundary(*length));
            parts.into_iter().find(|length| text.ends_with(&secret[..*length]))
        };
        match self.0.iter().filter_map(part_of).max() {
            Some(length) => format!("{}{REDACTED}", &text[..text.len() - length]),
            None => text,
        }
    }

    /// A path with its query, or a URL.
    pub fn url(&self, url: &str) -> String {
        self.text(&public_url(url))
    }

    /// A header as the user wrote it, or several, one a line.
    pub(super) fn headers(&self, headers: &str) -> String {
        self.text(&headers.split('\n').map(public_header).collect::<Vec<_>>().join("\n"))
    }

    /// What a record holds of a scenario; it cannot be sent any more.
    pub fn scenario(&self, scenario: &mut Scenario) {
        scenario.request.path = self.url(&scenario.request.path);
        scenario.request.body = match std::str::from_utf8(&scenario.request.body) {
            Ok(body) => self.text(body).into_bytes(),
            Err(_) => std::mem::take(&mut scenario.request.body),
        };
    }

    /// What a record holds of a block's scenarios.
    pub fn block(&self, block: &mut Block) {
        self.scenario(&mut block.scenario);
        block.mix.iter_mut().for_each(|mixed| self.scenario(&mut mixed.scenario));
    }

    /// Counts with a worker's words for its failures.
    pub fn counters(&self, counters: &mut Counters) {
        for (failure, count) in std::mem::take(&mut counters.failures) {
            let failure = Failure { detail: self.text(&failure.detail), ..failure };
            let sum = counters.failures.entry(failure).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor([redacted])")
    }
}

/// A secret without the word that says what it is, such as `Bearer`.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, secret)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => secret.trim(),
        _ => value,
    }
}

fn public_header(header: &str) -> String {
    match header.split_once(':') {
        Some((name, _)) if sounds_secret(name) => format!("{name}: {REDACTED}"),
        Some(_) => header.to_owned(),
        None => REDACTED.to_owned(),
    }
}

/// Takes out what stands before an `@` in the authority, and the values of secret query parameters.
fn public_url(url: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    let before = match before.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://{REDACTED}@{host}"),
            None => before.to_owned(),
        },
        None => before.to_owned(),
    };
    let Some(query) = query else { return before };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if sounds_secret(name) => format!("{name}={REDACTED}"),
        _ => parameter.to_owned(),
    });
    format!("{before}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn secret_parameters(path: &str) -> impl Iterator<Item = &str> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    parameters.filter(|(name, _)| sounds_secret(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::fixtures::{block, closed, requests};

    fn redactor() -> (Redactor, Scenario) {
        let mut scenario = block(closed(1), requests(1)).scenario;
        scenario.request.headers = vec![
            ("authorization".into(), "Bearer sk-live-0123456789".into()),
            ("x-api-key".into(), "other-secret".into()),
            ("x-team".into(), "checkout-team".into()),
        ];
        scenario.request.path = "/v1/x?token=third-secret&page=42424242".into();
        scenario.request.body = b"{\"key\":\"sk-live-0123456789\"}".to_vec();
        let arms = [(&Secret::new("sk-live-0123456789"), std::slice::from_ref(&scenario))];
        (Redactor::new(arms), scenario)
    }

    #[test]
    fn what_is_sent_in_secret_is_taken_out_of_any_text() {
        let (redactor, mut scenario) = redactor();
        assert_eq!(
            redactor.text("Bearer sk-live-0123456789, other-secret, third-secret, checkout-team, 42424242"),
            "Bearer [redacted], [redacted], [redacted], checkout-team, 42424242"
        );
        redactor.scenario(&mut scenario);
        assert_eq!(scenario.request.path, "/v1/x?token=[redacted]&page=42424242");
        assert_eq!(scenario.request.body, b"{\"key\":\"[redacted]\"}");
        assert_eq!(format!("{redactor:?}"), "Redactor([redacted])");
    }

    #[test]
    fn a_secret_that_was_cut_is_taken_out_too() {
        let (redactor, _) = redactor();
        assert_eq!(redactor.cut_text("got sk-live-01234"), "got [redacted]");
        assert_eq!(redactor.cut_text("got sk-live-0123456789 and oth"), "got [redacted] and oth");
        assert_eq!(redactor.cut_text("nothing"), "nothing");
    }

    #[test]
    fn each_line_of_a_header_flag_is_a_header() {
        let (redactor, _) = redactor();
        assert_eq!(
            redactor.headers("x-team: a\nX-Api-Key: b\nc"),
            "x-team: a\nX-Api-Key: [redacted]\n[redacted]"
        );
    }
}
