//! Which scenarios there are, and one of them as it would be sent.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use proto::SOFTWARE_VERSION;
use proto::expectation::Expectation;
use proto::target::Target;
use url::Url;

use crate::cli::{Given, ScenariosArgs};
use crate::config::{ConfigError, Redactor, Secret};
use crate::scenario::{DatasetFile, Scenario, ScenarioOptions};

/// The scenarios that are built in, or the one that was named.
///
/// # Errors
/// When there is no such scenario, its file or dataset cannot be used, or the key cannot be sent.
pub fn tell(args: &ScenariosArgs, given: &Given) -> Result<String, ConfigError> {
    let api_key = Secret::api_key(given)?;
    let dataset = args.body.dataset.as_deref().map(DatasetFile::read).transpose()?;
    let number = |given: Option<NonZeroU32>| given.map(NonZeroU32::get);
    let mut options = ScenarioOptions {
        dataset: dataset.as_ref(),
        input_tokens: number(args.body.input_tokens),
        output_tokens: number(args.body.output_tokens),
        seed: args.seed.unwrap_or_default(),
        ..ScenarioOptions::new(&args.path, &args.model, &args.headers, api_key.expose())
    };
    options.bodies = number(args.body.bodies).unwrap_or(options.bodies);
    match &args.name {
        None => {
            let names = Scenario::BUILT_IN.map(|(name, _)| name.to_owned());
            Ok(list(&Scenario::load_all(&names, &options)?))
        }
        Some(name) => {
            let scenarios = Scenario::load_all(std::slice::from_ref(name), &options)?;
            let redactor = Redactor::new([(&api_key, scenarios.as_slice())]);
            Ok(scenarios.iter().map(|scenario| shown(scenario, args.target.as_deref(), &redactor)).collect())
        }
    }
}

fn list(scenarios: &[Scenario]) -> String {
    let mut text = String::new();
    for (scenario, (name, about)) in scenarios.iter().zip(Scenario::BUILT_IN) {
        let bytes = scenario.request.body.len();
        let way = if scenario.expectation.is_stream() { "streamed" } else { "in one piece" };
        let good = good_answer(&scenario.expectation);
        // Writing into a string does not fail.
        let _ = write!(
            text,
            "{name}\n  sends   {about}, {bytes} bytes\n  answer  {way}; good when it has {good}\n\n"
        );
    }
    text.push_str(
        "Show one as it would be sent with `archestra-bench scenarios NAME`, also a .toml or .json file.\n",
    );
    text
}

/// What an answer must have, after "good when it has".
fn good_answer(expectation: &Expectation) -> String {
    let status = match expectation.status {
        Some(status) => format!("status {status}"),
        None => "a status of 2xx".into(),
    };
    let json = expectation.json.iter().map(|wanted| match &wanted.equals {
        Some(value) => format!("{} = {value}", wanted.pointer),
        None => wanted.pointer.clone(),
    });
    let reason = expectation.finish_reason.iter().map(|reason| format!("the finish reason {reason}"));
    let stream = expectation.stream.map(|format| format!("events with content, up to {}", format.end()));
    std::iter::once(status).chain(json).chain(reason).chain(stream).collect::<Vec<_>>().join(", ")
}

/// A request of the load over HTTP/1.1, then what a good answer to it is. What nobody may see is not in it.
fn shown(scenario: &Scenario, target: Option<&str>, redactor: &Redactor) -> String {
    let request = &scenario.request;
    let mut head = vec![format!("{} {} HTTP/1.1", request.method, redactor.url(&request.path))];
    head.extend(host(target).map(|host| format!("Host: {host}")));
    head.push(format!("User-Agent: archestra-bench/{SOFTWARE_VERSION} (load)"));
    head.push("Accept-Encoding: identity".into());
    head.extend(request.headers.iter().map(|(name, value)| redactor.header(name, value)));
    if !request.body.is_empty() {
        head.push(format!("Content-Length: {}", request.body.len()));
    }
    let body = redactor.text(&String::from_utf8_lossy(&request.body));
    let varied = match &scenario.variety {
        Some(variety) => {
            format!("\nBodies differ: this is one, and the load has {} others.\n", variety.bodies)
        }
        None => String::new(),
    };
    let good = good_answer(&scenario.expectation);
    format!("{}\n\n{body}\n{varied}\nGood is an answer that has {good}.\n", head.join("\n"))
}

/// What the `Host` header says of a target.
fn host(target: Option<&str>) -> Option<String> {
    let target = target?.trim();
    if target.starts_with("unix:") {
        return Some("localhost".into());
    }
    Url::parse(target).ok().map(|url| Target::new(url).authority())
}
