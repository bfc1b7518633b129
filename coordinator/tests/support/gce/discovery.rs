//! The methods of Google's discovery documents, of which `tests/fixtures/gce` holds a subset: which method a call is,
//! and whether it and its answer are what the document says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::call::{Answer, Call};
use super::schema;

/// Of Compute Engine.
static COMPUTE: LazyLock<Document> = LazyLock::new(|| {
    Document::read("/compute/v1/", include_str!("../../fixtures/gce/compute.v1.subset.json"))
});
/// Of Cloud Storage.
static STORAGE: LazyLock<Document> = LazyLock::new(|| {
    Document::read("/storage/v1/", include_str!("../../fixtures/gce/storage.v1.subset.json"))
});

struct Document {
    /// The path of a call begins so.
    prefix: &'static str,
    whole: Value,
}

/// A method, and what a call's path says for its parameters.
pub struct Matched {
    document: &'static Document,
    method: &'static Value,
    /// By the parameter's name, decoded.
    pub path: BTreeMap<String, String>,
}

impl Document {
    fn read(prefix: &'static str, text: &str) -> Self {
        Self { prefix, whole: serde_json::from_str(text).unwrap() }
    }

    fn find(&'static self, call: &Call) -> Option<Matched> {
        let (is_upload, path) = match call.path.strip_prefix("/upload") {
            Some(path) => (true, path),
            None => (false, call.path.strip_prefix("/download").unwrap_or(&call.path)),
        };
        let segments: Vec<&str> = path.strip_prefix(self.prefix)?.split('/').collect();
        self.whole["methods"].as_array().unwrap().iter().find_map(|method| {
            let fits = method["httpMethod"] == call.method.as_str()
                && (!is_upload || method["mediaUpload"].is_object());
            let path = fits.then(|| parameters(method["path"].as_str().unwrap(), &segments))??;
            Some(Matched { document: self, method, path })
        })
    }
}

/// The method that a call is; `None` when the subset has none.
pub fn find(call: &Call) -> Option<Matched> {
    [&COMPUTE, &STORAGE].into_iter().find_map(|document| LazyLock::force(document).find(call))
}

impl Matched {
    /// Such as `compute.instances.insert`.
    pub fn id(&self) -> &'static str {
        self.method["id"].as_str().unwrap()
    }

    /// A parameter of the path.
    pub fn parameter(&self, name: &str) -> &str {
        &self.path[name]
    }

    /// What is wrong with the call.
    pub fn check_call(&self, call: &Call) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, value) in &self.path {
            wrong.extend(schema::check_parameter(&self.method["parameters"][name], value));
        }
        for (name, value) in &call.query {
            // gcloud sends it with every list, and Google takes it, though this revision of the document does not name it.
            if name == "returnPartialSuccess" && self.method["parameters"]["filter"].is_object() {
                continue;
            }
            let own = self.method["parameters"].get(name).filter(|own| own["location"] == "query");
            match own.or_else(|| self.document.whole["parameters"].get(name)) {
                Some(parameter) => wrong.extend(
                    schema::check_parameter(parameter, value).map(|wrong| format!("query {name}: {wrong}")),
                ),
                None => wrong.push(format!("query {name}: there is no such parameter")),
            }
        }
        match (self.method.get("request"), &call.json) {
            // The body is the object's content, and its description when it is in several parts.
            _ if call.path.starts_with("/upload/") => {}
            (Some(request), Some(body)) => wrong.extend(self.check(request, body, "body")),
            (Some(_), None) => wrong.push("body: is no JSON".to_owned()),
            (None, _)
                if !call.body.is_empty()
                    && call.json.as_ref().is_none_or(|json| json != &serde_json::json!({})) =>
            {
                wrong.push("body: this method takes none".to_owned());
            }
            (None, _) => {}
        }
        wrong
    }

    /// What is wrong with an answer that is no error.
    pub fn check_answer(&self, answer: &Answer) -> Vec<String> {
        match (self.method.get("response"), answer.json()) {
            _ if answer.status >= 300 || !answer.is_json() => Vec::new(),
            (Some(response), Some(body)) => self.check(response, &body, "answer"),
            (Some(_), None) => vec!["answer: is no JSON".to_owned()],
            (None, _) => vec!["answer: this method gives none".to_owned()],
        }
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        schema::check(&self.document.whole["schemas"], schema, value, at)
    }
}

/// What the segments of a path are for a template such as `projects/{project}/zones`; `None` when it is another path.
fn parameters(template: &str, segments: &[&str]) -> Option<BTreeMap<String, String>> {
    let template: Vec<&str> = template.split('/').collect();
    if template.len() != segments.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (expected, segment) in template.iter().zip(segments) {
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => {
                found.insert(name.to_owned(), super::call::decoded(segment));
            }
            None if expected == segment => {}
            None => return None,
        }
    }
    Some(found)
}
