//! When a connection's answers are due: a timer that is reused from request to request.
//!
//! The mock is a baseline, so its latency must be what it says. tokio's timer rounds up to whole milliseconds; on Linux
//! a timerfd is some ten microseconds late instead. Elsewhere tokio's timer has to do.

#[cfg(any(test, not(target_os = "linux")))]
pub(super) mod coarse;
#[cfg(target_os = "linux")]
pub(super) mod precise;

#[cfg(not(target_os = "linux"))]
pub(super) use coarse::Pace;
#[cfg(target_os = "linux")]
pub(super) use precise::Pace;
