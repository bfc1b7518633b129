//! Who asks: a service account or a user's application-default credentials, or else the login of the gcloud command.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::causes::innermost;
use crate::clock;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long whoever holds the credentials may take.
const LIMIT: Duration = Duration::from_secs(30);
/// gcloud's tokens hold for an hour, and one that it hands out may be a while old: it renews those with 5 minutes left.
const GCLOUD_TOKEN_LIFE: Duration = Duration::from_secs(240);

/// Nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Credentials were found, and cannot be used.
    #[error(
        "the credentials in {source_name} cannot be used ({problem}); log in with `gcloud auth login` or correct them"
    )]
    Unusable {
        /// Where they come from.
        source_name: String,
        /// What the library says.
        problem: String,
    },
    /// Neither credentials nor gcloud.
    #[error(
        "no Google login was found: log in with `gcloud auth login` or `gcloud auth application-default login`, or set \
         GOOGLE_APPLICATION_CREDENTIALS to a service account's key file"
    )]
    None,
    /// gcloud has no login, or another problem.
    #[error("gcloud gives no access token ({0}); log in with `gcloud auth login`")]
    Gcloud(String),
}

/// Whose access tokens are used.
#[derive(Debug, Clone)]
pub struct Login {
    /// Where the credentials come from, in words.
    pub source_name: String,
    tokens: Tokens,
}

#[derive(Debug, Clone)]
enum Tokens {
    Library(AccessTokenCredentials),
    Gcloud(Arc<Mutex<Option<(Instant, String)>>>),
}

impl Login {
    /// Finds credentials, in this order: the file that GOOGLE_APPLICATION_CREDENTIALS names, application-default
    /// credentials, the gcloud command's login.
    ///
    /// # Errors
    /// When there are none, or they cannot be used.
    pub fn find() -> Result<Self, LoginError> {
        let named = std::env::var_os("GOOGLE_APPLICATION_CREDENTIALS").filter(|name| !name.is_empty());
        if named.is_some() {
            return Self::from_library("the file that GOOGLE_APPLICATION_CREDENTIALS names");
        }
        if default_credentials().is_some_and(|path| path.exists()) {
            return Self::from_library("gcloud's application-default credentials");
        }
        let gcloud = Tokens::Gcloud(Arc::default());
        Ok(Self { source_name: "the gcloud command's login".into(), tokens: gcloud })
    }

    fn from_library(source_name: &str) -> Result<Self, LoginError> {
        let credentials = Builder::default().with_scopes([SCOPE]).build_access_token_credentials();
        let credentials = credentials.map_err(|error| LoginError::Unusable {
            source_name: source_name.into(),
            problem: innermost(&error),
        })?;
        Ok(Self { source_name: source_name.into(), tokens: Tokens::Library(credentials) })
    }

    /// A token that holds for a while.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn token(&self) -> Result<String, LoginError> {
        match &self.tokens {
            Tokens::Library(credentials) => {
                let unusable =
                    |problem| LoginError::Unusable { source_name: self.source_name.clone(), problem };
                match timeout(LIMIT, credentials.access_token()).await {
                    Ok(Ok(token)) => Ok(token.token),
                    Ok(Err(error)) => Err(unusable(innermost(&error))),
                    Err(_) => Err(unusable(format!("no token within {} s", LIMIT.as_secs()))),
                }
            }
            Tokens::Gcloud(kept) => {
                let mut kept = kept.lock().await;
                match &*kept {
                    Some((until, token)) if clock::now() < *until => Ok(token.clone()),
                    _ => {
                        let token = ask_gcloud().await?;
                        *kept = Some((clock::now() + GCLOUD_TOKEN_LIFE, token.clone()));
                        Ok(token)
                    }
                }
            }
        }
    }
}

async fn ask_gcloud() -> Result<String, LoginError> {
    let mut command = Command::new("gcloud");
    command.args(["auth", "print-access-token", "--quiet"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(LIMIT, command.output()).await {
        Err(_) => return Err(LoginError::Gcloud(format!("it said nothing for {} s", LIMIT.as_secs()))),
        Ok(Err(_)) => return Err(LoginError::None),
        Ok(Ok(output)) => output,
    };
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !token.is_empty() {
        return Ok(token);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(LoginError::Gcloud(line.unwrap_or("it gives no reason").trim_start_matches("ERROR: ").to_owned()))
}

/// Where `gcloud auth application-default login` puts them.
fn default_credentials() -> Option<PathBuf> {
    let home = std::env::var_os("HOME")?;
    Some(PathBuf::from(home).join(".config/gcloud/application_default_credentials.json"))
}
