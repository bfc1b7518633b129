//! Where requests go: a base URL that is no model provider's by mistake.

use std::path::Path;

use proto::route::Route;
use proto::target::{Request, Target, check_target_url};
use url::Url;

use super::error::PemError;
use super::{ConfigError, TargetChoice, identity, route};
use crate::cli::{Given, Origin, RunArgs};
use crate::trust;

/// Flags that mean nothing without TLS. Their variables may be set for another run.
const OF_TLS: [&str; 6] = [
    "target_ca",
    "insecure_target",
    "tls_server_name",
    "tls_session_resumption",
    "tls_client_certificate",
    "tls_client_key",
];

/// The target that was given, or the built-in mock.
pub(super) fn choose(args: &RunArgs, given: &Given) -> Result<TargetChoice, ConfigError> {
    let reached = match args.target.as_deref() {
        None => None,
        Some(text) => Some(match route::socket_path(text) {
            Some(path) => route::to_socket("target", path, args, given)?,
            None => (checked_url("target", text, args.allow_provider, given)?, route::to_url(args)),
        }),
    };
    let by_flag = |ids: &[&'static str]| ids.iter().find(|id| given.origin(id) == Origin::Flag).copied();
    let direct_over_tls = args.arms.direct.as_deref().is_some_and(|url| url.trim().starts_with("https:"));
    if reached.as_ref().is_none_or(|(url, _)| url.scheme() != "https")
        && !direct_over_tls
        && let Some(id) = by_flag(&OF_TLS)
    {
        return Err(ConfigError::NeedsHttps { flag: given.place(id).into() });
    }
    let Some((url, route)) = reached else {
        return match by_flag(&["connect_to", "local_addresses"]) {
            Some(id) => Err(ConfigError::NeedsTarget { flag: given.place(id).into() }),
            None => Ok(TargetChoice::BuiltInMock),
        };
    };
    if let Route::ConnectTo { host, .. } = &route {
        check_provider("connect_to", host, args.allow_provider, given)?;
    }
    let local_addresses = match route {
        Route::UnixSocket(_) => Vec::new(),
        Route::Url | Route::ConnectTo { .. } => args.reach.local_addresses.clone(),
    };
    let target = Target { route, local_addresses, http_version: args.http_version, ..Target::new(url) };
    Ok(TargetChoice::Url(if target.is_tls() { over_tls(target, args, given)? } else { target }))
}

/// The upstream that was given beside a target: what has to do with TLS and addresses holds for both, but for the way
/// and the name of the gateway, and what shows it who asks.
pub(super) fn choose_direct(
    args: &RunArgs,
    given: &Given,
    target: &TargetChoice,
) -> Result<Option<Target>, ConfigError> {
    let Some(text) = args.arms.direct.as_deref() else { return Ok(None) };
    if *target == TargetChoice::BuiltInMock {
        return match given.origin("direct") {
            Origin::Flag => Err(ConfigError::NeedsTarget { flag: given.place("direct").into() }),
            // A file may name the upstream of a gateway that this run has nothing to do with.
            _ => Ok(None),
        };
    }
    let (url, route) = match route::socket_path(text) {
        Some(path) => route::to_socket("direct", path, args, given)?,
        None => (checked_url("direct", text, args.allow_provider, given)?, Route::Url),
    };
    check_path_of(&args.arms.direct_path, "direct_path", given)?;
    let local_addresses = match route {
        Route::UnixSocket(_) => Vec::new(),
        Route::Url | Route::ConnectTo { .. } => args.reach.local_addresses.clone(),
    };
    let target = Target { route, local_addresses, http_version: args.http_version, ..Target::new(url) };
    if !target.is_tls() {
        return Ok(Some(target));
    }
    Ok(Some(Target {
        extra_roots: args.target_ca.as_deref().map(|path| read_roots(path, given)).transpose()?,
        insecure: args.insecure_target,
        session_resumption: args.reach.tls_session_resumption,
        ..target
    }))
}

fn over_tls(target: Target, args: &RunArgs, given: &Given) -> Result<Target, ConfigError> {
    if let Some(name) = args.reach.tls_server_name.as_ref().filter(|name| !trust::is_server_name(name)) {
        let (place, name) = (given.place("tls_server_name").to_owned(), name.clone());
        return Err(ConfigError::ServerName { place, name });
    }
    Ok(Target {
        extra_roots: args.target_ca.as_deref().map(|path| read_roots(path, given)).transpose()?,
        insecure: args.insecure_target,
        server_name: args.reach.tls_server_name.clone(),
        session_resumption: args.reach.tls_session_resumption,
        client_identity: identity::read(args, given)?,
        ..target
    })
}

/// Checks the path that scenarios without one of their own share. It is not shown: its query may hold a secret.
pub(super) fn check_path(args: &RunArgs, given: &Given) -> Result<(), ConfigError> {
    check_path_of(&args.path, "path", given)
}

fn check_path_of(path: &str, id: &str, given: &Given) -> Result<(), ConfigError> {
    let request =
        Request { method: "GET".into(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() };
    request
        .check()
        .map_err(|invalid| ConfigError::Path { place: given.place(id).to_owned(), problem: invalid.problem })
}

fn checked_url(id: &str, text: &str, allow_provider: bool, given: &Given) -> Result<Url, ConfigError> {
    let place = given.place(id).to_owned();
    let url = match base_url(text) {
        Ok(url) => url,
        Err(problem) => return Err(ConfigError::Target { place, problem }),
    };
    check_provider(id, url.host_str().unwrap_or_default(), allow_provider, given)?;
    Ok(url)
}

/// Whoever charges for requests must be meant.
fn check_provider(id: &str, host: &str, allowed: bool, given: &Given) -> Result<(), ConfigError> {
    if !allowed && is_provider(host) {
        return Err(ConfigError::Provider { place: given.place(id).into(), host: host.to_owned() });
    }
    Ok(())
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
    let pem = identity::pem(path, "target_ca", given)?;
    if trust::holds_certificates(&pem) {
        return Ok(pem);
    }
    Err(PemError::NoCertificate { place: given.place("target_ca").into(), path: path.to_owned() }.into())
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
