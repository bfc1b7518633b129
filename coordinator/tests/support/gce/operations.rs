//! Operations: what a change is until it is done, and what happens then.

use std::time::Duration;

use serde_json::{Value, json};

use super::call::Answer;
use super::errors::{self, OperationError};
use super::state::{Effect, LINKS, Pace, Place, State, USER};

/// An operation.
pub struct Operation {
    /// Its own place.
    pub place: Place,
    /// As it is shown.
    pub value: Value,
    number: u64,
    due: Due,
    work: Work,
    failure: Option<OperationError>,
}

/// What happens when an operation is done.
#[derive(Clone)]
pub enum Work {
    /// The instance runs; when the operation fails, it is no more.
    InsertInstance(Place),
    /// The instance is no more; when the operation fails, it runs on.
    DeleteInstance(Place),
    /// The instance is there and does not run.
    TerminateInstance(Place),
    /// The rule holds; when the operation fails, it is no more.
    InsertFirewall(Place),
    /// The rule is this.
    PatchFirewall(Place, Value),
    /// The rule is no more.
    DeleteFirewall(Place),
    /// It was done at once.
    Nothing,
}

/// An operation that begins.
pub struct Beginning<'a> {
    /// Such as `insert`.
    pub kind: &'a str,
    /// What it is done to.
    pub target: &'a Place,
    /// Such as `instances`.
    pub target_kind: &'a str,
    /// The ID of what it is done to.
    pub target_id: String,
    /// The request ID of the call.
    pub request: Option<&'a str>,
    /// How it ends.
    pub work: Work,
    /// Whether it fails instead.
    pub failure: Option<OperationError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    At(Duration),
    AfterLooks(u32),
    Done,
}

impl State {
    /// Begins an operation; as it is shown now.
    pub fn begin(&mut self, beginning: Beginning<'_>) -> Value {
        let due = match self.pace {
            Pace::Takes(long) => Due::At(self.clock.time() + long),
            Pace::Looks(looks) => Due::AfterLooks(looks),
        };
        self.begin_due(beginning, due, USER)
    }

    /// Begins one that Google wants, and that nobody waits for.
    pub fn begin_by_system(&mut self, beginning: Beginning<'_>) {
        let long = match self.pace {
            Pace::Takes(long) => long,
            Pace::Looks(_) => Duration::from_millis(20),
        };
        self.begin_due(beginning, Due::At(self.clock.time() + long), "system");
    }

    fn begin_due(&mut self, beginning: Beginning<'_>, due: Due, user: &str) -> Value {
        let number = self.number();
        let name = format!("operation-{}-{number:013x}-d22decbb-7a074f75", 1_795_485_518_433 + number);
        let place = Place { name, ..beginning.target.clone() };
        let now = self.stamp();
        let mut value = json!({
            "kind": "compute#operation",
            "id": self.id(),
            "name": place.name,
            "operationType": beginning.kind,
            "targetLink": beginning.target.link(beginning.target_kind),
            "targetId": beginning.target_id,
            "status": "RUNNING",
            "user": user,
            "progress": 0,
            "insertTime": now,
            "startTime": now,
            "selfLink": place.link("operations"),
        });
        if place.zone.is_some() {
            value["zone"] = json!(format!("{LINKS}{}", place.scope()));
        }
        if let Some(request) = beginning.request {
            value["clientOperationId"] = json!(request);
        }
        let (name, work, failure) = (place.name.clone(), beginning.work, beginning.failure);
        let shown = value.clone();
        self.operations.insert(name, Operation { place, value, number, due, work, failure });
        shown
    }

    /// An operation as it is shown; to look may bring it forward.
    pub fn look_at_operation(&mut self, place: &Place) -> Answer {
        let Some(operation) =
            self.operations.get_mut(&place.name).filter(|operation| operation.place == *place)
        else {
            return errors::not_found(&place.path("operations"));
        };
        if let Due::AfterLooks(looks) = &mut operation.due {
            *looks = looks.saturating_sub(1);
            if *looks == 0 {
                self.finish(&place.name);
            }
        }
        Answer::good(&self.operations[&place.name].value)
    }

    /// Whether waiting for it could be of use.
    pub fn is_worth_waiting(&self, name: &str) -> bool {
        self.operations.get(name).is_some_and(|operation| matches!(operation.due, Due::At(_)))
    }

    /// Ends what is due, the oldest first.
    pub fn finish_due_operations(&mut self) {
        let now = self.clock.time();
        let is_due = |operation: &&Operation| matches!(operation.due, Due::At(due) if due <= now);
        let mut due: Vec<_> = self.operations.values().filter(is_due).collect();
        due.sort_by_key(|operation| operation.number);
        let names: Vec<String> = due.iter().map(|operation| operation.place.name.clone()).collect();
        names.iter().for_each(|name| self.finish(name));
    }

    fn finish(&mut self, name: &str) {
        let now = self.stamp();
        let operation = self.operations.get_mut(name).unwrap();
        operation.due = Due::Done;
        operation.value["status"] = json!("DONE");
        operation.value["progress"] = json!(100);
        operation.value["endTime"] = json!(now);
        let failed = operation.failure.take().is_some_and(|failure| {
            operation.value["error"] = json!({"errors": failure.errors});
            operation.value["httpErrorStatusCode"] = json!(failure.status);
            operation.value["httpErrorMessage"] = json!(failure.message);
            true
        });
        let work = operation.work.clone();
        self.work(work, failed);
    }

    fn work(&mut self, work: Work, failed: bool) {
        match work {
            Work::InsertInstance(place) if failed => drop(self.instances.remove(&place)),
            Work::InsertInstance(place) => self.run_instance(&place),
            Work::DeleteInstance(place) if failed => self.set_status(&place, "RUNNING"),
            Work::DeleteInstance(place) => drop(self.instances.remove(&place)),
            Work::TerminateInstance(place) => self.set_status(&place, "TERMINATED"),
            Work::InsertFirewall(place) if failed => drop(self.firewalls.remove(&place)),
            Work::InsertFirewall(_) => self.tell_firewalls(),
            Work::PatchFirewall(..) | Work::DeleteFirewall(_) if failed => {}
            Work::PatchFirewall(place, value) => {
                self.firewalls.insert(place, value);
                self.tell_firewalls();
            }
            Work::DeleteFirewall(place) => {
                self.firewalls.remove(&place);
                self.tell_firewalls();
            }
            Work::Nothing => {}
        }
    }

    /// Tells the machines which rules hold now.
    pub fn tell_firewalls(&mut self) {
        let all = self.firewalls.values().cloned().collect();
        self.effects.push_back(Effect::Firewalls(all));
    }
}
