//! Google's errors: what a call is answered with, and what an operation fails with.

use serde_json::{Value, json};

use super::call::Answer;

/// How an operation fails.
#[derive(Debug, Clone)]
pub struct OperationError {
    /// What `error.errors` holds.
    pub errors: Value,
    /// What `httpErrorStatusCode` says.
    pub status: u16,
    /// What `httpErrorMessage` says.
    pub message: &'static str,
}

/// 404: there is no such resource, whose path begins with `projects/`.
pub fn not_found(resource: &str) -> Answer {
    Answer::error(404, "global", "notFound", &format!("The resource '{resource}' was not found"))
}

/// 409: there is one already.
pub fn already_exists(resource: &str) -> Answer {
    Answer::error(409, "global", "alreadyExists", &format!("The resource '{resource}' already exists"))
}

/// 400: a value that cannot be.
pub fn invalid(message: &str) -> Answer {
    Answer::error(400, "global", "invalid", message)
}

/// 400: what must not be there while it is in use, or not yet.
pub fn resource_not_ready(resource: &str) -> Answer {
    Answer::error(400, "global", "resourceNotReady", &format!("The resource '{resource}' is not ready"))
}

/// 401: a token that is not known, or none.
pub fn unauthenticated() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                   other valid authentication credential. See \
                   https://developers.google.com/identity/sign-in/web/devconsole-project.";
    let error = json!({
        "message": "Invalid Credentials", "domain": "global", "reason": "authError",
        "location": "Authorization", "locationType": "header",
    });
    let body = json!({"code": 401, "message": message, "errors": [error], "status": "UNAUTHENTICATED"});
    Answer::json_of(401, &json!({ "error": body }))
}

/// 403: too many calls a minute.
pub fn rate_limited() -> Answer {
    recorded(include_str!("../../fixtures/gce/errors/http_rate.json"))
}

/// 403: a quota would be exceeded, said at once.
pub fn quota_exceeded(metric: &str, limit: u32, region: &str) -> Answer {
    let message = format!("Quota '{metric}' exceeded.  Limit: {limit}.0 in region {region}.");
    Answer::error(403, "usageLimits", "quotaExceeded", &message)
}

/// 403: a permission is missing.
pub fn forbidden(permission: &str, resource: &str) -> Answer {
    Answer::error(403, "global", "forbidden", &format!("Required '{permission}' permission for '{resource}'"))
}

/// 403: the user may not let a VM act as this service account.
pub fn act_as_missing(account: &str) -> Answer {
    forbidden("iam.serviceAccounts.actAs", account)
}

/// 400: the same, in the other shape that Compute Engine is known to give it.
pub fn service_account_access_denied(account: &str) -> Answer {
    let message = format!(
        "The user does not have access to service account '{account}'.  User: 'tester@example.com'.  Ask a project \
         owner to grant you the iam.serviceAccountUser role on the service account"
    );
    Answer::error(400, "global", "SERVICE_ACCOUNT_ACCESS_DENIED", &message)
}

/// 403: the project does not use this API yet.
pub fn not_enabled(service: &str, project: &str) -> Answer {
    let url = format!("https://console.developers.google.com/apis/api/{service}/overview?project={project}");
    let message = format!(
        "{service} has not been used in project {project} before or it is disabled. Enable it by visiting {url} then \
         retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    let error = json!({
        "message": message, "domain": "usageLimits", "reason": "accessNotConfigured", "extendedHelp": url,
    });
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": format!("projects/{project}")},
    }]);
    let body = json!({
        "code": 403, "message": message, "errors": [error], "status": "PERMISSION_DENIED", "details": details,
    });
    Answer::json_of(403, &json!({ "error": body }))
}

/// 403: nobody pays for the project.
pub fn billing_disabled(project: &str) -> Answer {
    let message = format!(
        "This API method requires billing to be enabled. Please enable billing on project #{project}."
    );
    let error = json!({"message": message, "domain": "global", "reason": "forbidden"});
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BILLING_DISABLED",
        "domain": "googleapis.com", "metadata": {"consumer": format!("projects/{project}")},
    }]);
    let body = json!({
        "code": 403, "message": message, "errors": [error], "status": "PERMISSION_DENIED", "details": details,
    });
    Answer::json_of(403, &json!({ "error": body }))
}

/// 403: the project is within a perimeter, and whoever asks is not.
pub fn outside_perimeter() -> Answer {
    let message = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: 0aB";
    Answer::error(403, "global", "forbidden", message)
}

/// 412: the organization allows no such thing.
pub fn constraint_violated(constraint: &str, project: &str) -> Answer {
    let message = format!("Constraint constraints/{constraint} violated for project {project}.");
    Answer::error(412, "global", "conditionNotMet", &message)
}

/// 403: a quota of all regions together would be exceeded.
pub fn quota_of_all_regions(metric: &str, limit: u32) -> Answer {
    let message = format!("Quota '{metric}' exceeded.  Limit: {limit}.0 globally.");
    Answer::error(403, "usageLimits", "quotaExceeded", &message)
}

/// 503: something within Google.
pub fn backend_error() -> Answer {
    recorded(include_str!("../../fixtures/gce/errors/http_503.json"))
}

/// The zone has no room for the VM; `others` has, when it is said.
pub fn pool_exhausted(zone: &str, machine_type: &str, others: Option<&str>) -> OperationError {
    let mut error: Value =
        serde_json::from_str(include_str!("../../fixtures/gce/errors/op_stockout.json")).unwrap();
    let error = &mut error["insert_op"]["errors"][0];
    error["message"] = json!(format!(
        "The zone 'projects/bench-project/zones/{zone}' does not have enough resources available to fulfill the request.  \
         '(resource type:compute)'."
    ));
    match others {
        Some(others) => {
            let metadatas =
                json!({"attachment": "", "vmType": machine_type, "zone": zone, "zonesAvailable": others});
            error["errorDetails"][2]["errorInfo"]["metadatas"] = metadatas;
            error["errorDetails"][1]["localizedMessage"]["message"] = json!(format!(
                "A {machine_type} VM instance is currently unavailable in the {zone} zone. Consider trying your request \
                 in the {others} zone(s), which currently has capacity to accommodate your request."
            ));
        }
        None => {
            error["code"] = json!("ZONE_RESOURCE_POOL_EXHAUSTED");
            error.as_object_mut().unwrap().remove("errorDetails");
        }
    }
    OperationError { errors: json!([error]), status: 503, message: "SERVICE UNAVAILABLE" }
}

/// A quota would be exceeded, said by the operation.
pub fn quota_of_operation(metric: &str, limit: u32, region: &str) -> OperationError {
    let quota = json!({
        "metricName": format!("compute.googleapis.com/{}", metric.to_lowercase()),
        "limitName": format!("{metric}-per-project-region"),
        "dimensions": {"region": region}, "limit": limit,
    });
    let error = json!({
        "code": "QUOTA_EXCEEDED", "errorDetails": [{"quotaInfo": quota}],
        "message": format!("Quota '{metric}' exceeded.  Limit: {limit}.0 in region {region}."),
    });
    OperationError { errors: json!([error]), status: 403, message: "FORBIDDEN" }
}

/// Something that the request names is not there, said by the operation.
pub fn missing_in_operation(resource: &str) -> OperationError {
    let message = format!("The resource '{resource}' was not found");
    let error = json!({"code": "RESOURCE_NOT_FOUND", "message": message});
    OperationError { errors: json!([error]), status: 404, message: "NOT FOUND" }
}

/// The answer of a file in `tests/fixtures/gce/errors`.
fn recorded(text: &str) -> Answer {
    let recorded: Value = serde_json::from_str(text).unwrap();
    let answer = &recorded["insert_http"];
    Answer::json_of(answer["code"].as_u64().unwrap() as u16, &answer["body"])
}
