//! Why a socket is closed, in the codes that clients know.
//!
//! graphql-ws comes again after 4403, 4408, 4290 and 1012, and gives up after 4400, 4401, 4409,
//! 4429 and 1011, which is why 1011 is not among them.

use std::borrow::Cow;

use axum::extract::ws::CloseFrame;

use crate::lifetime::Ending;

/// A close frame must fit into 125 bytes, two of which are the code.
const MAX_REASON: usize = 123;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const SILENCE: Self = Self::new(4408, "No sign of life");
    pub(super) const TOO_MANY_INITS: Self = Self::new(4429, "Too many initialisation requests");
    pub(super) const SLOW_CONSUMER: Self = Self::new(4290, "slow consumer");
    pub(super) const UNREADABLE: Self = Self::new(4400, "Message too large or malformed");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    pub(super) const fn bad_request(reason: &'static str) -> Self {
        Self::new(4400, reason)
    }

    pub(super) fn already_exists(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    pub(super) const fn ending(ending: Ending) -> Self {
        match ending {
            Ending::Closing => Self::new(1012, "Service Restart"),
            Ending::Expired => Self::new(4403, "Token expired"),
            Ending::Revoked => Self::FORBIDDEN,
        }
    }

    pub(super) fn frame(self) -> CloseFrame {
        let mut end = self.reason.len().min(MAX_REASON);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = self.reason.get(..end).unwrap_or_default();
        CloseFrame { code: self.code, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Close::already_exists(&"ü".repeat(200)).frame();
        assert!(frame.reason.len() <= MAX_REASON);
        assert!(frame.reason.starts_with("Subscriber for ü"));
    }
}
