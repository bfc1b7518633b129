//! The API key: it comes from variables, goes into one header, and is shown nowhere.

use std::fmt;

use super::ConfigError;
use crate::cli::Given;

/// The variables that may hold the key; the first that is set wins.
pub const API_KEY_VARIABLES: [&str; 2] = ["ARCHESTRA_BENCHMARK_API_KEY", "OPENAI_API_KEY"];

/// The variable that may hold the key of the upstream.
pub const DIRECT_API_KEY_VARIABLE: &str = "DIRECT_API_KEY";

/// What mocks and gateways in mock mode accept.
pub const DEFAULT_API_KEY: &str = "sk-mock-key";

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key that was given, or else [`DEFAULT_API_KEY`].
    ///
    /// # Errors
    /// When it is nothing that a header can carry.
    pub fn api_key(given: &Given) -> Result<Self, ConfigError> {
        Self::of_variables(&API_KEY_VARIABLES, given)
    }

    /// The upstream's key, which is never the gateway's, or else [`DEFAULT_API_KEY`].
    pub(super) fn direct_api_key(given: &Given) -> Result<Self, ConfigError> {
        Self::of_variables(&[DIRECT_API_KEY_VARIABLE], given)
    }

    fn of_variables(names: &[&'static str], given: &Given) -> Result<Self, ConfigError> {
        let found = names.iter().copied().find_map(|name| Some((name, given.variable(name)?)));
        let Some((name, key)) = found else { return Ok(Self::new(DEFAULT_API_KEY)) };
        match key.to_str().map(str::trim) {
            Some(key) if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self::new(key))
            }
            _ => Err(ConfigError::ApiKey { name }),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}
