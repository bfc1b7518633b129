//! Other people's programs that our outputs are held against: Python packages, in the folder of tools beside the binary
//! (`.ci/run` puts them there), and Debian packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::PROGRAM;

/// The Python packages in `.ci/oracles.txt`; `None`, with the reason on standard error, where they are not installed.
#[allow(clippy::print_stderr)]
pub fn python(test: &str) -> Option<Python> {
    let program = Path::new(PROGRAM).ancestors().nth(2).unwrap().join("tools/oracles/bin/python3");
    let missing = "the Python packages of .ci/oracles.txt are not in target/tools/oracles: run .ci/oracles";
    is_there(test, program.exists(), missing).then_some(Python { program })
}

/// Whether a program can be run; where it cannot, the reason is on standard error.
pub fn has_program(test: &str, name: &str) -> bool {
    let mut version = Command::new(name);
    let found = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    is_there(test, found.is_ok(), &format!("there is no {name}: install Debian's package of that name"))
}

#[allow(clippy::print_stderr)]
fn is_there(test: &str, found: bool, missing: &str) -> bool {
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot be skipped in CI: {missing}");
        eprintln!("skipped: {test}: {missing}");
    }
    found
}

/// A Python with the packages.
pub struct Python {
    /// Its path.
    pub program: PathBuf,
}

impl Python {
    /// Runs a script with arguments; its standard output. The test fails when the script does.
    pub fn run(&self, script: &str, arguments: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.py");
        fs::write(&path, script).unwrap();
        let output = Command::new(&self.program).arg(&path).args(arguments).output().unwrap();
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{error}");
        out.into_owned()
    }
}
