//! When a day ends in California, where allowances of a day are renewed. Pure.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc, Weekday};

/// How far the clocks there are behind UTC, in winter and in summer.
const WINTER: TimeDelta = TimeDelta::hours(8);
const SUMMER: TimeDelta = TimeDelta::hours(7);

/// How long it is until the next midnight there.
pub(super) fn until_midnight(now: DateTime<Utc>) -> Option<std::time::Duration> {
    let now = now.naive_utc();
    let today = (now - behind(now)?).date();
    let midnight = today.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?;
    // Clocks change at two in the morning: at midnight the old time holds still.
    let in_summer = midnight + SUMMER;
    let midnight = if behind(in_summer - TimeDelta::seconds(1))? == SUMMER {
        in_summer
    } else {
        midnight + WINTER
    };
    (midnight - now).to_std().ok()
}

/// Summer lasts from the second Sunday of March to the first one of November.
fn behind(now: NaiveDateTime) -> Option<TimeDelta> {
    let sunday =
        |month, nth| NaiveDate::from_weekday_of_month_opt(now.year(), month, Weekday::Sun, nth);
    let begins = sunday(3, 2)?.and_hms_opt(2, 0, 0)? + WINTER;
    let ends = sunday(11, 1)?.and_hms_opt(2, 0, 0)? + SUMMER;
    Some(if (begins..ends).contains(&now) { SUMMER } else { WINTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_california() {
        for (now, hours) in [
            // Winter: midnight is 08:00 UTC.
            ("2026-11-22T11:00:00Z", 21.0),
            ("2026-11-22T07:30:00Z", 0.5),
            ("2026-11-22T08:00:00Z", 24.0),
            // Summer: midnight is 07:00 UTC.
            ("2026-07-01T06:00:00Z", 1.0),
            ("2026-07-01T07:00:00Z", 24.0),
            // The days on which clocks change have 23 and 25 hours.
            ("2026-03-08T08:00:00Z", 23.0),
            ("2026-03-07T08:00:00Z", 24.0),
            ("2026-11-01T07:00:00Z", 25.0),
            ("2026-10-31T07:00:00Z", 24.0),
        ] {
            let wait = until_midnight(now.parse().unwrap()).unwrap();
            assert!((wait.as_secs_f64() / 3600.0 - hours).abs() < 1e-9, "{now}: {wait:?}");
        }
    }
}
