//! Which machines are used, and what each kind of fleet needs and refuses.

use super::*;

#[test]
fn addresses_decide_the_number_of_workers() {
    let flags =
        ["--fleet", "addresses", "--target", "http://h:1", "--worker-address", "10.0.0.2:7700,10.0.0.3:7700"];
    let with = |more: &[&str]| configure(&[&flags, more].concat(), &[], ["", ""]);
    let config = with(&["--fleet-name", "blue"]).unwrap();
    assert_eq!(config.fleet.workers(), 2);
    let FleetChoice::Addresses { addresses, plaintext, fleet_name, state_dir } = config.fleet else {
        panic!("a local fleet")
    };
    assert_eq!(state_dir, Path::new("/home/me/.local/state/archestra-bench"));
    assert_eq!(
        (addresses[1].to_string().as_str(), plaintext, fleet_name.as_str()),
        ("10.0.0.3:7700", false, "blue")
    );

    assert!(with(&["--workers", "2"]).is_ok());
    assert_eq!(
        with(&["--workers", "3"]).unwrap_err().to_string(),
        "--workers is 3, but there are 2 worker addresses; leave it out, or name as many workers"
    );
    assert_eq!(
        configure(&flags, &[("WORKERS", "9")], ["", ""]).unwrap().fleet.workers(),
        2,
        "addresses given as flags beat a variable"
    );
    assert_eq!(
        with(&["--worker-address", "10.0.0.2:7700"]).unwrap_err().to_string(),
        "--worker-address names 10.0.0.2:7700 twice; name every worker once"
    );
    assert_eq!(
        with(&["--plaintext"]).unwrap_err().to_string(),
        "--plaintext would send commands to 10.0.0.2:7700 unprotected; leave it out and give that worker the file that \
         `archestra-bench pki` makes (plain text is for loopback addresses only)"
    );
}

#[test]
fn fleets_refuse_what_belongs_to_others() {
    assert_eq!(
        refused(&["--fleet", "addresses"]),
        "--fleet is addresses, but no worker's address is given; add --worker-address HOST:PORT for each worker"
    );
    assert_eq!(
        configure(&[], &[("FLEET", "addresses")], ["", ""]).unwrap_err().to_string(),
        "FLEET in the environment is addresses, but no worker's address is given; add --worker-address HOST:PORT for each \
         worker"
    );
    for flags in [&["--worker-address", "h:1"][..], &["--plaintext"], &["--fleet-name", "blue"]] {
        let sentence = refused(flags);
        assert!(sentence.starts_with(&format!("{} is for --fleet addresses", flags[0])), "{sentence}");
    }
    assert!(configure(&[], &[("ARCHESTRA_BENCH_WORKER_ADDRESSES", "h:1")], ["", ""]).is_ok());
}

#[test]
fn hosts_are_dealt_workers_in_turn_and_the_first_are_used() {
    let ssh = ["--fleet", "ssh", "--target", "http://h:1", "--host", "me@a,me@b:2222"];
    let with = |more: &[&str]| match run(&[&ssh, more].concat()).fleet {
        FleetChoice::Ssh(choice) => choice,
        other => panic!("{other:?}"),
    };
    let shown = |choice: &SshChoice| choice.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();

    let choice = with(&[]);
    assert_eq!((shown(&choice), choice.workers.get()), (vec!["me@a".into(), "me@b:2222".into()], 2));
    assert_eq!((choice.on_partial, choice.program.as_path()), (OnPartial::Fail, Path::new("ssh")));
    assert_eq!(with(&["--workers", "5"]).workers.get(), 5);
    let one = with(&["--workers", "1"]);
    assert_eq!((shown(&one), one.workers.get()), (vec!["me@a".into()], 1));
    let told = with(&["--on-partial", "continue", "--worker-binary", "w", "--ssh", "./my-ssh"]);
    assert_eq!((told.on_partial, told.worker_binary.as_deref()), (OnPartial::Continue, Some(Path::new("w"))));
}

#[test]
fn hosts_may_come_from_a_file_whose_broken_lines_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.txt");
    let path = path.to_str().unwrap();
    let ssh = ["--fleet", "ssh", "--target", "http://h:1", "--hosts", path];
    std::fs::write(path, "# load machines\nme@a\n\n  me@b:2222  # the slow one\n").unwrap();
    assert_eq!(run(&ssh).fleet.workers(), 2);
    std::fs::write(path, "\u{feff}me@a\r\nme@b:2222\r\n").unwrap();
    assert_eq!(run(&ssh).fleet.workers(), 2, "as some editors write it");
    let both = configure(&ssh, &[("ARCHESTRA_BENCH_HOSTS", "c,d,e")], ["", ""]).unwrap();
    assert_eq!(both.fleet.workers(), 2, "a file given as a flag beats hosts in a variable");
    assert_eq!(
        refused(&[&ssh[..], &["--host", "c"]].concat()),
        "--host and --hosts exclude each other; keep the one that names all hosts"
    );

    std::fs::write(path, "me@a\nme@b;id\n").unwrap();
    assert_eq!(
        refused(&ssh),
        format!(
            "line 2 of {path}, named by --hosts, must be [USER@]HOST[:PORT], such as me@10.0.0.2 or [::1]:22, not \
             `me@b;id`"
        )
    );
    std::fs::write(path, "# none\n").unwrap();
    assert_eq!(
        refused(&ssh),
        format!("{path}, named by --hosts, names no host; write one a line, as [USER@]HOST[:PORT]")
    );
    std::fs::remove_file(path).unwrap();
    assert_eq!(
        refused(&ssh),
        format!("failed to read {path}, named by --hosts (give a text file that this user can read)")
    );
}

#[test]
fn an_ssh_fleet_needs_hosts_and_a_target_that_they_can_reach() {
    assert_eq!(
        refused(&["--fleet", "ssh", "--target", "http://h:1"]),
        "--fleet is ssh, but no host is given; add --host USER@HOST for each machine, or --hosts FILE with one a line"
    );
    assert!(
        refused(&["--fleet", "ssh", "--host", "me@a"]).starts_with("me@a cannot reach the built-in mock")
    );
    assert_eq!(
        refused(&["--fleet", "ssh", "--target", "http://h:1", "--host", "a,b,a"]),
        "--host names a twice; name every host once, and give --workers for several workers on each"
    );
    for flags in [
        &["--host", "a"][..],
        &["--hosts", "f"],
        &["--on-partial", "fail"],
        &["--worker-binary", "f"],
        &["--ssh", "s"],
    ] {
        let sentence = refused(flags);
        assert!(sentence.starts_with(&format!("{} is for --fleet ssh", flags[0])), "{sentence}");
    }
    assert_eq!(
        refused(&["--fleet", "ssh", "--host", "a", "--target", "http://h:1", "--plaintext"]),
        "--plaintext is for --fleet addresses; add that, or leave it out"
    );
    assert!(
        configure(
            &[],
            &[("ARCHESTRA_BENCH_HOSTS", "a"), ("ARCHESTRA_BENCH_ON_PARTIAL", "continue")],
            ["", ""]
        )
        .is_ok()
    );
}

#[test]
fn workers_elsewhere_cannot_reach_the_mock() {
    assert_eq!(
        refused(&["--fleet", "addresses", "--worker-address", "127.0.0.1:1,10.0.0.2:7700"]),
        "10.0.0.2:7700 cannot reach the built-in mock, which listens on this machine's loopback only; give --target URL, \
         the base URL of a gateway or of an `archestra-bench mock` that every worker can reach"
    );
    assert!(
        configure(&["--fleet", "addresses", "--worker-address", "[::1]:1", "--plaintext"], &[], ["", ""])
            .is_ok()
    );
}

#[test]
fn authorities_are_kept_where_the_user_keeps_such_things() {
    let state = |flags: &[&str], process: &[(&str, &str)]| {
        let (args, given) = parse_run(flags, process, ["", ""]).unwrap();
        state_dir(args.state_dir.as_deref(), &given).map_err(|error| error.to_string())
    };
    let xdg = ("XDG_STATE_HOME", "/state");
    assert_eq!(state(&["--state-dir", "/mine"], &[HOME, xdg]), Ok("/mine".into()));
    assert_eq!(state(&[], &[HOME, ("ARCHESTRA_BENCH_STATE_DIR", "mine")]), Ok("mine".into()));
    assert_eq!(state(&[], &[HOME, xdg]), Ok("/state/archestra-bench".into()));
    assert_eq!(
        state(&[], &[HOME, ("XDG_STATE_HOME", "relative")]),
        Ok("/home/me/.local/state/archestra-bench".into())
    );
    assert_eq!(
        state(&[], &[]),
        Err("there is no place for certificate authorities, because neither HOME nor XDG_STATE_HOME is set; give \
             --state-dir DIR"
            .into())
    );
}

#[test]
fn a_fleet_that_keeps_no_authority_needs_no_place_for_one() {
    let configured = |flags: &[&str]| {
        let (args, given) = parse_run(flags, &[], ["", ""]).unwrap();
        RunConfig::new(&args, &given).map_err(|error| error.to_string())
    };
    assert!(configured(&[]).is_ok());
    let elsewhere = configured(&["--fleet", "addresses", "--worker-address", "127.0.0.1:7700"]);
    assert!(elsewhere.unwrap_err().contains("no place for certificate authorities"));
}

#[test]
fn vms_need_a_project_a_zone_and_a_target_that_they_can_reach() {
    let gcp = |flags: &[&str]| refused(&[&["--fleet", "gcp"], flags].concat());
    assert!(gcp(&[]).starts_with("no Google Cloud project is named"));
    assert!(gcp(&["--project", "p"]).starts_with("no zone is named"));
    let place = ["--project", "p", "--zone", "europe-west1-b,europe-west1-c"];
    assert!(gcp(&place).starts_with("VMs cannot reach the built-in mock"));
    let with = |flags: &[&str]| gcp(&[&place[..], &["--target", "http://h:1"], flags].concat());
    for (flags, part) in [
        (&["--max-run-duration", "19m"][..], "at least 20m"),
        (&["--own-address-url", "none"], "--source-range"),
        (&["--own-address-url", "ftp://x"], "https://"),
        (&["--worker-url", "https://x/w"], "--worker-sha256"),
        (&["--worker-sha256", &"0".repeat(64)], "--worker-url"),
        (
            &["--worker-url", "https://x/w", "--worker-sha256", &"0".repeat(64), "--worker-delivery", "ssh"],
            "--worker-delivery and --worker-url are two ways",
        ),
        (
            &["--worker-url", "https://x/w", "--worker-sha256", &"0".repeat(64), "--service-account", "a@p"],
            "--service-account is for a binary in a bucket",
        ),
        (
            &["--worker-delivery", "ssh", "--service-account", "a@p"],
            "--service-account is for a binary in a bucket",
        ),
        (&["--fleet-name", "Blue"], "lower-case"),
        (&["--host", "a"], "--fleet ssh"),
        (&["--plaintext"], "--fleet addresses"),
    ] {
        let sentence = with(flags);
        assert!(sentence.contains(part), "{flags:?}: {sentence}");
    }
    for flag in ["--spot", "--cleanup-after", "--yes"] {
        assert!(refused(&[flag]).starts_with(&format!("{flag} is for --fleet gcp")), "{}", refused(&[flag]));
    }

    let config = run(&[&["--fleet", "gcp", "--target", "http://h:1"], &place[..]].concat());
    let FleetChoice::Gcp { workers, config, cleanup_after } = config.fleet else { panic!("another fleet") };
    assert_eq!((workers.get(), cleanup_after), (4, false));
    assert_eq!(config.zones, ["europe-west1-b", "europe-west1-c"]);
    assert_eq!(config.compute_endpoint.as_str(), "https://compute.googleapis.com/compute/v1/");
    assert_eq!(config.max_run_duration, Duration::from_secs(3600));
}
