//! From what a call asks for to the instance as it is shown, or to what is wrong with it.

use serde_json::{Value, json};

use super::call::Answer;
use super::catalogue::{IMAGE_GB, default_service_account, processors};
use super::errors;
use super::schema::is_resource_name;
use super::state::{LINKS, Place, State, fingerprint};

const MAX_VALUE_BYTES: usize = 256 * 1024;
const MAX_METADATA_BYTES: usize = 512 * 1024;
/// In seconds: 30 seconds to 120 days.
const RUN_DURATIONS: std::ops::RangeInclusive<u64> = 30..=10_368_000;

/// What comes after `compute/v1/` of a link, which may be a part of one already.
pub fn path_of(link: &str) -> &str {
    link.rsplit_once("/v1/").map_or(link, |(_, path)| path)
}

/// The last part of a link.
pub fn last(link: &Value) -> &str {
    link.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()
}

/// What is wrong with the body of `instances.insert`.
pub fn refusal(state: &State, place: &Place, body: &Value) -> Option<Answer> {
    let wrong = |field: &str, value: &Value, why: &str| {
        Some(errors::invalid(&format!(
            "Invalid value for field 'resource.{field}': '{}'. {why}",
            plain(value)
        )))
    };
    if !is_resource_name(&place.name) {
        let why = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'";
        return wrong("name", &body["name"], why);
    }
    let (machine_type, zone) = (&body["machineType"], place.zone.as_deref().unwrap_or_default());
    let is_here = path_of(plain(machine_type)).contains(&format!("zones/{zone}/machineTypes/"));
    if !is_here || processors(last(machine_type)).is_none() {
        return wrong("machineType", machine_type, "The referenced resource does not exist.");
    }
    refused_disks(state, &body["disks"])
        .or_else(|| refused_network(state, place, &body["networkInterfaces"]))
        .or_else(|| refused_labels(&body["labels"]))
        .or_else(|| refused_metadata(&body["metadata"]["items"]))
        .or_else(|| refused_tags(&body["tags"]["items"]))
        .or_else(|| refused_scheduling(&body["scheduling"]))
}

fn refused_disks(state: &State, disks: &Value) -> Option<Answer> {
    let Some(boot) = disks.as_array().into_iter().flatten().find(|disk| disk["boot"] == true) else {
        return Some(errors::invalid(
            "Invalid value for field 'resource.disks': ''. No boot disk specified.",
        ));
    };
    let asked = &boot["initializeParams"];
    let image = path_of(plain(&asked["sourceImage"]));
    if !state.catalogue.has_image(image) {
        return Some(errors::not_found(image));
    }
    let size = asked["diskSizeGb"].as_str().and_then(|size| size.parse::<u64>().ok());
    size.is_some_and(|size| size < IMAGE_GB).then(|| {
        let field = "resource.disks[0].initializeParams.diskSizeGb";
        let size = size.unwrap_or_default();
        errors::invalid(&format!(
            "Invalid value for field '{field}': '{size}'. Requested disk size cannot be smaller than the image size \
             ({IMAGE_GB} GB)"
        ))
    })
}

fn refused_network(state: &State, place: &Place, interfaces: &Value) -> Option<Answer> {
    let Some(interface) = interfaces.get(0) else {
        let message = "Invalid value for field 'resource.networkInterfaces': ''. At least one network interface is required.";
        return Some(errors::invalid(message));
    };
    let network = interface.get("network").map_or("default", last);
    let path = format!("projects/{}/global/networks/{network}", place.project);
    (!state.catalogue.networks.contains(network)).then(|| errors::not_found(&path))
}

/// What is wrong with labels.
pub fn refused_labels(labels: &Value) -> Option<Answer> {
    let fits = |text: &str| {
        let is_allowed = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character)
        };
        text.len() <= 63 && text.chars().all(is_allowed)
    };
    let starts = |key: &str| key.starts_with(|character: char| character.is_ascii_lowercase());
    let mut labels = labels.as_object().into_iter().flatten();
    let (key, value) = labels.find(|(key, value)| !starts(key) || !fits(key) || !fits(plain(value)))?;
    Some(errors::invalid(&format!(
        "Invalid value for field 'resource.labels': '{key}={}'. Label keys and values can only contain lowercase letters, \
         numeric characters, underscores and dashes, and have at most 63 characters.",
        plain(value)
    )))
}

fn refused_metadata(items: &Value) -> Option<Answer> {
    let items: Vec<&Value> = items.as_array().into_iter().flatten().collect();
    let lengths = items.iter().map(|item| plain(&item["value"]).len());
    if lengths.clone().any(|length| length > MAX_VALUE_BYTES) {
        return Some(errors::invalid("Value for metadata key is too large: maximum size is 262144 bytes."));
    }
    let whole: usize =
        lengths.sum::<usize>() + items.iter().map(|item| plain(&item["key"]).len()).sum::<usize>();
    (whole > MAX_METADATA_BYTES)
        .then(|| errors::invalid("Metadata is too large: maximum size is 524288 bytes."))
}

fn refused_tags(tags: &Value) -> Option<Answer> {
    let wrong = tags.as_array().into_iter().flatten().find(|tag| !is_resource_name(plain(tag)))?;
    let message = format!("Invalid value for field 'resource.tags.items[0]': '{}'.", plain(wrong));
    Some(errors::invalid(&message))
}

fn refused_scheduling(scheduling: &Value) -> Option<Answer> {
    let is_spot = scheduling["provisioningModel"] == "SPOT" || scheduling["preemptible"] == true;
    if is_spot && scheduling["automaticRestart"] != false {
        return Some(errors::invalid("Scheduling must have automaticRestart=false when it is preemptible."));
    }
    let longest = scheduling.get("maxRunDuration")?;
    let seconds = longest["seconds"].as_str().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
    let is_right = RUN_DURATIONS.contains(&seconds) && scheduling["instanceTerminationAction"].is_string();
    (!is_right).then(|| {
        errors::invalid(
            "Invalid value for field 'resource.scheduling.maxRunDuration': it needs 30 to 10368000 seconds and an \
             instanceTerminationAction.",
        )
    })
}

/// The instance as it is shown from the beginning, without its addresses.
pub fn shown(state: &mut State, place: &Place, body: &Value) -> Value {
    let mut shown = body.clone();
    for (number, disk) in shown["disks"].as_array_mut().unwrap().iter_mut().enumerate() {
        furnish_disk(disk, number, place);
    }
    shown["metadata"]["kind"] = json!("compute#metadata");
    shown["metadata"]["fingerprint"] = json!(fingerprint(&body["metadata"]));
    shown["tags"]["fingerprint"] = json!(fingerprint(&body["tags"]));
    let interfaces = shown["networkInterfaces"].as_array_mut().unwrap();
    for (number, interface) in interfaces.iter_mut().enumerate() {
        furnish_interface(interface, number, place);
    }
    furnish_scheduling(&mut shown["scheduling"]);
    let accounts = shown.get_mut("serviceAccounts").and_then(Value::as_array_mut);
    for account in accounts.into_iter().flatten() {
        if account["email"] == "default" {
            account["email"] = json!(default_service_account());
        }
    }
    let now = state.stamp();
    let more = json!({
        "id": state.id(),
        "kind": "compute#instance",
        "selfLink": place.link("instances"),
        "creationTimestamp": now,
        "status": "PROVISIONING",
        "zone": format!("{LINKS}{}", place.scope()),
        "labelFingerprint": fingerprint(&body["labels"]),
        "fingerprint": fingerprint(body),
        "startRestricted": false,
        "deletionProtection": body["deletionProtection"] == true,
        "canIpForward": body["canIpForward"] == true,
        "cpuPlatform": "Unknown CPU Platform",
    });
    shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shown
}

fn furnish_disk(disk: &mut Value, number: usize, place: &Place) {
    let asked = disk.as_object_mut().unwrap().remove("initializeParams").unwrap_or_default();
    let size = asked["diskSizeGb"].as_str().map_or_else(|| IMAGE_GB.to_string(), str::to_owned);
    disk["deviceName"] = json!(format!("persistent-disk-{number}"));
    disk["kind"] = json!("compute#attachedDisk");
    disk["index"] = json!(number);
    disk["interface"] = json!("SCSI");
    disk["source"] = json!(place.link("disks"));
    disk["diskSizeGb"] = json!(size);
}

fn furnish_interface(interface: &mut Value, number: usize, place: &Place) {
    let network = interface.get("network").map_or("default", last).to_owned();
    interface["network"] = json!(format!("{LINKS}projects/{}/global/networks/{network}", place.project));
    interface["kind"] = json!("compute#networkInterface");
    interface["name"] = json!(format!("nic{number}"));
    interface["fingerprint"] = json!(fingerprint(&json!(place.name)));
    interface["stackType"] = json!("IPV4_ONLY");
    let accesses = interface.get_mut("accessConfigs").and_then(Value::as_array_mut);
    for access in accesses.into_iter().flatten() {
        access["kind"] = json!("compute#accessConfig");
        if access.get("networkTier").is_none() {
            access["networkTier"] = json!("PREMIUM");
        }
    }
}

fn furnish_scheduling(scheduling: &mut Value) {
    let is_spot = scheduling["provisioningModel"] == "SPOT" || scheduling["preemptible"] == true;
    let defaults = json!({
        "automaticRestart": !is_spot,
        "onHostMaintenance": if is_spot { "TERMINATE" } else { "MIGRATE" },
        "preemptible": is_spot,
        "provisioningModel": if is_spot { "SPOT" } else { "STANDARD" },
    });
    for (key, value) in defaults.as_object().unwrap() {
        if scheduling[key].is_null() {
            scheduling[key] = value.clone();
        }
    }
}

/// The text of a string; empty for anything else.
pub fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
