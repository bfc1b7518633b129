//! What a host says of itself before anything is copied there.

use std::num::NonZeroU32;

use super::super::binary::{Architecture, WorkerBinary};
use super::error::{HostProblem, printable};

/// Begins each line that is meant for us: a login shell's start-up files may say other things.
const MARK: &str = "archestra-bench-host ";
const END: &str = "end";

/// Certificates hold from yesterday's beginning for a week, in seconds that are sure.
const MOST_BEHIND: i64 = 24 * 3600;
const MOST_AHEAD: i64 = 6 * MOST_BEHIND;

/// A host's answers, by name.
#[derive(Debug, Default)]
pub(super) struct Facts(Vec<(String, String)>);

/// Shell that sets `$folder` to where a worker's program with this checksum is kept.
pub(super) fn folder(sha256: &str) -> String {
    format!(r#"LC_ALL=C; export LC_ALL; folder="${{XDG_CACHE_HOME:-$HOME/.cache}}/archestra-bench/{sha256}""#)
}

/// Shell that tells what there is and then waits for the end of its standard input. It is the master's own command.
pub(super) fn script(binary: &WorkerBinary) -> String {
    let facts = [
        ("kernel", "uname -s"),
        ("machine", "uname -m"),
        ("library", "getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1"),
        ("clock", "date +%s"),
        ("boot", "cat /proc/sys/kernel/random/boot_id"),
        ("cores", "nproc || getconf _NPROCESSORS_ONLN"),
        ("home", r#"echo "${XDG_CACHE_HOME:-$HOME}""#),
        ("tool", "command -v sha256sum"),
        ("checksum", r#"sha256sum <"$folder/archestra-bench" | cut -c1-64"#),
        (END, "true"),
    ];
    let lines =
        facts.map(|(name, command)| format!(r#"echo "{MARK}{name} $({{ {command}; }} 2>/dev/null)""#));
    format!("echo; {}; {}; exec cat >/dev/null", folder(&binary.sha256), lines.join("; "))
}

impl Facts {
    /// Takes in a line of the host's; whether it was the last.
    pub(super) fn take(&mut self, line: &str) -> bool {
        let Some((_, fact)) = line.split_once(MARK) else { return false };
        let (name, value) = fact.split_once(' ').unwrap_or((fact, ""));
        self.0.push((name.to_owned(), printable(value.trim())));
        name == END
    }

    /// Whether the program is there already.
    ///
    /// # Errors
    /// When it cannot run there, or cannot be put there.
    pub(super) fn has(&self, binary: &WorkerBinary) -> Result<bool, HostProblem> {
        let kernel = self.get("kernel");
        if kernel != "Linux" {
            return Err(HostProblem::Kernel(kernel.to_owned()));
        }
        let machine = self.get("machine");
        if Architecture::of_machine(machine) != Some(binary.architecture) {
            let (machine, path) = (machine.to_owned(), binary.path.clone());
            return Err(HostProblem::Architecture { machine, needed: binary.architecture, path });
        }
        if let Some(needed) = binary.glibc {
            let found = glibc_version(self.get("library"));
            if found.is_none_or(|found| found < needed) {
                return Err(HostProblem::Library { found, needed, path: binary.path.clone() });
            }
        }
        if self.get("home").is_empty() {
            return Err(HostProblem::NoHome);
        }
        if self.get("tool").is_empty() {
            return Err(HostProblem::NoChecksums);
        }
        Ok(self.get("checksum") == binary.sha256)
    }

    /// Whether certificates hold there.
    ///
    /// # Errors
    /// When its clock and ours, in seconds since 1970, are too far apart.
    pub(super) fn agrees_on_time(&self, now: i64) -> Result<(), HostProblem> {
        // One that does not say is believed: its worker will refuse what does not hold.
        let ahead = self.get("clock").parse().unwrap_or(now).saturating_sub(now);
        let (apart, way) = (ahead.unsigned_abs(), if ahead < 0 { "behind" } else { "ahead" });
        if (-MOST_BEHIND..MOST_AHEAD).contains(&ahead) {
            return Ok(());
        }
        Err(HostProblem::Clock(format!("{} h {way}", apart / 3600)))
    }

    /// Names the machine, whatever the user calls it; `None` where it does not say.
    pub(super) fn boot(&self) -> Option<&str> {
        Some(self.get("boot")).filter(|boot| !boot.is_empty())
    }

    /// Cores that a process may use there.
    pub(super) fn cores(&self) -> NonZeroU32 {
        self.get("cores").parse().unwrap_or(NonZeroU32::MIN)
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// `glibc 2.36`, or `ldd (Debian GLIBC 2.36-9) 2.36`; musl has no such version.
fn glibc_version(words: &str) -> Option<(u32, u32)> {
    if words.contains("musl") {
        return None;
    }
    let mut numbers = words.rsplit(' ').next()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(glibc: Option<(u32, u32)>) -> WorkerBinary {
        let architecture = Architecture::X86_64;
        WorkerBinary { path: "bench".into(), sha256: "5a".repeat(32), architecture, glibc }
    }

    fn facts(changed: &[(&str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (name, value) in changed.iter().chain(&[
            ("kernel", "Linux"),
            ("machine", "x86_64"),
            ("library", "glibc 2.36"),
            ("cores", "8"),
            ("home", "/root"),
            ("tool", "/usr/bin/sha256sum"),
        ]) {
            assert!(!facts.take(&format!("{MARK}{name} {value}")));
        }
        assert!(!facts.take("Welcome to this machine!") && facts.take(&format!("{MARK}{END} ")));
        facts
    }

    fn refused(changed: &[(&str, &str)], glibc: Option<(u32, u32)>) -> String {
        facts(changed).has(&binary(glibc)).unwrap_err().to_string()
    }

    #[test]
    fn a_host_that_can_run_it_has_it_or_gets_it() {
        let has = |facts: &Facts, glibc| facts.has(&binary(glibc)).unwrap();
        assert!(!has(&facts(&[]), Some((2, 36))));
        assert!(has(&facts(&[("checksum", &"5a".repeat(32))]), Some((2, 34))));
        assert!(!has(&facts(&[("checksum", &"5b".repeat(32))]), None));
        assert!(!has(&facts(&[("library", "musl libc (x86_64)")]), None), "static programs need no library");
        assert_eq!((facts(&[]).cores().get(), facts(&[("cores", "")]).cores().get()), (8, 1));
    }

    #[test]
    fn a_clock_at_which_no_certificate_holds_is_named() {
        let at = |clock: i64| facts(&[("clock", &clock.to_string())]).agrees_on_time(1_000_000);
        assert_eq!((at(1_000_000 - 23 * 3600), at(1_000_000 + 143 * 3600)), (Ok(()), Ok(())));
        assert_eq!(at(1_000_000 - 49 * 3600), Err(HostProblem::Clock("49 h behind".into())));
        assert_eq!(at(1_000_000 + 200 * 3600), Err(HostProblem::Clock("200 h ahead".into())));
        assert_eq!(facts(&[]).agrees_on_time(1_000_000), Ok(()));
    }

    #[test]
    fn what_a_login_shell_says_before_is_no_fact() {
        let mut facts = Facts::default();
        assert!(!facts.take("Welcome to this machine!"));
        assert!(!facts.take(&format!("hello> {MARK}kernel Lin\u{1b}[2Jux")));
        assert_eq!(facts.get("kernel"), "Lin[2Jux", "a host's words cannot disturb the terminal");
    }

    #[test]
    fn a_host_that_cannot_is_told_why_and_what_helps() {
        assert_eq!(
            refused(&[("kernel", "Darwin")], None),
            "runs Darwin, and workers need Linux; name a Linux machine instead"
        );
        assert_eq!(
            refused(&[("machine", "aarch64")], None),
            "is an aarch64 machine, but bench is for x86_64; give a program that is made for aarch64 with --worker-binary"
        );
        assert_eq!(
            refused(&[("library", "ldd (Debian GLIBC 2.28-10) 2.28")], Some((2, 34))),
            "has glibc 2.28, but bench needs 2.34 or newer; give a program that was built on an older system, or a static \
             one (for musl), with --worker-binary"
        );
        assert_eq!(
            refused(&[("library", "musl libc (x86_64)")], Some((2, 34))),
            "has no glibc, but bench needs 2.34 or newer; give a program that was built on an older system, or a static \
             one (for musl), with --worker-binary"
        );
        assert!(refused(&[("home", "")], None).starts_with("has no home folder"));
        assert!(refused(&[("tool", "")], None).starts_with("has no `sha256sum`"));
    }

    #[test]
    fn scripts_pass_through_any_login_shell() {
        let script = script(&binary(None));
        for script in [script.as_str(), WorkerBinary::START, super::super::host::COPY, &folder("5a")] {
            assert!(!script.contains(['\'', '\\', '!', '\n']), "{script}");
        }
    }
}
