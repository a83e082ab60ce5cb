//! Percentiles, and what is printed.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

/// Prints a line: for people, or the result for scripts.
#[expect(clippy::print_stdout, reason = "what is measured is for whoever called the program")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "standard output is for what was measured")]
pub(crate) fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("skald-bench: {error:#}");
    ExitCode::FAILURE
}

/// Times of one kind, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The least time that so many of a hundred did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }

    /// What is left of the percentiles without `base` milliseconds, as JSON.
    pub(crate) fn above(&self, base: f64) -> Value {
        json!({
            "p50_ms": rounded(self.percentile(50) - base),
            "p99_ms": rounded(self.percentile(99) - base),
        })
    }
}

/// Two decimals: more would pretend.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: impl IntoIterator<Item = u64>) -> Times {
        Times::new(millis.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        for (of, percent, expected) in [
            (times([7]), 50, 7.0),
            (times([7]), 99, 7.0),
            (times([3, 1, 2]), 50, 2.0),
            (times([4, 3, 2, 1]), 50, 2.0),
            (times((1..=200).rev()), 50, 100.0),
            (times(1..=200), 99, 198.0),
            (times(1..=200), 100, 200.0),
        ] {
            assert!((of.percentile(percent) - expected).abs() < 1e-9, "{percent} {expected}");
        }
        assert!(times([]).percentile(50).is_nan());
    }

    #[test]
    fn what_the_provider_takes_itself_does_not_count() {
        let above = times([10, 20, 30]).above(4.256);
        assert_eq!(above, json!({ "p50_ms": 15.74, "p99_ms": 25.74 }));
    }
}
