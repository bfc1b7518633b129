//! Why a run ended without results.

use std::io;

use super::measure::MeasureError;
use crate::fleet::gcp::GcpError;
use crate::fleet::{ChildError, FleetError};
use crate::preflight::PreflightError;
use crate::report::files::FilesError;
use crate::session::SessionError;
use crate::telemetry::TelemetryError;
use crate::ui::UiError;

/// Why a run ended without results.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Results cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The workers could not be brought up.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Nobody can follow it as was asked for.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Nobody can watch it as was asked for.
    #[error(transparent)]
    Ui(#[from] UiError),
    /// The built-in mock did not start.
    #[error(transparent)]
    Mock(#[from] ChildError),
    /// A worker cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The target does not answer as it should.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// A worker refuses, or results cannot be written any more.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The system denied something that every run needs.
    #[error("the run cannot be set up")]
    System(#[from] io::Error),
}

impl RunError {
    /// Whether the user ended it while machines came up.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Fleet(FleetError::Gcp(GcpError::Interrupted(_))))
    }
}
