//! Lists in pages.
//!
//! As Google's do, a page goes through a limited number of resources and shows those that the filter lets through: it
//! can be short, or empty, and others still follow.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::catalogue;
use super::errors;
use super::filter::Filter;
use super::state::{LINKS, Place, State};

/// More than that nobody gets at once.
const MAX_RESULTS: usize = 500;

/// A page of a list.
struct Page {
    shown: Vec<(Place, Value)>,
    next: Option<String>,
}

impl State {
    /// `instances.list`.
    pub fn list_instances(&self, call: &Call, project: &str, zone: &str) -> Answer {
        let here = |place: &Place| place.project == project && place.zone.as_deref() == Some(zone);
        let all = self.instances.iter().map(|(place, instance)| (place, &instance.value));
        let page = self.page(call, all.filter(|(place, _)| here(place)));
        answer(page, "compute#instanceList", &format!("projects/{project}/zones/{zone}/instances"))
    }

    /// `firewalls.list`.
    pub fn list_firewalls(&self, call: &Call, project: &str) -> Answer {
        let page = self.page(call, self.firewalls.iter().filter(|(place, _)| place.project == project));
        answer(page, "compute#firewallList", &format!("projects/{project}/global/firewalls"))
    }

    /// `zoneOperations.list`.
    pub fn list_operations(&self, call: &Call, project: &str, zone: &str) -> Answer {
        let all = self.operations.values().map(|operation| (&operation.place, &operation.value));
        let here = |place: &Place| place.project == project && place.zone.as_deref() == Some(zone);
        let page = self.page(call, all.filter(|(place, _)| here(place)));
        answer(page, "compute#operationList", &format!("projects/{project}/zones/{zone}/operations"))
    }

    /// `zones.list`.
    pub fn list_zones(&self, call: &Call, project: &str) -> Answer {
        let all: Vec<(Place, Value)> = catalogue::zones()
            .map(|zone| (Place::global(project, zone), catalogue::zone(project, zone).unwrap()))
            .collect();
        let page = self.page(call, all.iter().map(|(place, value)| (place, value)));
        answer(page, "compute#zoneList", &format!("projects/{project}/zones"))
    }

    /// `instances.aggregatedList`: all zones, and a note for each that has nothing on this page.
    pub fn list_all_instances(&self, call: &Call, project: &str) -> Answer {
        let all = self.instances.iter().map(|(place, instance)| (place, &instance.value));
        let page = match self.page(call, all.filter(|(place, _)| place.project == project)) {
            Ok(page) => page,
            Err(refusal) => return refusal,
        };
        let mut items = json!({});
        for zone in catalogue::zones() {
            let here = page.shown.iter().filter(|(place, _)| place.zone.as_deref() == Some(zone));
            let here: Vec<&Value> = here.map(|(_, value)| value).collect();
            let scope = format!("zones/{zone}");
            items[&scope] = match here.is_empty() {
                false => json!({ "instances": here }),
                true => {
                    let data = json!([{"key": "scope", "value": scope}]);
                    let message = format!("There are no results for scope '{scope}' on this page.");
                    json!({"warning": {"code": "NO_RESULTS_ON_PAGE", "message": message, "data": data}})
                }
            };
        }
        let id = format!("projects/{project}/aggregated/instances");
        let mut list = json!({
            "kind": "compute#instanceAggregatedList", "id": id, "items": items, "selfLink": format!("{LINKS}{id}"),
        });
        if let Some(next) = page.next {
            list["nextPageToken"] = json!(next);
        }
        Answer::good(&list)
    }

    /// A page of resources that come in order.
    fn page<'a>(
        &self,
        call: &Call,
        all: impl Iterator<Item = (&'a Place, &'a Value)>,
    ) -> Result<Page, Answer> {
        let filter = call.query("filter").unwrap_or_default();
        let Some(filter) = Filter::read(filter) else {
            let message =
                format!("Invalid value for field 'filter': '{filter}'. Invalid list filter expression.");
            return Err(errors::invalid(&message));
        };
        let after = match call.query("pageToken") {
            None | Some("") => None,
            Some(token) => Some(last_of(token).ok_or_else(|| {
                errors::invalid(&format!("Invalid value for field 'pageToken': '{token}'. "))
            })?),
        };
        let asked = call.query("maxResults").and_then(|number| number.parse().ok()).unwrap_or(MAX_RESULTS);
        if asked > MAX_RESULTS {
            let message =
                format!("Invalid value for field 'maxResults': '{asked}'. Must be at most {MAX_RESULTS}");
            return Err(errors::invalid(&message));
        }
        let limit = self.page_limit.min(asked).max(1);
        let mut rest =
            all.filter(|(place, _)| after.as_ref().is_none_or(|after| key(place) > *after)).peekable();
        let gone_through: Vec<_> = rest.by_ref().take(limit).collect();
        let last = gone_through.last().map(|(place, _)| key(place));
        let shown = gone_through.into_iter().filter(|(_, value)| filter.fits(value));
        Ok(Page {
            shown: shown.map(|(place, value)| (place.clone(), value.clone())).collect(),
            next: rest.peek().and(last).map(|last| URL_SAFE.encode(last)),
        })
    }
}

/// In the order of places.
fn key(place: &Place) -> String {
    [&place.project, place.zone.as_ref().unwrap_or(&String::new()), &place.name]
        .map(String::as_str)
        .join("\u{1}")
}

fn last_of(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE.decode(token).ok()?).ok()
}

fn answer(page: Result<Page, Answer>, kind: &str, id: &str) -> Answer {
    let page = match page {
        Ok(page) => page,
        Err(refusal) => return refusal,
    };
    let mut list = json!({"kind": kind, "id": id, "selfLink": format!("{LINKS}{id}")});
    if !page.shown.is_empty() {
        list["items"] = page.shown.into_iter().map(|(_, value)| value).collect();
    }
    if let Some(next) = page.next {
        list["nextPageToken"] = json!(next);
    }
    Answer::good(&list)
}
