use super::*;

fn connecting(words: &str) -> HostProblem {
    HostProblem::of_connecting(&"me@h:2222".parse().unwrap(), words)
}

#[test]
fn what_ssh_says_becomes_a_sentence_with_the_cure() {
    let changed =
        "@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n";
    assert_eq!(connecting(changed), HostProblem::OtherKey("ssh-keygen -R \"[h]:2222\"".into()));
    let placed = format!("{changed}Offending ED25519 key in /me/known_hosts:7\n");
    assert_eq!(connecting(&placed), HostProblem::OtherKey("/me/known_hosts:7".into()));
    let command = "ssh-keygen -f '/me/known_hosts' -R '10.0.0.2'";
    let with_command = format!("{placed}  remove with:\n  {command}\n");
    assert_eq!(connecting(&with_command), HostProblem::OtherKey(command.into()));
    assert_eq!(
        connecting("Host key verification failed."),
        HostProblem::UnknownKey("ssh -p 2222 me@h".into())
    );
    assert_eq!(connecting("me@h: Permission denied (publickey)."), HostProblem::NoKeyAccepted);
    assert_eq!(
        connecting("ssh: Could not resolve hostname h: Name or service not known"),
        HostProblem::NoSuchName
    );
    assert_eq!(connecting("ssh: connect to host h port 22: Connection refused"), HostProblem::Refused);
    for words in
        ["ssh: connect to host h port 22: No route to host", "Connection timed out during banner exchange"]
    {
        assert_eq!(connecting(words), HostProblem::Unreachable(words.into()));
    }
}

#[test]
fn what_a_host_says_of_a_copy_becomes_one_too() {
    let copying = |words| HostProblem::of_copying(Some(1), words);
    assert!(matches!(copying("cat: write error: No space left on device\n"), HostProblem::NoSpace(_)));
    assert!(matches!(
        copying("mkdir: cannot create directory '/x': Permission denied"),
        HostProblem::NoPermission(_)
    ));
    assert!(copying("").to_string().contains("checksum"));
    assert!(HostProblem::of_copying(Some(255), "").to_string().contains("the ssh connection broke"));
    let refused = "Session open refused by peer\nConnection closed by UNKNOWN port 65535\n";
    assert_eq!(HostProblem::of_copying(Some(255), refused), HostProblem::Sessions);
    assert_eq!(
        HostProblem::of_starting(
            "mux_client_request_session: session request failed: Session open refused by peer"
        ),
        HostProblem::Sessions
    );
}

#[test]
fn a_hosts_words_cannot_disturb_the_terminal() {
    let words = format!("\u{1b}[2J{}\n\n", "x".repeat(1000));
    let last = last_line(&words);
    assert!(last.starts_with("[2J") && last.len() == 200);
}

#[test]
fn what_is_wrong_here_is_not_blamed_on_the_host() {
    for words in [
        "/me/.ssh/config: terminating, 1 bad configuration options",
        "command-line: line 0: Bad configuration option: remotecommand",
        "Bad owner or permissions on /me/.ssh/config",
        "unix_listener: cannot bind to path /tmp/x: Permission denied",
    ] {
        assert_eq!(connecting(words), HostProblem::LocalSsh(words.into()));
    }
    let spawning = |code| {
        let source = io::Error::from_raw_os_error(code);
        HostProblem::of_spawning("ssh".as_ref(), &ChildError::Start { program: "ssh", source })
    };
    let (missing, many) = (2, 24);
    assert_eq!(spawning(missing), HostProblem::NoClient("ssh".into()));
    assert!(spawning(many).to_string().contains("(Too many open files (os error 24)); raise its limits"));
}

#[test]
fn only_connections_that_were_closed_are_worth_another_try() {
    let closed = "kex_exchange_identification: Connection closed by remote host";
    assert!(connecting(closed).may_pass() && !connecting("Connection refused").may_pass());
}

#[test]
fn a_program_that_must_not_run_is_told_from_one_that_fails() {
    let starting = HostProblem::of_starting;
    let denied = starting("sh: 1: exec: /x/archestra-bench: Permission denied");
    assert!(matches!(denied, HostProblem::NotExecutable(_)));
    assert!(matches!(starting("error: out of memory"), HostProblem::NotStarted(_)));
}
