//! Who may reach what: the fleet's two firewall rules.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::api::Firewall;
use super::bodies::{self, IAP_RANGE};
use super::error::GcpError;
use super::workshop::{Thing, Workshop};
use crate::config::gcp::{Reach, Source};

/// How long whoever tells this machine's address may take.
const ADDRESS_LIMIT: Duration = Duration::from_secs(15);

/// Lets the coordinator, and nobody else, reach the workers.
///
/// # Errors
/// When the rule cannot be made, or this machine's own address cannot be found.
pub async fn open_workers(workshop: &Workshop) -> Result<(), GcpError> {
    let ranges = match (&workshop.config.reach, &workshop.config.source) {
        (Reach::Iap, _) => vec![IAP_RANGE.to_owned()],
        (Reach::External, Source::Ranges(ranges)) => ranges.clone(),
        (Reach::External, Source::Ask(url)) => vec![format!("{}/32", own_address(url).await?)],
    };
    let name = workshop.names.workers_rule();
    ensure(workshop, &name, bodies::workers_rule(&workshop.config, &workshop.names, &ranges)).await
}

/// Lets workers, and nobody else, reach the platform.
///
/// # Errors
/// When the rule cannot be made.
pub async fn open_platform(workshop: &Workshop, port: u16) -> Result<(), GcpError> {
    let name = workshop.names.platform_rule();
    ensure(workshop, &name, bodies::platform_rule(&workshop.config, &workshop.names, port)).await
}

async fn ensure(workshop: &Workshop, name: &str, body: Value) -> Result<(), GcpError> {
    let client = &workshop.client;
    let wanted: Firewall = serde_json::from_value(body.clone()).unwrap_or_default();
    let mut found = client.firewall(name).await?;
    if let Some(rule) = &found
        && workshop.names.own_rule(rule)
        && rule.network_name() != wanted.network_name()
    {
        // A rule cannot move to another network.
        client.delete_firewall(name).await?;
        found = None;
    }
    let found = match found {
        Some(found) => found,
        None => match client.insert_firewall(name, body.clone()).await {
            Err(error) if error.is_already_there() => match client.firewall(name).await? {
                Some(found) => found,
                None => return Err(error.into()),
            },
            made => {
                made?;
                workshop.has_made(Thing::Rule(name.to_owned()));
                return Ok(());
            }
        },
    };
    if !workshop.names.own_rule(&found) {
        let fleet = workshop.names.fleet().to_owned();
        return Err(GcpError::NameTaken { kind: "the firewall rule", name: name.to_owned(), fleet });
    }
    if lets_in_the_same(&found, &wanted) { Ok(()) } else { Ok(client.patch_firewall(name, body).await?) }
}

/// Whether a rule lets the same ones in to the same ports of the same machines.
fn lets_in_the_same(found: &Firewall, wanted: &Firewall) -> bool {
    let ports = |rule: &Firewall| -> Vec<String> {
        rule.allowed.iter().flat_map(|allowed| allowed.ports.iter().cloned()).collect()
    };
    !found.disabled
        && same(&found.source_ranges, &wanted.source_ranges)
        && same(&found.source_tags, &wanted.source_tags)
        && same(&found.target_tags, &wanted.target_tags)
        && same(&ports(found), &ports(wanted))
}

fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    sorted(one) == sorted(other)
}

/// As the page tells it. It is asked over IPv4, which is what the VMs are reached by.
async fn own_address(url: &Url) -> Result<Ipv4Addr, GcpError> {
    let failed = |problem: String| GcpError::OwnAddress { url: url.to_string(), problem };
    let client = reqwest::Client::builder()
        .local_address(std::net::IpAddr::from(Ipv4Addr::UNSPECIFIED))
        .timeout(ADDRESS_LIMIT)
        .build();
    let asked = async { client?.get(url.clone()).send().await?.error_for_status()?.text().await };
    let text = asked.await.map_err(|error| failed(error.without_url().to_string()))?;
    let line = text.trim();
    line.parse().map_err(|_| failed(format!("it says `{}`", line.chars().take(60).collect::<String>())))
}
