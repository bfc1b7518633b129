//! Flags of the ssh fleet, and how its hosts are written.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::FLEET;

/// The flags of the ssh fleet.
#[derive(Debug, Clone, Args)]
pub struct SshArgs {
    /// Where workers are started by ssh; repeatable, or separated by commas [default: none]
    #[arg(long = "host", value_name = "[USER@]HOST[:PORT]", value_parser = str::parse::<SshHost>)]
    #[arg(value_delimiter = ',', env = "ARCHESTRA_BENCH_HOSTS", help_heading = FLEET)]
    pub hosts: Vec<SshHost>,

    /// File with such hosts, one a line; # begins a comment [default: none]
    #[arg(long = "hosts", value_name = "FILE", env = "ARCHESTRA_BENCH_HOSTS_FILE", help_heading = FLEET)]
    pub hosts_file: Option<PathBuf>,

    /// The ssh client; it takes its configuration, keys, agent and known hosts from where it always does
    #[arg(long = "ssh", value_name = "PROGRAM", default_value = "ssh", env = "ARCHESTRA_BENCH_SSH")]
    #[arg(help_heading = FLEET)]
    pub ssh_program: PathBuf,
}

/// A machine as `ssh` is told of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshHost {
    /// Who logs in; `None` for whom the ssh configuration names.
    pub user: Option<String>,
    /// A name, an alias of the ssh configuration or an IP address, without brackets.
    pub host: String,
    /// `None` for the port that the ssh configuration names.
    pub port: Option<u16>,
}

impl SshHost {
    /// What `ssh` takes as its destination.
    pub fn destination(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        }
    }
}

impl FromStr for SshHost {
    type Err = String;

    /// Nothing that `ssh` or a shell could take for an option or a command is let through.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("must be [USER@]HOST[:PORT], such as me@10.0.0.2 or [::1]:22, not `{text}`");
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, text),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                let address = host.split_once('%').map_or(host, |(address, _)| address);
                address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) })
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)).transpose()?;
        let is_user = user.as_deref().is_none_or(|user| is_word(user, b"-._+@"));
        if is_user && is_word(host, if place.starts_with('[') { b"-._:%" } else { b"-._" }) {
            Ok(Self { user, host: host.to_owned(), port })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Letters, digits and `others`, and no dash in front.
fn is_word(text: &str, others: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_may_have_a_user_and_a_port() {
        for (text, user, host, port) in [
            ("load-1", None, "load-1", None),
            ("me@10.0.0.2", Some("me"), "10.0.0.2", None),
            ("me@load.example:2222", Some("me"), "load.example", Some(2222)),
            ("me@corp.example@load-1", Some("me@corp.example"), "load-1", None),
            ("[::1]", None, "::1", None),
            ("me@[fe80::1%eth0]:22", Some("me"), "fe80::1%eth0", Some(22)),
        ] {
            let parsed: SshHost = text.parse().unwrap();
            assert_eq!((parsed.user.as_deref(), parsed.host.as_str(), parsed.port), (user, host, port));
            assert_eq!(parsed.to_string(), text);
        }
        let bare: SshHost = "me@[::1]:22".parse().unwrap();
        assert_eq!(bare.destination(), "me@::1");
    }

    #[test]
    fn options_commands_and_half_hosts_are_refused() {
        for bad in [
            "",
            "@h",
            "me@",
            "h:",
            "h:0",
            "h:70000",
            "h:ssh",
            "::1",
            "[::1",
            "[::1]22",
            "[h]",
            "-oProxyCommand=x",
            "-l@h",
            "me@-h",
            "a b",
            "h;id",
            "$(id)",
            "h/../x",
            "[::1%;id]",
            "ssh://h",
        ] {
            let error = bad.parse::<SshHost>().unwrap_err();
            assert!(error.starts_with("must be [USER@]HOST[:PORT]"), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_being_shown(text in "[-a-z0-9@:.%\\[\\] ]{0,16}") {
            if let Ok(host) = text.parse::<SshHost>() {
                prop_assert_eq!(host.to_string().parse::<SshHost>(), Ok(host.clone()));
                prop_assert!(!host.destination().starts_with('-'));
            }
        }
    }
}
