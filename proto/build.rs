//! Compiles the proto with protox, so that no protoc is needed, and notes the commit that is being built:
//! `ARCHESTRA_BENCH_COMMIT`, or `unknown` outside a checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["loadtest/v1/worker.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(false)
        .compile_fds(descriptors)?;

    println!("cargo:rustc-env=ARCHESTRA_BENCH_COMMIT={}", commit().unwrap_or("unknown".into()));
    Ok(())
}

/// The commit of this workspace's own checkout; an unrelated repository around it does not count.
fn commit() -> Option<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.canonicalize().ok()?;
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != workspace {
        return None;
    }

    // The log of HEAD grows with every commit and every change of branch. A file that is missing is not named: cargo
    // would take it for a change, and build everything anew each time.
    for watched in ["HEAD", "logs/HEAD"] {
        let path = PathBuf::from(git(&["rev-parse", "--git-path", watched])?);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
