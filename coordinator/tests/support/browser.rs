//! A headless Chromium, driven over its pipe: opens a page, presses keys, moves the pointer, and tells what went on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clock::wait_until;

/// How long anything that is asked of it may take, on a busy machine.
const A_WHILE: Duration = Duration::from_secs(60);
const PROGRAM: &str = "chromium";

/// A browser with one page. It ends when it is dropped.
pub struct Browser {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    calls: u64,
    events: Vec<Value>,
    folder: TempDir,
}

impl Browser {
    /// A new one. `None`, with a note, where Chromium is not installed; that is a failure where `CI` is `true`.
    pub fn start() -> Option<Self> {
        if !Command::new(PROGRAM).arg("--version").output().is_ok_and(|told| told.status.success()) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no Chromium here");
            let note = b"skipped: Chromium is not installed (apt-get install chromium)\n";
            std::io::stderr().write_all(note).unwrap();
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let [profile, temporary] = ["profile", "temporary"].map(|name| folder.path().join(name));
        std::fs::create_dir(&temporary).unwrap();
        // It reads commands from file descriptor 3 and answers on 4.
        let script = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut process = Command::new("sh")
            .args(["-c", script, "sh", PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.display()))
            // What it leaves behind when it is killed goes with the test.
            .env("TMPDIR", temporary)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|length| length > 1) {
                message.pop();
                let Ok(message) = serde_json::from_slice(&std::mem::take(&mut message)) else { break };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser =
            Self { process, commands, messages, session: None, calls: 0, events: Vec::new(), folder };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let session = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Where everything is that it writes, which goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Calls a method of the DevTools protocol; the test fails when it does.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let call = self.calls;
        let mut command = json!({"id": call, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let message = self.messages.recv_timeout(A_WHILE).unwrap();
            if message["id"] != call {
                self.events.push(message);
                continue;
            }
            assert!(message["error"].is_null(), "{method}: {}", message["error"]);
            return message["result"].clone();
        }
    }

    /// Opens a file, or an address, and waits until it is there.
    pub fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({"url": url}));
        self.wait_for("Page.loadEventFired");
    }

    /// Opens a file.
    pub fn open_file(&mut self, path: &Path) {
        self.open(&format!("file://{}", path.display()));
    }

    /// Waits for an event that has not come before the page was opened.
    pub fn wait_for(&mut self, method: &str) {
        while !self.events.iter().any(|event| event["method"] == method) {
            let message = self.messages.recv_timeout(A_WHILE).unwrap();
            self.events.push(message);
        }
    }

    /// What an expression comes to in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses and releases a key, such as `Tab`.
    pub fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code(key)}),
            );
        }
    }

    /// Moves the pointer to a place in the window.
    pub fn point(&mut self, x: f64, y: f64) {
        self.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y}));
    }

    /// Makes the window so wide.
    pub fn resize(&mut self, width: u32) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Has the page believe that its reader likes it `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// What was written to the console or went wrong since the page was opened.
    pub fn complaints(&self) -> Vec<String> {
        let said = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        let events = self.events.iter().filter(|event| said.iter().any(|said| event["method"] == *said));
        events.map(|event| event["params"].to_string()).collect()
    }

    /// What was fetched since the page was opened.
    pub fn fetched(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.filter_map(|event| Some(event["params"]["request"]["url"].as_str()?.to_owned())).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // All of its processes: one that lives on would write into the folder while that is taken away.
        let group = Pid::from_child(&self.process);
        let _ = kill_process_group(group, Signal::KILL);
        drop(self.process.wait());
        let is_gone = || std::fs::remove_dir_all(self.folder.path()).is_ok() || !self.folder.path().exists();
        wait_until(Duration::from_secs(5), is_gone);
    }
}

fn code(key: &str) -> u32 {
    match key {
        "Tab" => 9,
        "Escape" => 27,
        "End" => 35,
        "Home" => 36,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        _ => 0,
    }
}
