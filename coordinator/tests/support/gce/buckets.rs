//! Buckets of Cloud Storage and their policies.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::instance_body::plain;
use super::objects::Bucket;
use super::state::{PROJECT_NUMBER, State};

/// What links of Cloud Storage begin with.
pub const STORAGE_LINKS: &str = "https://www.googleapis.com/storage/v1/";

impl State {
    /// `buckets.insert`.
    pub fn insert_bucket(&mut self, call: &Call) -> Answer {
        let Some(project) = call.query("project").map(str::to_owned) else {
            return Answer::error(400, "global", "required", "Required parameter: project");
        };
        if !self.projects.contains(&project) {
            let message = format!("Unknown project id: {project}");
            return Answer::error(400, "global", "invalid", &message);
        }
        let body = call.body();
        let name = plain(&body["name"]).to_owned();
        if !is_bucket_name(&name) {
            let message = format!("Invalid bucket name: '{name}'");
            return Answer::error(400, "global", "invalid", &message);
        }
        match self.buckets.get(&name) {
            Some(bucket) if bucket.project == project => {
                let message =
                    "Your previous request to create the named bucket succeeded and you already own it.";
                Answer::error(409, "global", "conflict", message)
            }
            Some(_) => {
                let message = "The requested bucket name is not available. The bucket namespace is shared by all users \
                               of the system. Please select a different name and try again.";
                Answer::error(409, "global", "conflict", message)
            }
            None => Answer::good(&self.put_bucket(&project, &body).value),
        }
    }

    /// Puts a bucket there, whoever asked for it.
    pub fn put_bucket(&mut self, project: &str, body: &Value) -> &mut Bucket {
        let name = plain(&body["name"]).to_owned();
        let now = self.stamp();
        let mut value = body.clone();
        let location = body["location"].as_str().unwrap_or("US").to_uppercase();
        let is_multi = ["US", "EU", "ASIA"].contains(&location.as_str());
        let more = json!({
            "kind": "storage#bucket", "id": name, "name": name, "projectNumber": PROJECT_NUMBER,
            "selfLink": format!("{STORAGE_LINKS}b/{name}"), "location": location,
            "locationType": if is_multi { "multi-region" } else { "region" },
            "timeCreated": now, "updated": now, "metageneration": "1", "generation": "1795485518433000000",
            "etag": STANDARD.encode("1"),
        });
        let value_members = value.as_object_mut().unwrap();
        value_members.extend(more.as_object().unwrap().clone());
        value_members.entry("storageClass").or_insert(json!("STANDARD"));
        value_members.entry("iamConfiguration").or_insert(json!({
            "uniformBucketLevelAccess": {"enabled": false}, "publicAccessPrevention": "inherited",
        }));
        let members = |who: &str| json!([format!("{who}:{project}")]);
        let policy = json!({
            "kind": "storage#policy", "resourceId": format!("projects/_/buckets/{name}"), "version": 1,
            "etag": STANDARD.encode("policy 0"),
            "bindings": [
                {"role": "roles/storage.legacyBucketOwner", "members": members("projectOwner")},
                {"role": "roles/storage.legacyBucketReader", "members": members("projectViewer")},
            ],
        });
        let bucket = Bucket { project: project.to_owned(), value, policy, objects: BTreeMap::new() };
        self.buckets.entry(name).insert_entry(bucket).into_mut()
    }

    /// A bucket that the caller may use, or why there is none.
    pub fn bucket(&mut self, name: &str) -> Result<&mut Bucket, Answer> {
        let projects = self.projects.clone();
        match self.buckets.get_mut(name) {
            None => Err(Answer::error(404, "global", "notFound", "The specified bucket does not exist.")),
            Some(bucket) if !projects.contains(&bucket.project) => {
                let message = format!(
                    "tester@example.com does not have storage.buckets.get access to the Google Cloud Storage bucket. \
                     Permission 'storage.buckets.get' denied on resource '{name}' (or it may not exist)."
                );
                Err(Answer::error(403, "global", "forbidden", &message))
            }
            Some(bucket) => Ok(bucket),
        }
    }

    /// `buckets.list`.
    pub fn list_buckets(&self, call: &Call) -> Answer {
        let (project, prefix) = (call.query("project"), call.query("prefix").unwrap_or_default());
        let fits = |name: &str, bucket: &Bucket| {
            Some(bucket.project.as_str()) == project && name.starts_with(prefix)
        };
        let found = self.buckets.iter().filter(|(name, bucket)| fits(name, bucket));
        let entries = found.map(|(name, bucket)| (name.clone(), bucket.value.clone())).collect();
        self.storage_page(call, "storage#buckets", entries)
    }

    /// `buckets.delete`.
    pub fn delete_bucket(&mut self, name: &str) -> Result<Answer, Answer> {
        if !self.bucket(name)?.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty.";
            return Err(Answer::error(409, "global", "conflict", message));
        }
        self.buckets.remove(name);
        Ok(Answer::empty())
    }

    /// `buckets.patch`: what is null goes, what is an object is merged.
    pub fn patch_bucket(&mut self, name: &str, call: &Call) -> Result<Answer, Answer> {
        let now = self.stamp();
        let bucket = self.bucket(name)?;
        merge(&mut bucket.value, &call.body());
        let metageneration: u64 = plain(&bucket.value["metageneration"]).parse().unwrap();
        bucket.value["metageneration"] = json!((metageneration + 1).to_string());
        bucket.value["updated"] = json!(now);
        Ok(Answer::good(&bucket.value))
    }

    /// `buckets.setIamPolicy`.
    pub fn set_policy(&mut self, name: &str, call: &Call) -> Result<Answer, Answer> {
        let number = self.number();
        let bucket = self.bucket(name)?;
        let body = call.body();
        if body["etag"].is_string() && body["etag"] != bucket.policy["etag"] {
            let message = "At least one of the pre-conditions you specified did not hold.";
            return Err(Answer::error(412, "global", "conditionNotMet", message));
        }
        bucket.policy["bindings"] = body.get("bindings").cloned().unwrap_or_else(|| json!([]));
        bucket.policy["etag"] = json!(STANDARD.encode(format!("policy {number}")));
        Ok(Answer::good(&bucket.policy))
    }

    /// A page of a list of Cloud Storage; its tokens are the last name.
    pub fn storage_page(&self, call: &Call, kind: &str, entries: Vec<(String, Value)>) -> Answer {
        let after = call.query("pageToken").and_then(|token| STANDARD.decode(token).ok());
        let after = after.and_then(|after| String::from_utf8(after).ok());
        let asked = call.query("maxResults").and_then(|number| number.parse().ok()).unwrap_or(1000);
        let limit = self.page_limit.min(asked).max(1);
        let mut rest = entries
            .into_iter()
            .filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
            .peekable();
        let shown: Vec<_> = rest.by_ref().take(limit).collect();
        let mut list = json!({ "kind": kind });
        if let (Some(_), Some((last, _))) = (rest.peek(), shown.last()) {
            list["nextPageToken"] = json!(STANDARD.encode(last));
        }
        if !shown.is_empty() {
            list["items"] = shown.into_iter().map(|(_, value)| value).collect();
        }
        Answer::good(&list)
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        let members: &mut Map<String, Value> = into.as_object_mut().unwrap();
        match value {
            Value::Null => drop(members.remove(name)),
            Value::Object(_) if members.get(name).is_some_and(Value::is_object) => {
                merge(&mut members[name], value);
            }
            _ => drop(members.insert(name.clone(), value.clone())),
        }
    }
}

fn is_bucket_name(name: &str) -> bool {
    let is_end = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_allowed = |character: char| is_end(character) || "-_.".contains(character);
    (3..=63).contains(&name.len())
        && name.chars().all(is_allowed)
        && name.starts_with(is_end)
        && name.ends_with(is_end)
        && !name.starts_with("goog")
}
