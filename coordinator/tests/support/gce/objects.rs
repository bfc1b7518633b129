//! Objects of Cloud Storage.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::buckets::STORAGE_LINKS;
use super::call::{Answer, Call};
use super::checksums::{crc32c, md5};
use super::instance_body::plain;
use super::state::State;

/// Larger objects have no MD5 digest, as composed ones have none: it takes a debug build seconds.
const MAX_MD5_BYTES: usize = 8 * 1024 * 1024;

/// A bucket.
pub struct Bucket {
    /// Whose it is.
    pub project: String,
    /// As it is shown.
    pub value: Value,
    /// Who may do what.
    pub policy: Value,
    /// By name.
    pub objects: BTreeMap<String, Object>,
}

/// An object.
#[derive(Clone)]
pub struct Object {
    /// As it is shown.
    pub value: Value,
    /// What it holds.
    pub content: Vec<u8>,
}

/// What is uploaded.
#[derive(Default)]
pub struct Upload {
    /// What it holds.
    pub content: Vec<u8>,
    /// What the caller says about it.
    pub about: Value,
    /// The type of the content.
    pub content_type: Option<String>,
}

impl State {
    /// `objects.insert`, with the content alone or in several parts.
    pub fn insert_object(&mut self, bucket: &str, call: &Call) -> Result<Answer, Answer> {
        let upload = Upload::of(call).ok_or_else(|| {
            let message = "The fake takes uploads of the types media and multipart.";
            Answer::error(400, "global", "invalid", message)
        })?;
        let name = call.query("name").unwrap_or_else(|| plain(&upload.about["name"])).to_owned();
        if name.is_empty() {
            return Err(Answer::error(400, "global", "required", "Required"));
        }
        let current = self.bucket(bucket)?.objects.get(&name);
        refuse_generation(call, current.map_or("0", |object| plain(&object.value["generation"])))?;
        Ok(Answer::good(&self.store(bucket, &name, upload)))
    }

    /// Puts an object into a bucket that there is; as it is shown.
    pub fn store(&mut self, bucket: &str, name: &str, upload: Upload) -> Value {
        let now = self.stamp();
        let generation = (1_795_485_518_433_000 + self.number()).to_string();
        let path = format!("b/{bucket}/o/{}", url_segment(name));
        let content_type = upload.about["contentType"].as_str().map(str::to_owned).or(upload.content_type);
        let mut value = json!({
            "kind": "storage#object", "id": format!("{bucket}/{name}/{generation}"), "name": name,
            "bucket": bucket, "generation": generation, "metageneration": "1",
            "selfLink": format!("{STORAGE_LINKS}{path}"),
            "mediaLink": format!("https://www.googleapis.com/download/storage/v1/{path}?alt=media"),
            "contentType": content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            "storageClass": "STANDARD", "size": upload.content.len().to_string(),
            "crc32c": STANDARD.encode(crc32c(&upload.content).to_be_bytes()), "etag": STANDARD.encode(&generation),
            "timeCreated": now, "updated": now, "timeStorageClassUpdated": now,
        });
        if upload.content.len() <= MAX_MD5_BYTES {
            value["md5Hash"] = json!(STANDARD.encode(md5(&upload.content)));
        }
        if upload.about["metadata"].is_object() {
            value["metadata"] = upload.about["metadata"].clone();
        }
        let object = Object { value: value.clone(), content: upload.content };
        let bucket = self.buckets.get_mut(bucket).unwrap_or_else(|| panic!("there is no bucket {bucket}"));
        bucket.objects.insert(name.to_owned(), object);
        value
    }

    /// `objects.get`: what is known about it, or with `alt=media` what it holds.
    pub fn get_object(&mut self, bucket: &str, name: &str, call: &Call) -> Result<Answer, Answer> {
        let object = self.object(bucket, name)?;
        if call.query("alt") == Some("media") {
            return Ok(Answer::bytes(plain(&object.value["contentType"]), object.content.clone()));
        }
        Ok(Answer::good(&object.value))
    }

    /// `objects.list`.
    pub fn list_objects(&mut self, bucket: &str, call: &Call) -> Result<Answer, Answer> {
        let prefix = call.query("prefix").unwrap_or_default();
        let objects = self.bucket(bucket)?.objects.iter().filter(|(name, _)| name.starts_with(prefix));
        let entries = objects.map(|(name, object)| (name.clone(), object.value.clone())).collect();
        Ok(self.storage_page(call, "storage#objects", entries))
    }

    /// `objects.delete`.
    pub fn delete_object(&mut self, bucket: &str, name: &str, call: &Call) -> Result<Answer, Answer> {
        let object = self.object(bucket, name)?;
        refuse_generation(call, plain(&object.value["generation"]))?;
        self.bucket(bucket)?.objects.remove(name);
        Ok(Answer::empty())
    }

    fn object(&mut self, bucket: &str, name: &str) -> Result<&Object, Answer> {
        let missing = format!("No such object: {bucket}/{name}");
        let object = self.bucket(bucket)?.objects.get(name);
        object.ok_or_else(|| Answer::error(404, "global", "notFound", &missing))
    }
}

impl Upload {
    fn of(call: &Call) -> Option<Self> {
        let content_type = call.header("content-type").map(str::to_owned);
        match call.query("uploadType")? {
            "media" => Some(Self { about: Value::Null, content_type, content: call.body.clone() }),
            "multipart" => {
                let content_type = content_type?;
                let boundary = content_type.split_once("boundary=")?.1.trim_matches(['"', '\'']);
                let mark = format!("--{boundary}");
                let mut parts = parts(&call.body, mark.as_bytes()).into_iter();
                let (_, about) = parts.next()?;
                let (content_type, content) = parts.next()?;
                Some(Self { about: serde_json::from_slice(&about).ok()?, content_type, content })
            }
            _ => None,
        }
    }
}

/// The parts of a body in several parts: the type and the content of each.
fn parts(body: &[u8], mark: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let mut ends: Vec<usize> = body
        .windows(mark.len())
        .enumerate()
        .filter(|(_, window)| *window == mark)
        .map(|(at, _)| at)
        .collect();
    ends.push(body.len());
    let between = ends.windows(2).map(|pair| &body[pair[0] + mark.len()..pair[1]]);
    between
        .filter_map(|part| {
            let (gap, skip) = [(&b"\r\n\r\n"[..], 4), (&b"\n\n"[..], 2)]
                .into_iter()
                .find_map(|(gap, skip)| Some((part.windows(skip).position(|window| window == gap)?, skip)))?;
            let head = String::from_utf8_lossy(&part[..gap]).to_ascii_lowercase();
            let content_type = head
                .lines()
                .find_map(|line| line.strip_prefix("content-type:"))
                .map(|text| text.trim().to_owned());
            let content = &part[gap + skip..];
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            Some((content_type, content.strip_suffix(b"\r").unwrap_or(content).to_vec()))
        })
        .collect()
}

fn refuse_generation(call: &Call, current: &str) -> Result<(), Answer> {
    match call.query("ifGenerationMatch") {
        Some(wanted) if wanted != current => {
            let message = "At least one of the pre-conditions you specified did not hold.";
            Err(Answer::error(412, "global", "conditionNotMet", message))
        }
        _ => Ok(()),
    }
}

fn url_segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
