//! Parts of the startup scripts, by themselves: with programs of the test's own in place of curl, apt-get and docker.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

const WORKER: &str = include_str!("../../infra/worker-startup.sh");
const PLATFORM: &str = include_str!("../../infra/platform-startup.sh");
/// Notes what the machine would publish; of attributes it has only the image's name.
const CURL: &str = r#"while [[ $# -gt 0 ]]; do
  [[ $1 != --data-binary ]] || echo "$2" >>"$STAND_INS/said"
  url=$1; shift
done
[[ $url != *archestra-platform-image ]] || echo gateway:1
[[ $url != *archestra-mock-port ]] || echo 9100"#;

/// The scripts without their last lines, which start everything.
struct Script {
    folder: TempDir,
}

/// What has come of it.
struct Ended {
    code: i32,
    said: String,
    wrote: String,
}

impl Script {
    fn new() -> Self {
        let script = Self { folder: tempfile::tempdir().unwrap() };
        script.stand_in("curl", CURL);
        // Nobody waits here.
        script.stand_in("sleep", "exit 0");
        script
    }

    fn stand_in(&self, program: &str, text: &str) {
        let path = self.folder.path().join(program);
        fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs `command` as a line of the script.
    fn run(&self, command: &str) -> Ended {
        let folder = self.folder.path().display().to_string();
        let without_end = |script: &str, end: &str| script.trim_end().strip_suffix(end).unwrap().to_owned();
        let text = without_end(WORKER, "\nstart_worker") + &without_end(PLATFORM, "\nstart_platform");
        let text = text
            .replace("/opt/archestra-bench", &format!("{folder}/opt"))
            .replace("/etc/archestra-bench", &format!("{folder}/etc"))
            .replace("SECONDS + 300", "SECONDS + 1");
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
        let text = format!("{text}\nmkdir -p \"$folder\" \"$settings\"\n{command}\necho it goes on\n");
        let mut bash = Command::new("timeout");
        bash.args(["30", "bash", "-c", &text]).env("PATH", path).env("STAND_INS", &folder);
        let ended = bash.output().unwrap();
        let wrote =
            format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        Ended { code: ended.status.code().unwrap(), said, wrote }
    }
}

#[test]
fn whatever_fails_in_a_function_is_said() {
    for command in [
        "f() { false; }; f",
        "f() { local x; x=$(false); }; f",
        "f() { true | false | true; }; f",
        "(exit 3)",
    ] {
        let ended = Script::new().run(command);
        assert_eq!(ended.code, 1, "{command}: {}", ended.wrote);
        assert!(ended.said.starts_with("failed: line "), "{command}: {}", ended.said);
        assert_eq!(ended.said.lines().count(), 1, "{command}: {}", ended.said);
    }
    // What somebody has thought of is no failure.
    let ended =
        Script::new().run("f() { local x; x=$(false) || x=none; until false || true; do :; done; }; f");
    assert_eq!((ended.code, ended.said.as_str()), (0, ""), "{}", ended.wrote);
}

#[test]
fn packages_are_tried_again_and_a_lock_is_waited_for() {
    let script = Script::new();
    let flaky = r#"echo "$*" >>"$STAND_INS/apt"
[[ $(wc -l <"$STAND_INS/apt") -gt 3 ]] || { echo "E: Could not get lock /var/lib/apt/lists/lock" >&2; exit 100; }"#;
    script.stand_in("apt-get", flaky);
    let ended = script.run("install_packages docker.io apparmor");
    assert_eq!((ended.code, ended.said.as_str()), (0, ""), "{}", ended.wrote);
    let asked = fs::read_to_string(script.folder.path().join("apt")).unwrap();
    let installs: Vec<_> = asked.lines().filter(|line| line.starts_with("install ")).collect();
    assert_eq!(installs.len(), 1, "{asked}");
    for part in ["DPkg::Lock::Timeout=", "Acquire::Retries=", "docker.io apparmor"] {
        assert!(installs[0].contains(part), "{asked}");
    }

    let script = Script::new();
    script.stand_in("apt-get", "echo 'E: no such mirror' >&2; exit 100");
    script.stand_in("sleep", "exec /bin/sleep 1");
    let ended = script.run("install_packages docker.io");
    assert_eq!(ended.code, 1, "{}", ended.wrote);
    assert!(
        ended.said.contains("failed: apt-get does not install docker.io (E: no such mirror)"),
        "{}",
        ended.said
    );
}

#[test]
fn an_image_is_fetched_again_and_a_container_that_does_not_start_is_named() {
    let version = r#"echo "something else" >"$folder/version""#;
    let script = Script::new();
    let flaky = r#"echo "$1" >>"$STAND_INS/asked"
[[ $1 != pull || $(grep -c pull "$STAND_INS/asked") -gt 2 ]] || { echo "toomanyrequests" >&2; exit 1; }"#;
    script.stand_in("docker", flaky);
    let ended = script.run(&format!("{version}; start_platform"));
    assert_eq!(ended.code, 0, "{}", ended.wrote);
    assert!(ended.said.ends_with("the container runs\n"), "{}", ended.said);
    assert_eq!(
        fs::read_to_string(script.folder.path().join("asked")).unwrap(),
        "rm\npull\npull\npull\nrun\n"
    );

    for (failing, sentence) in [
        ("pull", "failed: the image gateway:1 cannot be fetched (docker: no)\n"),
        ("run", "failed: the container gateway:1 does not start (docker: no)\n"),
    ] {
        let script = Script::new();
        script
            .stand_in("docker", &format!("[[ $1 != {failing} ]] || {{ echo 'docker: no' >&2; exit 125; }}"));
        let ended = script.run(&format!("{version}; start_platform"));
        assert_eq!(ended.code, 1, "{}", ended.wrote);
        assert!(ended.said.ends_with(sentence), "{}", ended.said);
    }
}
