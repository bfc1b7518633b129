//! Compiles the proto with protox, so that no protoc is needed, and notes the commit that is being built.

use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["loadtest/v1/worker.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(false)
        .compile_fds(descriptors)?;

    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    println!("cargo:rustc-env=ARCHESTRA_BENCH_COMMIT={}", commit().unwrap_or("unknown".into()));
    Ok(())
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !commit.trim().is_empty()).then(|| commit.trim().to_owned())
}
