//! What happens to a request on its way: it is recorded, goes wrong when a test wants it to, is checked, done, and its
//! answer is checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Shared;
use super::call::{Answer, Call};
use super::discovery;
use super::errors;
use super::faults::{Fault, fault_of};
use super::methods::{self, Manner};
use super::state::Access;
use super::{CallEvent, Moment, Recorded};
use crate::support::request::Request;

/// The bytes of an answer, and what is to be done when they are sent.
type Sending = (Vec<u8>, Box<dyn FnOnce()>);

/// Answers a request; `None` closes its connection.
pub fn serve(shared: &Arc<Shared>, request: Request, peer: SocketAddr) -> Option<Sending> {
    let call = Call::of(request);
    let number = record(shared, &call);
    let fault = fault_of(&mut shared.rules.lock().unwrap(), &call);
    let mut manner = Manner::default();
    let wrong = check(shared, &call);
    match &fault {
        Some(Fault::Close) => return None,
        Some(Fault::Hang) => return hang(shared),
        Some(Fault::FailOperation(failure)) => manner.failure = Some(failure.clone()),
        Some(Fault::Delay(long)) => shared.wait_until(*long, |_| false),
        Some(Fault::WaitNot) => manner.waits_not = true,
        _ => {}
    }
    let answer = match &fault {
        Some(Fault::Answer(answer)) => answer.clone(),
        _ => answer(shared, &call, peer, manner, &wrong),
    };
    shared.log.lock().unwrap()[number].status = Some(answer.status);
    tell(shared, number, &call, Moment::BeforeAnswer);
    match fault {
        Some(Fault::LoseAnswer) => return None,
        Some(Fault::HangAfter) => return hang(shared),
        _ => {}
    }
    let shared = Arc::clone(shared);
    let now = shared.state().clock.now();
    Some((answer.on_the_wire(now), Box::new(move || tell(&shared, number, &call, Moment::AfterAnswer))))
}

fn record(shared: &Shared, call: &Call) -> usize {
    let time = shared.state().clock.time();
    let mut log = shared.log.lock().unwrap();
    let (method, path, query, body) =
        (call.method.clone(), call.path.clone(), call.query.clone(), call.body());
    log.push(Recorded { method, path, query, body, time, status: None });
    log.len() - 1
}

fn tell(shared: &Shared, number: usize, call: &Call, moment: Moment) {
    let hook = shared.hook.lock().unwrap().clone();
    if let Some(hook) = hook {
        let (method, path) = (call.method.clone(), call.path.clone());
        hook(&CallEvent { number: number as u64 + 1, method, path, moment });
    }
}

fn hang<T>(shared: &Shared) -> Option<T> {
    shared.wait_until(Duration::MAX, |_| false);
    None
}

/// What is wrong with a call, whether or not it goes wrong anyway.
fn check(shared: &Shared, call: &Call) -> Vec<String> {
    if is_beside_the_api(call) {
        return Vec::new();
    }
    let named = format!("{} {}", call.method, call.path);
    let (name, wrong) = match discovery::find(call) {
        Some(matched) => (matched.id(), matched.check_call(call)),
        None => (named.as_str(), vec!["there is no such method".to_owned()]),
    };
    wrong.iter().for_each(|wrong| shared.violation(format!("{name}: {wrong}")));
    wrong
}

fn is_beside_the_api(call: &Call) -> bool {
    matches!((call.method.as_str(), call.path.as_str()), ("GET", "/ip") | ("POST", "/token"))
}

fn answer(shared: &Shared, call: &Call, peer: SocketAddr, manner: Manner, wrong: &[String]) -> Answer {
    if is_beside_the_api(call) {
        return if call.path == "/ip" {
            Answer::bytes("text/plain", peer.ip().to_string().into_bytes())
        } else {
            token(shared, call)
        };
    }
    let Some(matched) = discovery::find(call) else {
        return Answer::error(404, "global", "notFound", "Not Found");
    };
    if let Some(first) = wrong.first() {
        return errors::invalid(&format!("Invalid JSON payload received. {first}"));
    }
    let answer = methods::answer(shared, &matched, call, manner);
    for wrong in matched.check_answer(&answer) {
        shared.violation(format!("{} answered: {wrong}", matched.id()));
    }
    answer
}

/// A token for a service account that signed for it, or for a user who was here before.
fn token(shared: &Shared, call: &Call) -> Answer {
    let form: Vec<(String, String)> = match serde_json::from_slice(&call.body) {
        // Google's own library for Rust sends JSON, which Google takes as well.
        Ok(serde_json::Value::Object(fields)) => {
            fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
        }
        _ => url::form_urlencoded::parse(&call.body).into_owned().collect(),
    };
    let value = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let is_signed = |assertion: &str| assertion.split('.').filter(|part| !part.is_empty()).count() == 3;
    let is_right = match value("grant_type") {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => value("assertion").is_some_and(is_signed),
        Some("refresh_token") => value("refresh_token").is_some_and(|token| !token.is_empty()),
        _ => false,
    };
    if !is_right {
        let error = json!({"error": "invalid_grant", "error_description": "Bad Request"});
        return Answer::json_of(400, &error);
    }
    let mut state = shared.state();
    let token = format!("ya29.exchanged-{}", state.number());
    state.tokens.insert(token.clone(), Access::Full);
    Answer::good(&json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}
