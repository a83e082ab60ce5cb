//! Chooses the media type of an answer from `Accept`.

use std::cmp::Reverse;

use http::{HeaderMap, header};

/// The ways an answer can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`: request errors are answered 200, as clients of old expect.
    Json,
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlJson,
    /// `text/event-stream`, graphql-sse's distinct connections.
    EventStream,
    /// `multipart/mixed;subscriptionSpec=1.0`, Apollo's subscriptions over HTTP.
    Multipart,
}

#[derive(Debug)]
struct Range {
    kind: String,
    has_subscription_spec: bool,
    /// In thousandths.
    quality: u16,
}

/// What a client accepts.
#[derive(Debug)]
pub(crate) struct Accept(Vec<Range>);

/// Higher is better: quality first, then the place in the header.
type Preference = (u16, Reverse<usize>);

impl Accept {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(header::ACCEPT) {
            return Self(vec![Range::anything()]);
        }
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|value| split(value, ',')).filter_map(Range::parse).collect())
    }

    /// How to write one answer: as JSON if possible.
    pub(crate) fn single(&self) -> Option<Media> {
        self.json().or_else(|| self.streaming())
    }

    pub(crate) fn json(&self) -> Option<Media> {
        let json = self.named("application/json");
        let graphql = self.named("application/graphql-response+json");
        match (json, graphql) {
            (None, None) => None,
            (json, graphql) if graphql > json => Some(Media::GraphqlJson),
            _ => Some(Media::Json),
        }
    }

    /// How to write many answers.
    pub(crate) fn streaming(&self) -> Option<Media> {
        let events = self.named("text/event-stream");
        // Without the parameter another protocol is meant (incremental delivery).
        let multipart = self.preference(|range| {
            (range.has_subscription_spec && range.kind == "multipart/mixed").then_some(2)
        });
        match (events, multipart) {
            (None, None) => None,
            (events, multipart) if multipart > events => Some(Media::Multipart),
            _ => Some(Media::EventStream),
        }
    }

    /// Whether this is a browser that navigates here.
    pub(crate) fn prefers_html(&self) -> bool {
        let html = self.preference(|range| (range.kind == "text/html").then_some(2));
        html > self.named("application/json")
            && html > self.named("application/graphql-response+json")
    }

    fn named(&self, kind: &str) -> Option<Preference> {
        self.preference(|range| range.specificity(kind))
    }

    /// The most specific range decides, as RFC 9110 says.
    fn preference(&self, specificity: impl Fn(&Range) -> Option<u8>) -> Option<Preference> {
        let ranges = self.0.iter().enumerate();
        let (_, place, range) = ranges
            .filter_map(|(index, range)| Some((specificity(range)?, Reverse(index), range)))
            .max_by_key(|(specificity, place, _)| (*specificity, *place))?;
        (range.quality > 0).then_some((range.quality, place))
    }
}

impl Range {
    fn anything() -> Self {
        Self { kind: "*/*".to_owned(), has_subscription_spec: false, quality: 1000 }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let kind = parts.next().filter(|kind| kind.contains('/'))?.to_ascii_lowercase();
        let mut range = Self { kind, has_subscription_spec: false, quality: 1000 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = quality(value),
                "subscriptionspec" => range.has_subscription_spec = value == "1.0",
                "charset" if !value.eq_ignore_ascii_case("utf-8") => return None,
                _ => {}
            }
        }
        Some(range)
    }

    fn specificity(&self, kind: &str) -> Option<u8> {
        match self.kind.split_once('/') {
            _ if self.kind == kind => Some(2),
            Some(("*", "*")) => Some(0),
            Some((family, "*")) if kind.split_once('/').is_some_and(|(of, _)| of == family) => {
                Some(1)
            }
            _ => None,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1000 first"
)]
fn quality(text: &str) -> u16 {
    text.parse::<f32>().map_or(0, |quality| (quality.clamp(0.0, 1.0) * 1000.0) as u16)
}

/// Splits where `separator` stands outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Accept {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        Accept::of(&headers)
    }

    #[test]
    fn one_answer_is_json_unless_the_client_says_otherwise() {
        let cases = [
            ("*/*", Some(Media::Json)),
            ("application/*", Some(Media::Json)),
            ("application/json; charset=utf-8", Some(Media::Json)),
            ("application/json;charset=latin1", None),
            ("application/graphql-response+json", Some(Media::GraphqlJson)),
            ("application/graphql-response+json, application/json;q=0.9", Some(Media::GraphqlJson)),
            ("application/json;q=0.9, application/graphql-response+json", Some(Media::GraphqlJson)),
            ("application/json, application/graphql-response+json", Some(Media::Json)),
            ("application/json;q=0, */*", Some(Media::GraphqlJson)),
            ("text/event-stream", Some(Media::EventStream)),
            ("multipart/mixed;subscriptionSpec=\"1.0\"", Some(Media::Multipart)),
            ("multipart/mixed", None),
            ("text/html", None),
        ];
        for (value, media) in cases {
            assert_eq!(accept(value).single(), media, "{value}");
        }
        assert_eq!(Accept::of(&HeaderMap::new()).single(), Some(Media::Json));
    }

    #[test]
    fn many_answers_use_the_stream_the_client_names_first() {
        let cases = [
            (
                "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
                Some(Media::Multipart),
            ),
            (
                "application/json, multipart/mixed; boundary=\"a,b\"; subscriptionSpec=\"1.0\"",
                Some(Media::Multipart),
            ),
            ("multipart/mixed;subscriptionSpec=\"1.0\", text/event-stream", Some(Media::Multipart)),
            ("text/event-stream, multipart/mixed;subscriptionSpec=1.0", Some(Media::EventStream)),
            ("multipart/mixed;deferSpec=20220824, application/json", None),
            ("application/json", None),
            ("*/*", Some(Media::EventStream)),
        ];
        for (value, media) in cases {
            assert_eq!(accept(value).streaming(), media, "{value}");
        }
    }

    #[test]
    fn browsers_prefer_html() {
        assert!(accept("text/html,application/xhtml+xml,*/*;q=0.8").prefers_html());
        assert!(!accept("application/json, text/html").prefers_html());
        assert!(!accept("*/*").prefers_html());
    }
}
