//! Which method does what: from a call whose form is right to its answer.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Shared;
use super::call::{Answer, Call};
use super::catalogue;
use super::discovery::Matched;
use super::errors::{self, OperationError};
use super::instance_body::plain;
use super::instances::Change;
use super::state::{Access, Place, State};

/// What a fault says about how a call is done.
#[derive(Default)]
pub struct Manner {
    /// Its operation fails so.
    pub failure: Option<OperationError>,
    /// It does not wait for an operation.
    pub waits_not: bool,
}

/// Does what a call of Compute Engine or Cloud Storage asks for.
pub fn answer(shared: &Shared, matched: &Matched, call: &Call, manner: Manner) -> Answer {
    let mut state = shared.state();
    let Some(access) = call.token().and_then(|token| state.access(token)) else {
        return errors::unauthenticated();
    };
    let id = matched.id();
    if access == Access::ReadObjects && !["storage.objects.get", "storage.objects.list"].contains(&id) {
        return Answer::error(403, "global", "insufficientPermissions", "Insufficient Permission");
    }
    state.settle();
    if let Some(storage) = id.strip_prefix("storage.") {
        return storage_answer(&mut state, storage, matched, call).unwrap_or_else(|refusal| refusal);
    }
    if let Some(wait) = id.strip_suffix("Operations.wait") {
        drop(state);
        return wait_for(shared, &operation_place(matched, wait), &manner);
    }
    compute_answer(&mut state, shared, matched, call, manner)
}

fn compute_answer(
    state: &mut State,
    shared: &Shared,
    matched: &Matched,
    call: &Call,
    manner: Manner,
) -> Answer {
    let project = matched.parameter("project");
    let is_public = matched.id().contains(".image");
    if !is_public && !state.projects.contains(project) {
        return errors::not_found(&format!("projects/{project}"));
    }
    if let Some(refusal) = refused_zone(matched) {
        return refusal;
    }
    let request = call.query("requestId");
    if let Some(request) = request {
        match Uuid::parse_str(request) {
            Ok(uuid) if !uuid.is_nil() => {}
            _ => {
                return errors::invalid(&format!(
                    "Invalid value for field 'requestId': '{request}'. Must be a UUID."
                ));
            }
        }
    }
    let known = request.map(|request| (request.to_lowercase(), matched.id(), call.path.clone()));
    let before = known.as_ref().and_then(|known| state.requests.get(known));
    if let Some(operation) = before.and_then(|name| state.operations.get(name)) {
        return Answer::good(&operation.value);
    }
    let change = Change { request, failure: manner.failure };
    let answer = one_answer(state, shared, matched, call, change);
    if let (Some(known), Some(body)) = (known, answer.json().filter(|_| answer.status == 200)) {
        state.requests.insert(known, plain(&body["name"]).to_owned());
    }
    answer
}

fn one_answer(
    state: &mut State,
    shared: &Shared,
    matched: &Matched,
    call: &Call,
    change: Change<'_>,
) -> Answer {
    let parameter = |name: &str| matched.parameter(name);
    let project = parameter("project");
    let zonal = |name: &str| Place::zonal(project, parameter("zone"), name);
    let instance = || zonal(parameter("instance"));
    let firewall = || Place::global(project, parameter("firewall"));
    let body = call.body();
    let shown = |kind: &str, name: &str, found: Option<Value>| match found {
        Some(found) => Answer::good(&found),
        None => errors::not_found(&format!("projects/{project}/{kind}/{name}")),
    };
    match matched.id().trim_start_matches("compute.") {
        "instances.insert" => {
            state.insert_instance(&zonal(plain(&body["name"])), &body, change, &*shared.machines)
        }
        "instances.delete" => state.delete_instance(&instance(), change),
        "instances.setLabels" => state.set_labels(&instance(), &body, change),
        "instances.get" => {
            let found = state.instances.get(&instance()).map(|instance| instance.value.clone());
            shown(&format!("zones/{}/instances", parameter("zone")), parameter("instance"), found)
        }
        "instances.list" => state.list_instances(call, project, parameter("zone")),
        "instances.aggregatedList" => state.list_all_instances(call, project),
        "instances.getGuestAttributes" => {
            state.guest_attributes(&instance(), call.query("queryPath").unwrap_or_default())
        }
        "instances.getSerialPortOutput" => {
            let start = call.query("start").and_then(|start| start.parse().ok()).unwrap_or_default();
            state.serial_output(&instance(), start)
        }
        "firewalls.insert" => {
            state.insert_firewall(&Place::global(project, plain(&body["name"])), &body, change)
        }
        "firewalls.get" => {
            shown("global/firewalls", parameter("firewall"), state.firewalls.get(&firewall()).cloned())
        }
        "firewalls.list" => state.list_firewalls(call, project),
        "firewalls.patch" => state.patch_firewall(&firewall(), &body, change),
        "firewalls.delete" => state.delete_firewall(&firewall(), change),
        "zoneOperations.get" => state.look_at_operation(&operation_place(matched, "compute.zone")),
        "zoneOperations.list" => state.list_operations(call, project, parameter("zone")),
        "globalOperations.get" => state.look_at_operation(&operation_place(matched, "compute.global")),
        "projects.get" => Answer::good(&catalogue::project(project)),
        "regions.get" => shown("regions", parameter("region"), state.region(project, parameter("region"))),
        "zones.get" => shown("zones", parameter("zone"), catalogue::zone(project, parameter("zone"))),
        "zones.list" => state.list_zones(call, project),
        "machineTypes.get" => {
            let (zone, name) = (parameter("zone"), parameter("machineType"));
            let found = catalogue::machine_type(project, zone, name);
            shown(&format!("zones/{zone}/machineTypes"), name, found)
        }
        "networks.get" => {
            let name = parameter("network");
            shown("global/networks", name, state.catalogue.network(project, name))
        }
        "images.getFromFamily" => {
            let family = parameter("family");
            shown("global/images/family", family, state.catalogue.image(project, family))
        }
        "imageFamilyViews.get" => {
            let family = parameter("family");
            let found = state.catalogue.image(project, family).map(|image| json!({ "image": image }));
            shown("zones/-/imageFamilyViews", family, found)
        }
        other => panic!("the fake does not do {other}"),
    }
}

fn storage_answer(state: &mut State, id: &str, matched: &Matched, call: &Call) -> Result<Answer, Answer> {
    let bucket = || matched.parameter("bucket");
    match id {
        "buckets.insert" => Ok(state.insert_bucket(call)),
        "buckets.list" => Ok(state.list_buckets(call)),
        "buckets.get" => Ok(Answer::good(&state.bucket(bucket())?.value)),
        "buckets.getStorageLayout" => {
            let (name, value) = (bucket(), &state.bucket(bucket())?.value);
            Ok(Answer::good(&json!({
                "kind": "storage#storageLayout", "bucket": name, "location": value["location"],
                "locationType": value["locationType"], "hierarchicalNamespace": {"enabled": false},
            })))
        }
        "buckets.patch" => state.patch_bucket(bucket(), call),
        "buckets.delete" => state.delete_bucket(bucket()),
        "buckets.getIamPolicy" => Ok(Answer::good(&state.bucket(bucket())?.policy)),
        "buckets.setIamPolicy" => state.set_policy(bucket(), call),
        "managedFolders.list" => Ok(Answer::good(&json!({"kind": "storage#managedFolders"}))),
        "objects.insert" => state.insert_object(bucket(), call),
        "objects.list" => state.list_objects(bucket(), call),
        "objects.get" => state.get_object(bucket(), matched.parameter("object"), call),
        "objects.delete" => state.delete_object(bucket(), matched.parameter("object"), call),
        other => panic!("the fake does not do {other}"),
    }
}

/// The zone of a path must be one; that of an image's view may be any.
fn refused_zone(matched: &Matched) -> Option<Answer> {
    let zone = matched.path.get("zone").filter(|zone| *zone != "-")?;
    let project = matched.parameter("project");
    catalogue::zones().all(|known| known != zone).then(|| {
        errors::invalid(&format!(
            "Invalid value for field 'zone': '{zone}'. Unknown zone. projects/{project}"
        ))
    })
}

fn operation_place(matched: &Matched, scope: &str) -> Place {
    let (project, name) = (matched.parameter("project"), matched.parameter("operation"));
    match scope {
        "compute.zone" => Place::zonal(project, matched.parameter("zone"), name),
        _ => Place::global(project, name),
    }
}

/// Waits until the operation is done, or for as long as waiting lasts; then it may still run.
fn wait_for(shared: &Shared, place: &Place, manner: &Manner) -> Answer {
    let limit = shared.state().wait_limit;
    shared.wait_until(limit, |state| {
        state.settle();
        manner.waits_not || !state.is_worth_waiting(&place.name)
    });
    shared.state().look_at_operation(place)
}
