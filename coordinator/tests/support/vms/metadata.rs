//! The metadata server of a VM, at port 80 of its own loopback.

use std::net::TcpListener;
use std::sync::Arc;

use serde_json::json;

use super::namespace::Namespace;
use crate::support::gce::server::Server;
use crate::support::gce::{Access, Handle, InstanceView};
use crate::support::request::Request;

/// Paths begin so.
const ROOT: &str = "/computeMetadata/v1/";
/// Guest attributes are below.
const GUEST_ATTRIBUTES: &str = "instance/guest-attributes/";

/// Status and body.
type Said = (u16, String);

/// Starts the server of an instance within its namespace.
pub fn start(namespace: &Namespace, fake: &Handle, instance: &InstanceView) -> Server {
    let listener = namespace.within(|| TcpListener::bind("127.0.0.1:80").unwrap());
    fake.accept_token(&token(instance), Access::ReadObjects);
    let (fake, instance) = (fake.clone(), instance.clone());
    Server::start(
        listener,
        Arc::new(move |request, _| {
            let (status, body) = answer(&fake, &instance, &request);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Fake\r\nmetadata-flavor: Google\r\nserver: Metadata Server for VM\r\n\
                 content-type: application/text\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            Some((answer.into_bytes(), Box::new(|| {})))
        }),
    )
}

/// With which a VM reads objects.
pub fn token(instance: &InstanceView) -> String {
    format!("ya29.of-{}", instance.name)
}

fn answer(fake: &Handle, instance: &InstanceView, request: &Request) -> Said {
    if request.header("metadata-flavor") != Some("Google") {
        return (403, "Missing Metadata-Flavor:Google header.".to_owned());
    }
    let path = request.path.split('?').next().unwrap();
    let Some(path) = path.strip_prefix(ROOT) else { return not_found() };
    match (request.method.as_str(), path.strip_prefix(GUEST_ATTRIBUTES)) {
        ("PUT", Some(attribute)) => publish(fake, instance, attribute, &request.body),
        ("GET", None) => read(instance, path).map_or_else(not_found, |found| (200, found)),
        _ => not_found(),
    }
}

fn publish(fake: &Handle, instance: &InstanceView, attribute: &str, value: &[u8]) -> Said {
    let enabled = instance.metadata.get("enable-guest-attributes");
    if !enabled.is_some_and(|enabled| enabled.eq_ignore_ascii_case("true")) {
        return (403, "Guest attributes endpoint access is disabled.".to_owned());
    }
    match attribute.split_once('/') {
        Some((namespace, key)) if !namespace.is_empty() && !key.is_empty() => {
            fake.set_guest_attribute(&instance.name, namespace, key, &String::from_utf8_lossy(value));
            (200, String::new())
        }
        _ => not_found(),
    }
}

/// `None` when there is no such thing.
fn read(instance: &InstanceView, path: &str) -> Option<String> {
    if let Some(key) = path.strip_prefix("instance/attributes/") {
        let names = || instance.metadata.keys().map(|key| format!("{key}\n")).collect();
        return if key.is_empty() { Some(names()) } else { instance.metadata.get(key).cloned() };
    }
    if let Some(about) = path.strip_prefix("instance/service-accounts/default/") {
        let account = instance.service_account.as_ref()?;
        let token = json!({"access_token": token(instance), "expires_in": 3599, "token_type": "Bearer"});
        return match about {
            "email" => Some(account.clone()),
            "token" => Some(token.to_string()),
            _ => None,
        };
    }
    let InstanceView { project, zone, name, network_ip, nat_ip, .. } = instance;
    match path {
        "instance/name" => Some(name.clone()),
        "instance/zone" => Some(format!("projects/123456789012/zones/{zone}")),
        "instance/hostname" => Some(format!("{name}.{zone}.c.{project}.internal")),
        "instance/network-interfaces/0/ip" => Some(network_ip.clone()),
        "instance/network-interfaces/0/access-configs/0/external-ip" => nat_ip.clone(),
        "project/project-id" => Some(project.clone()),
        _ => None,
    }
}

fn not_found() -> Said {
    (404, "Not Found".to_owned())
}
