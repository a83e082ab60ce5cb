//! The scalar of days.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::NaiveDate;

/// A day of the calendar, as in ISO 8601: `2001-02-28`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(pub(super) NaiveDate);

/// A day of the calendar, as in ISO 8601: `2001-02-28`.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
        Ok(Self(date.map_err(|_| InputValueError::custom("expected a day such as 2001-02-28"))?))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}
