//! What Google answers when it does not do what was asked, and what is to be done about it.

use std::fmt;

use serde::Deserialize;

use super::login::LoginError;

/// Something that was asked of Google and not done. `what` is a phrase such as "create loadtest-vm-1".
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody is logged in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Google cannot be reached, or broke off again and again.
    #[error(
        "failed to {what}: {host} cannot be reached ({problem}); check this machine's network and try again"
    )]
    Unreachable {
        /// What was asked.
        what: String,
        /// Whom it was asked of.
        host: String,
        /// The last problem.
        problem: String,
    },
    /// Google said no.
    #[error("failed to {what}: {refusal}")]
    Refused {
        /// What was asked.
        what: String,
        /// Why not.
        refusal: Box<Refusal>,
    },
    /// It is being done, for longer than anybody would wait.
    #[error(
        "failed to {what}: it was not done after {minutes} minutes; look at it with `archestra-bench status`, and take it \
         away with `archestra-bench cleanup`"
    )]
    Unfinished {
        /// What was asked.
        what: String,
        /// How long was waited.
        minutes: u64,
    },
    /// A line that is too slow for what is sent.
    #[error(
        "failed to {what}: it was not there after {minutes} minutes; try it from a faster network, or have the VMs fetch it \
         from elsewhere with --worker-url"
    )]
    TooSlow {
        /// What was asked.
        what: String,
        /// How long was waited.
        minutes: u64,
    },
    /// An answer that is none.
    #[error(
        "failed to {what}: {host} answered what makes no sense ({problem}); is an endpoint override set wrongly?"
    )]
    Unreadable {
        /// What was asked.
        what: String,
        /// Who answered.
        host: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ApiError {
    /// Why Google said no, when it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Whether Google has said no, and would again.
    pub fn is_final_refusal(&self) -> bool {
        self.refusal().is_some_and(|refusal| !refusal.may_pass())
    }

    /// Whether the thing is not there.
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 404)
    }

    /// Whether there is a thing of that name already.
    pub fn is_already_there(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 409 && refusal.kind != Kind::NotReady)
    }
}

/// A "no", as the answer to a call or the end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP's code, also for an operation.
    pub code: u16,
    /// Google's word for it, such as `quotaExceeded`.
    pub reason: String,
    /// In Google's words.
    pub message: String,
    /// What it means here.
    pub kind: Kind,
}

/// What a refusal means here.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Too many calls: the same again, later.
    RateLimit,
    /// Google's own trouble: the same again, later.
    Backend,
    /// The thing is not ready to be used: the same again, later.
    NotReady,
    /// A quota is used up.
    Quota {
        /// Such as `CPUS`.
        name: String,
        /// How much there is of it.
        limit: Option<f64>,
        /// Where.
        region: Option<String>,
    },
    /// The zone has no machine left; those in the list do.
    ZoneExhausted {
        /// Such as `europe-west1-c`.
        available: Vec<String>,
    },
    /// The login is not valid.
    Unauthenticated,
    /// The login lacks a permission, which the message names.
    Forbidden,
    /// The API is not switched on in the project.
    ApiDisabled,
    /// Nobody pays for the project.
    NoBilling,
    /// The project is within a perimeter of VPC Service Controls, and whoever asks is outside.
    Perimeter,
    /// The organization does not want it.
    Policy,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Of a call's answer.
    pub fn of_answer(code: u16, body: &str) -> Self {
        let Ok(ErrorAnswer { error }) = serde_json::from_str(body) else {
            let start: String = body.chars().take(200).collect();
            let message =
                if start.trim().is_empty() { format!("status {code}") } else { start.replace('\n', " ") };
            let kind = Kind::of(code, "", &message, &[]);
            return Self { code, reason: String::new(), message, kind };
        };
        let first = error.errors.first();
        let detail = error.details.iter().find_map(|detail| detail.reason.as_deref());
        let reason =
            first.and_then(|first| first.reason.as_deref()).or(detail).unwrap_or_default().to_owned();
        let kind = match detail {
            Some("SERVICE_DISABLED") => Kind::ApiDisabled,
            Some("BILLING_DISABLED") => Kind::NoBilling,
            Some("SECURITY_POLICY_VIOLATED") => Kind::Perimeter,
            _ => Kind::of(code, &reason, &error.message, &[]),
        };
        Self { code, reason, message: error.message, kind }
    }

    /// Of an operation that failed.
    pub fn of_operation(code: u16, errors: &[OperationProblem]) -> Self {
        let first = errors.first();
        let reason = first.map(|first| first.code.clone()).unwrap_or_default();
        let message = first.and_then(|first| first.message.clone()).unwrap_or_else(|| reason.clone());
        let details = first.map(|first| first.error_details.as_slice()).unwrap_or_default();
        let kind = Kind::of(code, &reason, &message, details);
        Self { code, reason, message, kind }
    }

    /// Whether the same call may go well in a moment.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::RateLimit | Kind::Backend | Kind::NotReady)
    }
}

impl Kind {
    fn of(code: u16, reason: &str, message: &str, details: &[ErrorDetail]) -> Self {
        match (code, reason) {
            (_, "rateLimitExceeded" | "userRateLimitExceeded" | "RATE_LIMIT_EXCEEDED") | (429, _) => {
                Self::RateLimit
            }
            (_, "quotaExceeded" | "QUOTA_EXCEEDED") => quota(message, details),
            (_, reason) if reason.starts_with("ZONE_RESOURCE_POOL_EXHAUSTED") => {
                let available = details.iter().find_map(|detail| detail.zones_available());
                Self::ZoneExhausted { available: available.unwrap_or_default() }
            }
            (_, "accessNotConfigured" | "SERVICE_DISABLED") => Self::ApiDisabled,
            (_, "resourceNotReady" | "RESOURCE_NOT_READY") => Self::NotReady,
            (_, "accountDisabled" | "BILLING_DISABLED") => Self::NoBilling,
            (403, _) if message.to_lowercase().contains("billing") => Self::NoBilling,
            (403, _) if message.contains("vpcServiceControls") => Self::Perimeter,
            _ if message.contains("constraints/") => Self::Policy,
            (401, _) => Self::Unauthenticated,
            (403, _) => Self::Forbidden,
            (500 | 502 | 503 | 504, _) => Self::Backend,
            _ => Self::Other,
        }
    }
}

/// The details name what a message only tells: `Quota 'CPUS' exceeded.  Limit: 24.0 in region europe-west1.`
fn quota(message: &str, details: &[ErrorDetail]) -> Kind {
    let info = details.iter().find_map(|detail| detail.quota_info.as_ref());
    let quoted = message.split('\'').nth(1).unwrap_or("a quota");
    let told_limit = message.split("Limit: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let told_region = message.split("in region ").nth(1).map(|rest| rest.trim_end_matches('.').to_owned());
    Kind::Quota {
        name: quoted.to_owned(),
        limit: info.and_then(|info| info.limit).or(told_limit),
        region: info.and_then(|info| info.dimensions.as_ref()?.region.clone()).or(told_region),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.trim_end_matches('.');
        match &self.kind {
            Kind::Quota { name, limit, region } => {
                write!(f, "the quota {name} is used up")?;
                if let Some(limit) = limit {
                    write!(f, " (its limit is {limit}")?;
                    region.iter().try_for_each(|region| write!(f, " in {region}"))?;
                    write!(f, ")")?;
                }
                let elsewhere = if region.is_some() { " use another region," } else { "" };
                write!(f, "; ask for fewer or smaller VMs,{elsewhere} or have the quota raised")
            }
            Kind::ZoneExhausted { available } if available.is_empty() => {
                write!(
                    f,
                    "the zone has no such machine left ({message}); name more zones with --zone, or try later"
                )
            }
            Kind::ZoneExhausted { available } => {
                write!(f, "the zone has no such machine left; give --zone {}, which has", available.join(","))
            }
            Kind::Unauthenticated => {
                write!(
                    f,
                    "Google does not accept the login ({message}); log in again with `gcloud auth login`, or correct the file \
                     that GOOGLE_APPLICATION_CREDENTIALS names"
                )
            }
            Kind::Forbidden if message.contains("iam.serviceAccounts.actAs") => write!(
                f,
                "permission is missing ({message}); have the role roles/iam.serviceAccountUser granted on that account, \
                 or use another with --service-account"
            ),
            Kind::Forbidden => write!(
                f,
                "permission is missing ({message}); have a role granted that holds it, such as \
                 roles/compute.admin and roles/storage.admin"
            ),
            Kind::ApiDisabled => write!(
                f,
                "the API is not switched on in this project ({message}); switch it on with `gcloud services enable \
                 compute.googleapis.com storage.googleapis.com`"
            ),
            Kind::NoBilling => write!(
                f,
                "billing is off for the project ({message}); link it to a billing account, or name another with --project"
            ),
            Kind::Perimeter => write!(
                f,
                "VPC Service Controls keep this machine out of the project ({message}); run it from within the perimeter, or \
                 have an access level for it granted"
            ),
            Kind::Policy if message.contains("vmExternalIpAccess") => write!(
                f,
                "the organization allows no external addresses ({message}); make VMs without them with --reach iap"
            ),
            Kind::Policy => write!(
                f,
                "a policy of the organization forbids it ({message}); have an exception made, or name another project with \
                 --project"
            ),
            Kind::RateLimit | Kind::Backend | Kind::NotReady => {
                write!(f, "Google still says after several tries: {message}; try again later")
            }
            Kind::Other if self.code == 404 => {
                write!(f, "{message}; check --project, --zone, --image, --network and --machine-type")
            }
            Kind::Other => write!(f, "{message} (status {}); correct what it names", self.code),
        }
    }
}

/// The body of an answer that says no.
#[derive(Debug, Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<ErrorItem>,
    #[serde(default)]
    details: Vec<ErrorItem>,
}

#[derive(Debug, Deserialize)]
struct ErrorItem {
    reason: Option<String>,
}

/// One problem of an operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationProblem {
    #[serde(default)]
    code: String,
    message: Option<String>,
    #[serde(default)]
    error_details: Vec<ErrorDetail>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDetail {
    quota_info: Option<QuotaInfo>,
    error_info: Option<ErrorInfo>,
}

#[derive(Debug, Clone, Deserialize)]
struct QuotaInfo {
    limit: Option<f64>,
    dimensions: Option<Dimensions>,
}

#[derive(Debug, Clone, Deserialize)]
struct Dimensions {
    region: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct ErrorInfo {
    metadatas: Option<Metadatas>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadatas {
    zones_available: Option<String>,
}

impl ErrorDetail {
    fn zones_available(&self) -> Option<Vec<String>> {
        let zones = self.error_info.as_ref()?.metadatas.as_ref()?.zones_available.as_ref()?;
        Some(zones.split(',').map(|zone| zone.trim().to_owned()).filter(|zone| !zone.is_empty()).collect())
    }
}
