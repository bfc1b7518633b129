//! What can come of one request.

use std::fmt;

use crate::{InvalidMessage, wire};

/// The kinds of failure, in the order in which a request can meet them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The answer was not complete in time.
    Timeout,
    /// The connection was closed or reset before the answer was complete.
    Reset,
    /// HTTP/2: the target refused the request's stream (REFUSED_STREAM) and has not looked at the request.
    Refused,
    /// The answer is not HTTP.
    Protocol,
    /// The status is not the one of a good answer.
    Status,
    /// The body is not what the scenario expects.
    Body,
    /// A stream ended before its end mark.
    Truncated,
}

impl FailureKind {
    /// All kinds, in order.
    pub const ALL: [FailureKind; 9] = [
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Refused,
        Self::Protocol,
        Self::Status,
        Self::Body,
        Self::Truncated,
    ];

    /// The kind's name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Body => "body",
            Self::Truncated => "truncated",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many failures of one kind are told apart in counts.
pub const MOST_OF_A_KIND: usize = 64;

/// The detail of those that are not.
const OTHERS: &str = "others, beyond those that are told apart";

/// One failure, told apart from others by its kind, its status and its detail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// The status of the answer, where `kind` is `Status`.
    pub status: Option<u16>,
    /// What exactly, for a person ("connection refused").
    pub detail: String,
}

impl Failure {
    /// All those of a kind that are not told apart.
    pub fn others(kind: FailureKind) -> Self {
        Self { kind, status: None, detail: OTHERS.into() }
    }

    pub(crate) fn is_others(&self) -> bool {
        self.status.is_none() && self.detail == OTHERS
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl From<&Failure> for wire::Failure {
    fn from(failure: &Failure) -> Self {
        wire::Failure {
            kind: wire::FailureKind::from(failure.kind) as i32,
            status: failure.status.map_or(0, u32::from),
            detail: failure.detail.clone(),
        }
    }
}

impl TryFrom<wire::Failure> for Failure {
    type Error = InvalidMessage;

    fn try_from(failure: wire::Failure) -> Result<Self, InvalidMessage> {
        let status = match failure.status {
            0 => None,
            status => Some(
                u16::try_from(status)
                    .map_err(|_| InvalidMessage::new("failure.status", "is no HTTP status"))?,
            ),
        };
        Ok(Self { kind: kind_from_wire(failure.kind)?, status, detail: failure.detail })
    }
}

impl From<FailureKind> for wire::FailureKind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Connect => Self::Connect,
            FailureKind::Tls => Self::Tls,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::Reset => Self::Reset,
            FailureKind::Refused => Self::Refused,
            FailureKind::Protocol => Self::Protocol,
            FailureKind::Status => Self::Status,
            FailureKind::Body => Self::Body,
            FailureKind::Truncated => Self::Truncated,
        }
    }
}

fn kind_from_wire(kind: i32) -> Result<FailureKind, InvalidMessage> {
    match wire::FailureKind::try_from(kind) {
        Ok(wire::FailureKind::Connect) => Ok(FailureKind::Connect),
        Ok(wire::FailureKind::Tls) => Ok(FailureKind::Tls),
        Ok(wire::FailureKind::Timeout) => Ok(FailureKind::Timeout),
        Ok(wire::FailureKind::Reset) => Ok(FailureKind::Reset),
        Ok(wire::FailureKind::Refused) => Ok(FailureKind::Refused),
        Ok(wire::FailureKind::Protocol) => Ok(FailureKind::Protocol),
        Ok(wire::FailureKind::Status) => Ok(FailureKind::Status),
        Ok(wire::FailureKind::Body) => Ok(FailureKind::Body),
        Ok(wire::FailureKind::Truncated) => Ok(FailureKind::Truncated),
        Ok(wire::FailureKind::Unspecified) | Err(_) => {
            Err(InvalidMessage::new("failure.kind", format!("is {kind}, which this version does not know")))
        }
    }
}
