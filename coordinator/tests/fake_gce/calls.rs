//! Calls as such: who may make them, how they go wrong, who sees them, and which Google would not have.

use super::*;

#[test]
fn a_token_is_needed_and_can_be_had() {
    let (gce, client) = fake();
    let stranger = Client { token: "another".to_owned(), ..Client::of(&gce) };
    let refused = stranger.get(INSTANCES);
    assert_eq!((refused.status, &refused.json["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c";
    let granted =
        stranger.send("POST", "/token", "application/x-www-form-urlencoded", form.as_bytes()).unwrap();
    let token = granted.json["access_token"].as_str().unwrap().to_owned();
    assert_eq!(Client { token, ..Client::of(&gce) }.get(INSTANCES).status, 200);
    assert_eq!(client.get("/ip").bytes, b"127.0.0.1");
    gce.refuse_token(gce.token());
    assert_eq!(client.get(INSTANCES).status, 401);
}

#[test]
fn calls_go_wrong_as_scripted() {
    let (gce, client) = fake();
    let project = "projects/bench-project";
    let all: [(u16, &str, _); 8] = [
        (403, "rateLimitExceeded", errors::rate_limited()),
        (403, "quotaExceeded", errors::quota_exceeded("INSTANCES", 24, "europe-west1")),
        (403, "forbidden", errors::forbidden("compute.instances.create", project)),
        (403, "forbidden", errors::act_as_missing("a@b.example")),
        (403, "accessNotConfigured", errors::not_enabled("compute.googleapis.com", "bench-project")),
        (503, "backendError", errors::backend_error()),
        (400, "resourceNotReady", errors::resource_not_ready(project)),
        (400, "SERVICE_ACCOUNT_ACCESS_DENIED", errors::service_account_access_denied("a@b.example")),
    ];
    for (status, reason, answer) in all {
        gce.script(Rule::next("POST", "*/instances", Fault::Answer(answer)));
        let refused = client.post(INSTANCES, &body("vm-1"));
        assert_eq!((refused.status, &refused.json["error"]["errors"][0]["reason"]), (status, &json!(reason)));
    }
    gce.script(Rule::nth("GET", "*", 2, Fault::Close));
    assert_eq!(client.get(INSTANCES).status, 200);
    assert!(client.send("GET", &format!("/compute/v1/{INSTANCES}"), "text/plain", b"").is_err());
    assert!(gce.instances().is_empty());

    gce.script(Rule::next("POST", "*/instances", Fault::LoseAnswer));
    let insert = || client.send("POST", INSTANCES, "application/json", body("vm-1").to_string().as_bytes());
    assert!(insert().is_err());
    assert_eq!(gce.instances().len(), 1);
    assert_eq!(insert().unwrap().status, 409);
    let missing = errors::missing_in_operation("projects/debian-cloud/global/images/family/debian-12");
    gce.script(Rule::every("DELETE", "*", Fault::FailOperation(missing)));
    let operation = client.done(&client.delete(&format!("{INSTANCES}/vm-1")));
    assert_eq!(operation["error"]["errors"][0]["code"], "RESOURCE_NOT_FOUND");
    assert_eq!(gce.instance("vm-1").unwrap()["status"], "RUNNING");
    let statuses: Vec<_> = gce.log().iter().map(|call| call.status.unwrap_or_default()).collect();
    assert_eq!(statuses[..8], [403, 403, 403, 403, 403, 503, 400, 400]);
}

#[test]
fn a_call_that_hangs_ends_with_the_fake() {
    let (gce, client) = fake();
    gce.script(Rule::next("GET", "*", Fault::Hang));
    let hanging = thread::spawn(move || client.send("GET", INSTANCES, "text/plain", b"").is_err());
    assert!(wait_until(A_WHILE, || gce.log().len() == 1));
    assert!(!hanging.is_finished());
    drop(gce);
    assert!(hanging.join().unwrap());
}

#[test]
fn a_hook_sees_every_call_twice() {
    let (gce, client) = fake();
    let seen: Arc<Mutex<Vec<(u64, Moment)>>> = Arc::default();
    gce.on_call({
        let seen = Arc::clone(&seen);
        move |event| seen.lock().unwrap().push((event.number, event.moment))
    });
    client.get(INSTANCES);
    client.get(FIREWALLS);
    assert!(wait_until(A_WHILE, || seen.lock().unwrap().len() == 4));
    let expected = [
        (1, Moment::BeforeAnswer),
        (1, Moment::AfterAnswer),
        (2, Moment::BeforeAnswer),
        (2, Moment::AfterAnswer),
    ];
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|(number, _)| *number);
    assert_eq!(seen, expected);
}

#[test]
fn what_google_would_not_have_is_collected() {
    let (gce, client) = fake();
    let mut wrong = body("vm-1");
    wrong["sheduling"] = json!({});
    wrong["disks"][0]["initializeParams"]["diskSizeGb"] = json!(20);
    wrong["scheduling"]["provisioningModel"] = json!("CHEAP");
    assert_eq!(client.post(INSTANCES, &wrong).status, 400);
    // Also where the call goes wrong anyway.
    gce.script(Rule::next("GET", "*", Fault::Answer(errors::backend_error())));
    assert_eq!(client.get(&format!("{INSTANCES}?filtr=x")).status, 503);
    assert_eq!(client.get(&format!("{INSTANCES}?maxResults=501")).status, 400);
    assert_eq!(client.get(&format!("{INSTANCES}?maxResults=many")).status, 400);
    assert_eq!(client.get("projects/bench-project/zones/europe-west1-b/disks").status, 404);
    let violations = gce.take_violations();
    let expected = ["diskSizeGb", "CHEAP", "sheduling", "filtr", "many", "/disks"];
    assert_eq!(violations.len(), expected.len(), "{violations:?}");
    for (violation, expected) in violations.iter().zip(expected) {
        assert!(violation.contains(expected), "{violation}");
    }
}
