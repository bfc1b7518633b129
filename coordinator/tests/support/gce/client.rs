//! A client of the fake that is as plain as can be.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use url::Url;

use super::FakeGce;

/// Sends each call over a connection of its own.
pub struct Client {
    /// Where the fake is.
    pub address: String,
    /// After `Authorization: Bearer`.
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub bytes: Vec<u8>,
    /// The same as JSON; null when it is none.
    pub json: Value,
}

impl Client {
    /// With the fake's own token.
    pub fn of(fake: &FakeGce) -> Self {
        let url = Url::parse(&fake.compute_url()).unwrap();
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        Self { address, token: fake.token().to_owned() }
    }

    /// Sends a call. The path begins with a slash, or after `compute/v1/`.
    ///
    /// # Errors
    /// When the connection ends before the answer.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> io::Result<Response> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/compute/v1/{path}") };
        let mut stream = TcpStream::connect(&self.address)?;
        let (token, length) = (&self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end =
            answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        let bytes = answer[end + 4..].to_vec();
        Ok(Response { status, json: serde_json::from_slice(&bytes).unwrap_or_default(), bytes })
    }

    /// A call without a body.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, "text/plain", b"").unwrap()
    }

    /// A call without a body.
    pub fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, "text/plain", b"").unwrap()
    }

    /// A call with a JSON body; null is none.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.call("POST", path, body)
    }

    /// The same with any method.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, "application/json", body.as_bytes()).unwrap()
    }

    /// Waits for the operation that an answer is, until it is done.
    pub fn done(&self, answer: &Response) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.json);
        let link = answer.json["selfLink"].as_str().unwrap();
        let path = format!("{}/wait", link.split_once("/compute/v1/").unwrap().1);
        loop {
            let operation = self.post(&path, &Value::Null).json;
            if operation["status"] == "DONE" {
                return operation;
            }
        }
    }
}

/// The body for an instance as small as can be, such as `instances.insert` takes it.
pub fn instance_body(zone: &str, name: &str, labels: &Value) -> Value {
    let image = "projects/debian-cloud/global/images/family/debian-12";
    json!({
        "name": name,
        "labels": labels,
        "machineType": format!("zones/{zone}/machineTypes/e2-small"),
        "disks": [{
            "boot": true, "autoDelete": true,
            "initializeParams": {"sourceImage": image, "diskSizeGb": "20"},
        }],
        "networkInterfaces": [{"network": "global/networks/default"}],
        "scheduling": {
            "automaticRestart": false, "maxRunDuration": {"seconds": "3600"}, "instanceTerminationAction": "DELETE",
        },
    })
}
