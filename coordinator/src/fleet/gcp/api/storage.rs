//! Cloud Storage: the bucket that VMs fetch the worker's binary from.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::error::ApiError;
use super::resources::{Bucket, Object, Policy};
use super::{Body, Call, Client};

impl Client {
    /// The project's buckets whose names begin with this.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn buckets(&self, prefix: &str) -> Result<Vec<Bucket>, ApiError> {
        let query = [("project", self.project.as_str()), ("prefix", prefix)];
        self.list("list the buckets", self.storage(&["b"]), &query).await
    }

    /// Has a bucket made.
    ///
    /// # Errors
    /// When it cannot be made: somebody anywhere may have one of that name.
    pub async fn insert_bucket(&self, name: &str, body: Value) -> Result<(), ApiError> {
        let call = Call::new(format!("create the bucket {name}"), Method::POST, self.storage(&["b"]));
        self.call::<Bucket>(call.query("project", &self.project).json(body)).await.map(|_| ())
    }

    /// Deletes a bucket and what is in it. One that is not there is gone.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub async fn delete_bucket_with_all(&self, name: &str) -> Result<(), ApiError> {
        match self.objects(name).await {
            Err(error) if error.is_not_found() => return Ok(()),
            objects => {
                for object in objects? {
                    self.delete_object(name, &object.name).await?;
                }
            }
        }
        self.delete(format!("delete the bucket {name}"), self.storage(&["b", name])).await
    }

    /// Who may do what with a bucket.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn bucket_policy(&self, name: &str) -> Result<Policy, ApiError> {
        let call =
            Call::get(format!("read the policy of the bucket {name}"), self.storage(&["b", name, "iam"]));
        self.call(call).await
    }

    /// Sets who may do what with a bucket.
    ///
    /// # Errors
    /// When that cannot be set.
    pub async fn set_bucket_policy(&self, name: &str, policy: &Policy) -> Result<(), ApiError> {
        let url = self.storage(&["b", name, "iam"]);
        let call = Call::new(format!("grant access to the bucket {name}"), Method::PUT, url);
        self.call::<Value>(call.json(json!(policy))).await.map(|_| ())
    }

    /// Everything in a bucket.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub async fn objects(&self, bucket: &str) -> Result<Vec<Object>, ApiError> {
        self.list(&format!("list the bucket {bucket}"), self.storage(&["b", bucket, "o"]), &[]).await
    }

    /// Whether there is an object of that name.
    ///
    /// # Errors
    /// When the bucket cannot be looked at.
    pub async fn has_object(&self, bucket: &str, name: &str) -> Result<bool, ApiError> {
        let call = Call::get(format!("look at {name} in the bucket {bucket}"), self.object(bucket, name));
        match self.call::<Object>(call).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a file into a bucket.
    ///
    /// # Errors
    /// When it cannot be put there.
    pub async fn upload(&self, bucket: &str, name: &str, bytes: Vec<u8>) -> Result<(), ApiError> {
        let mut url = self.storage(&["b", bucket, "o"]);
        url.set_path(&format!("/upload{}", url.path()));
        let what = format!("upload the worker's binary to the bucket {bucket}");
        let mut call = Call::new(what, Method::POST, url).query("uploadType", "media").query("name", name);
        call.body = Body::Bytes(bytes);
        self.call::<Object>(call).await.map(|_| ())
    }

    /// Deletes an object. One that is not there is gone.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete_object(&self, bucket: &str, name: &str) -> Result<(), ApiError> {
        self.delete(format!("delete {name} in the bucket {bucket}"), self.object(bucket, name)).await
    }

    /// Where an object can be fetched, with a token that may read it.
    pub fn download_url(&self, bucket: &str, name: &str) -> Url {
        let mut url = self.object(bucket, name);
        url.query_pairs_mut().append_pair("alt", "media");
        url
    }

    async fn delete(&self, what: String, url: Url) -> Result<(), ApiError> {
        match self.call::<Value>(Call::new(what, Method::DELETE, url)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn object(&self, bucket: &str, name: &str) -> Url {
        self.storage(&["b", bucket, "o", name])
    }

    /// A name is never more than one part of a path: a slash in an object's is encoded.
    fn storage(&self, parts: &[&str]) -> Url {
        let mut url = self.endpoints.storage.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }
}
