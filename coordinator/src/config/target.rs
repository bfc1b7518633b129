//! Where requests go: a base URL that is no model provider's by mistake.

use std::path::Path;

use proto::target::{Request, Target, check_target_url};
use url::Url;

use super::{ConfigError, TargetChoice};
use crate::cli::{Given, Origin, RunArgs};

/// The target that was given, or the built-in mock.
pub(super) fn choose(args: &RunArgs, given: &Given) -> Result<TargetChoice, ConfigError> {
    let url = args.target.as_deref().map(|text| checked_url(text, args.allow_provider, given)).transpose()?;
    if url.as_ref().is_none_or(|url| url.scheme() != "https") {
        let needing_tls = ["target_ca", "insecure_target"].into_iter();
        if let Some(id) = needing_tls.into_iter().find(|id| given.origin(id) == Origin::Flag) {
            return Err(ConfigError::NeedsHttps { flag: given.place(id).into() });
        }
    }

    let Some(url) = url else { return Ok(TargetChoice::BuiltInMock) };
    let (extra_roots, insecure) = if url.scheme() == "https" {
        (args.target_ca.as_deref().map(|path| read_roots(path, given)).transpose()?, args.insecure_target)
    } else {
        (None, false)
    };
    Ok(TargetChoice::Url(Target { url, extra_roots, insecure, http_version: args.http_version }))
}

/// Checks the path that scenarios without one of their own share. It is not shown: its query may hold a secret.
pub(super) fn check_path(args: &RunArgs, given: &Given) -> Result<(), ConfigError> {
    let request =
        Request { method: "GET".into(), path: args.path.clone(), headers: Vec::new(), body: Vec::new() };
    request.check().map_err(|invalid| ConfigError::Path {
        place: given.place("path").to_owned(),
        problem: invalid.problem,
    })
}

fn checked_url(text: &str, allow_provider: bool, given: &Given) -> Result<Url, ConfigError> {
    let place = given.place("target").to_owned();
    let url = match base_url(text) {
        Ok(url) => url,
        Err(problem) => return Err(ConfigError::Target { place, problem }),
    };
    let host = url.host_str().unwrap_or_default();
    if !allow_provider && is_provider(host) {
        return Err(ConfigError::Provider { place, host: host.to_owned() });
    }
    Ok(url)
}

/// Reads a base URL. The error reads on from where it was given, and never shows a password.
fn base_url(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err(format!(
            "is `{}`, which has no scheme; write http://HOST:PORT or https://HOST:PORT{}",
            without_secrets(text),
            suggestion(text)
        ));
    }
    let shown = without_secrets(text);
    let url = Url::parse(text).map_err(|problem| {
        format!("is `{shown}`, which is no URL ({problem}); write it like http://127.0.0.1:9000")
    })?;
    check_target_url(&url)
        .map_err(|problem| format!("is `{shown}`, which {problem}; write it like http://127.0.0.1:9000"))?;
    if url.path() != "/" {
        let base = url.origin().ascii_serialization();
        return Err(format!(
            "is `{shown}`, which has a path; give the base URL, {base}, and the whole path of a request with --path"
        ));
    }
    Ok(url)
}

/// What was probably meant by a URL without a scheme.
fn suggestion(text: &str) -> String {
    let meant = format!("http://{text}");
    match base_url(&meant) {
        Ok(_) => format!(", here probably {meant}"),
        Err(_) => String::new(),
    }
}

/// Without user, password, query and fragment. Broken URLs come here as well: nothing before the last `@` is shown, but
/// for the scheme.
fn without_secrets(text: &str) -> String {
    let shown = match text.rsplit_once('@') {
        None => text.to_owned(),
        Some((before, host)) => match before.split_once("://") {
            Some((scheme @ ("http" | "https"), _)) => format!("{scheme}://{host}"),
            _ => host.to_owned(),
        },
    };
    shown.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Domains of providers, with everything below them.
const PROVIDERS: &[&str] = &[
    "ai21.com",
    "aiplatform.googleapis.com",
    "anthropic.com",
    "cerebras.ai",
    "cloudflare.com",
    "cognitiveservices.azure.com",
    "cohere.ai",
    "cohere.com",
    "dashscope.aliyuncs.com",
    "deepinfra.com",
    "deepseek.com",
    "fireworks.ai",
    "generativelanguage.googleapis.com",
    "githubcopilot.com",
    "groq.com",
    "huggingface.co",
    "inference.ai.azure.com",
    "mistral.ai",
    "models.github.ai",
    "moonshot.ai",
    "moonshot.cn",
    "nvidia.com",
    "openai.azure.com",
    "openai.com",
    "openrouter.ai",
    "perplexity.ai",
    "replicate.com",
    "sambanova.ai",
    "services.ai.azure.com",
    "together.ai",
    "together.xyz",
    "x.ai",
    "z.ai",
];

/// Whether a host belongs to somebody who charges for requests.
fn is_provider(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let below =
        |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_bedrock = host.starts_with("bedrock") && host.ends_with(".amazonaws.com");
    PROVIDERS.iter().any(below) || is_bedrock || host.ends_with("-aiplatform.googleapis.com")
}

fn read_roots(path: &Path, given: &Given) -> Result<String, ConfigError> {
    let (place, path) = (given.place("target_ca").to_owned(), path.to_owned());
    let pem = match std::fs::read_to_string(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(ConfigError::UnreadableRoots { place, path, source }),
    };
    if crate::trust::holds_certificates(&pem) { Ok(pem) } else { Err(ConfigError::NoRoots { place, path }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_urls_are_accepted_with_or_without_a_last_slash() {
        for good in
            ["http://127.0.0.1:9000", "http://127.0.0.1:9000/", "https://gateway.example", "http://[::1]:1"]
        {
            assert!(base_url(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn bad_urls_say_how_to_mend_them() {
        let problem = |text: &str| base_url(text).unwrap_err();
        assert_eq!(
            problem("localhost:9000"),
            "is `localhost:9000`, which has no scheme; write http://HOST:PORT or https://HOST:PORT, here probably \
             http://localhost:9000"
        );
        assert_eq!(
            problem("http://h:9000/v1"),
            "is `http://h:9000/v1`, which has a path; give the base URL, http://h:9000, and the whole path of a request \
             with --path"
        );
        assert_eq!(
            problem("ftp://h"),
            "is `ftp://h`, which has the scheme `ftp`, not http or https; write it like http://127.0.0.1:9000"
        );
        assert_eq!(
            problem("http://h:port"),
            "is `http://h:port`, which is no URL (invalid port number); write it like http://127.0.0.1:9000"
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        for text in
            ["http://u:sk-secret@h", "u:sk-secret@h:1", "http://h/?key=sk-secret", "http://u:sk-secret@h:x"]
        {
            let problem = base_url(text).unwrap_err();
            assert!(!problem.contains("sk-secret"), "{problem}");
        }
    }

    #[test]
    fn providers_are_known_in_any_spelling() {
        for host in [
            "api.openai.com",
            "API.OpenAI.com.",
            "me.openai.azure.com",
            "api.anthropic.com",
            "us-central1-aiplatform.googleapis.com",
            "bedrock-runtime.eu-west-1.amazonaws.com",
            "api.x.ai",
            "x.ai",
        ] {
            assert!(is_provider(host), "{host}");
        }
        for host in
            ["127.0.0.1", "gateway.example", "openai.com.example", "vertex.ai", "box.ai", "elb.amazonaws.com"]
        {
            assert!(!is_provider(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn nothing_before_an_at_sign_is_ever_shown(text in "(http://)?[a-z:/@?#]{0,6}:SECRET[?#/]?@[a-z:/?#]{0,10}") {
            if let Err(problem) = base_url(&text) {
                prop_assert!(!problem.contains("SECRET"), "{}", problem);
            }
        }
    }
}
