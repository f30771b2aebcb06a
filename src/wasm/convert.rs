//! Conversions between the core's types and JavaScript's numbers.

use crate::Duration;

pub(super) fn span(millis: f64) -> Duration {
    if millis == f64::INFINITY { Duration::MAX } else { Duration::from_micros(micros(millis)) }
}

pub(super) fn millis(span: Duration) -> f64 {
    float(span.as_micros()) / 1000.0
}

/// Whole microseconds, rounded down; 0 for a negative value or NaN.
#[allow(clippy::as_conversions, reason = "float to integer has no other conversion; it saturates")]
pub(super) fn micros(millis: f64) -> u64 {
    (millis * 1000.0) as u64
}

#[allow(clippy::as_conversions, reason = "float to integer has no other conversion; it saturates")]
pub(super) fn number(float: f64) -> u32 {
    float as u32
}

#[allow(clippy::as_conversions, reason = "microseconds are exact in a float for 285 years")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
