//! Moments as chats of `SillyTavern` write them: six forms over the years. Pure.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

/// Numbers below are seconds since 1970, above milliseconds; both are in November 5138.
const MOST_SECONDS: u64 = 100_000_000_000;

/// The moment, if it is one in any of these forms; without a time zone it is taken as UTC.
///
/// Milliseconds since 1970 as a number or as digits, `June 19, 2023 2:20pm`,
/// `2024-7-12@01h31m37s`, `2023-6-25 @14h 5m 33s 123ms`, ISO 8601.
pub fn read(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond")]
            let whole = number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))?;
            since_1970(whole)
        }
        Value::String(text) => read_text(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The moment in the form that this reader and `SillyTavern` both read.
pub fn write(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn since_1970(number: i64) -> Option<DateTime<Utc>> {
    if number.unsigned_abs() < MOST_SECONDS {
        return DateTime::from_timestamp(number, 0);
    }
    DateTime::from_timestamp_millis(number)
}

fn read_text(text: &str) -> Option<DateTime<Utc>> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return since_1970(text.parse().ok()?);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Some((day, time)) = text.split_once('@') {
        return humanized(day.trim(), time.trim());
    }
    if let Ok(at) = text.parse::<NaiveDateTime>() {
        return Some(at.and_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc());
    }
    // Twelve hours: "2:20pm", with or without a space before it.
    let lower = text.to_ascii_lowercase();
    let spaced = lower.replace("am", " am").replace("pm", " pm");
    let form = "%B %d, %Y %I:%M %p";
    let words: Vec<&str> = spaced.split_whitespace().collect();
    NaiveDateTime::parse_from_str(&words.join(" "), form).ok().map(|at| at.and_utc())
}

/// `2024-7-12` and `01h31m37s` or `14h 5m 33s 123ms`.
fn humanized(day: &str, time: &str) -> Option<DateTime<Utc>> {
    let mut parts = day.split('-');
    let year = parts.next()?.trim().parse().ok()?;
    let month = parts.next()?.trim().parse().ok()?;
    let date = parts.next()?.trim().parse().ok()?;
    let midnight = NaiveDate::from_ymd_opt(year, month, date)?.and_hms_opt(0, 0, 0)?.and_utc();
    let mut since = TimeDelta::zero();
    let mut rest = time;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let number: u32 = number.parse().ok()?;
        let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        since = since.checked_add(&match unit {
            "h" => TimeDelta::hours(number.into()),
            "m" => TimeDelta::minutes(number.into()),
            "s" => TimeDelta::seconds(number.into()),
            "ms" => TimeDelta::milliseconds(number.into()),
            _ => return None,
        })?;
        rest = after.trim_start();
    }
    midnight.checked_add_signed(since)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_is_read() {
        for (form, expected) in [
            (json!(1_720_747_897_123_i64), "2024-07-12T01:31:37.123Z"),
            (json!(1_720_747_897_123.5), "2024-07-12T01:31:37.123Z"),
            (json!("1720747897123"), "2024-07-12T01:31:37.123Z"),
            (json!(1_720_747_897), "2024-07-12T01:31:37.000Z"),
            (json!("June 19, 2023 2:20pm"), "2023-06-19T14:20:00.000Z"),
            (json!("June 9, 2023 12:05 AM"), "2023-06-09T00:05:00.000Z"),
            (json!("August 3, 2024 11:59am"), "2024-08-03T11:59:00.000Z"),
            (json!("2024-7-12@01h31m37s"), "2024-07-12T01:31:37.000Z"),
            (json!("2023-6-25 @14h 5m 33s 123ms"), "2023-06-25T14:05:33.123Z"),
            (json!("2024-07-12T01:31:37.123Z"), "2024-07-12T01:31:37.123Z"),
            (json!("2024-07-12T04:31:37+03:00"), "2024-07-12T01:31:37.000Z"),
            (json!("2024-07-12T01:31:37"), "2024-07-12T01:31:37.000Z"),
            (json!("2024-07-12"), "2024-07-12T00:00:00.000Z"),
        ] {
            assert_eq!(read(&form).map(write).as_deref(), Some(expected), "{form}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for form in [
            json!(null),
            json!(true),
            json!(""),
            json!("yesterday"),
            json!("2024-13-12@01h31m37s"),
            json!("2024-7-12@aah"),
            json!("2024-7-12@5parsecs"),
            json!("@"),
            json!("99999999999999999999999999"),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(-1e300),
            json!({ "at": 1 }),
        ] {
            assert_eq!(read(&form), None, "{form}");
        }
    }
}
