//! Tunnels through Google's identity-aware proxy, for VMs without an external address.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::bodies::WORKER_PORT;
use super::error::GcpError;

/// How long gcloud may take to open a tunnel.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// What a shell exits with when there is no such command.
const NO_SUCH_COMMAND: i32 = 127;
/// Runs a tunnel until its standard input ends, which it does whatever way the coordinator ends.
const UNTIL_THE_INPUT_ENDS: &str = r#"
exec 3<&0
gcloud "$@" </dev/null 3<&- &
tunnel=$!
{ cat <&3; kill "$tunnel"; } >/dev/null 2>&1 &
exec 3<&-
wait "$tunnel"
"#;

/// The tunnels to all VMs, by name; they are closed when the last of these is dropped.
#[derive(Debug, Clone, Default)]
pub struct Tunnels(Arc<Mutex<BTreeMap<String, Tunnel>>>);

/// A tunnel to one VM; it is closed when this is dropped.
#[derive(Debug)]
struct Tunnel {
    process: Child,
    /// Held open: its end is the tunnel's end.
    _input: ChildStdin,
    address: String,
}

impl Tunnels {
    /// The near end of the tunnel to a VM's worker, which is opened where there is none.
    ///
    /// # Errors
    /// When gcloud opens none.
    pub async fn to(&self, project: &str, zone: &str, name: &str) -> Result<String, GcpError> {
        if let Some(open) = self.0.lock().await.get_mut(name)
            && matches!(open.process.try_wait(), Ok(None))
        {
            return Ok(open.address.clone());
        }
        // Not under the lock: gcloud takes seconds, and others open theirs meanwhile.
        let opened = open(project, zone, name).await?;
        let address = opened.address.clone();
        self.0.lock().await.insert(name.to_owned(), opened);
        Ok(address)
    }
}

async fn open(project: &str, zone: &str, name: &str) -> Result<Tunnel, GcpError> {
    let failed = |problem: String| GcpError::Boot {
        name: name.to_owned(),
        problem: format!(
            "gcloud opens no tunnel to it ({problem}); try `gcloud compute start-iap-tunnel {name} \
             {WORKER_PORT} --zone {zone}` by hand, or use --reach external"
        ),
    };
    let mut command = Command::new("sh");
    command.args(["-c", UNTIL_THE_INPUT_ENDS, "gcloud"]);
    command.args([
        "compute",
        "start-iap-tunnel",
        name,
        &WORKER_PORT.to_string(),
        "--local-host-port=127.0.0.1:0",
    ]);
    command.args(["--zone", zone, "--project", project, "--quiet"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A Ctrl-C on the terminal reaches the coordinator alone, which needs the tunnel to end its workers in order.
    command.process_group(0);
    let mut process = command.spawn().map_err(|error| failed(error.to_string()))?;
    let (Some(stderr), Some(input)) = (process.stderr.take(), process.stdin.take()) else {
        return Err(failed("it has no output".into()));
    };
    let mut lines = BufReader::new(stderr).lines();
    let mut last = String::from("gcloud said nothing");
    let listening = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(port) = port_in(&line) {
                return Some(port);
            }
            if !line.trim().is_empty() {
                last = line.trim().to_owned();
            }
        }
        None
    };
    match timeout(OPEN_LIMIT, listening).await {
        Ok(Some(port)) => {
            // Whatever else it says is read, so that it never waits for a reader.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            Ok(Tunnel { process, _input: input, address: format!("127.0.0.1:{port}") })
        }
        Ok(None) => match process.wait().await.map(|status| status.code()) {
            Ok(Some(NO_SUCH_COMMAND)) => Err(GcpError::Access(
                "--reach iap needs the gcloud command, which is not there: install it, or use --reach external".into(),
            )),
            _ => Err(failed(last)),
        },
        Err(_) => Err(failed(format!("silent for {} s", OPEN_LIMIT.as_secs()))),
    }
}

/// `Listening on port [41237].`
fn port_in(line: &str) -> Option<u16> {
    line.split_once("istening on port [")?.1.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::port_in;

    #[test]
    fn gclouds_line_is_understood() {
        assert_eq!(port_in("Listening on port [41237]."), Some(41237));
        assert_eq!(port_in("Picking local unused port [41237]."), None);
        assert_eq!(port_in("Testing if tunnel connection works."), None);
    }
}
