//! An answer as it goes over the wire: a status, headers and the pieces of a body.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Something an answer waits for until the test opens it.
#[derive(Clone, Debug, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything pass, from now on.
    pub fn open(&self) {
        self.0.cancel();
    }

    pub(crate) async fn opened(&self) {
        self.0.cancelled().await;
    }
}

/// One step of writing a body. After the last one the body ends cleanly.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes that go out in one write, and as one chunk of the transfer encoding.
    Bytes(Bytes),
    /// Everything so far goes out before anything else is done.
    Flush,
    /// Nothing for a while.
    Pause(Duration),
    /// Nothing until the gate opens.
    Wait(Gate),
    /// Nothing for ever: only the client can end this.
    Silence,
    /// The socket is closed in the middle of the body.
    Cut,
}

impl Piece {
    /// A piece of these bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// The headers, with the type of the content.
    pub headers: Vec<(&'static str, String)>,
    /// What happens before the status line; bytes in here are not written.
    pub before: Vec<Piece>,
    /// What happens after the headers.
    pub body: Vec<Piece>,
}

impl Reply {
    /// An answer of this type and these pieces.
    pub fn new(status: u16, content_type: &str, body: Vec<Piece>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, before: Vec::new(), body }
    }

    /// A JSON document in one piece.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json; charset=UTF-8", vec![Piece::bytes(value.to_string())])
    }

    /// A page, as proxies send it for an error.
    pub fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n\
             </body>\r\n</html>\r\n"
        );
        Self::new(status, "text/html", vec![Piece::bytes(page)])
    }

    /// A stream of events; each event is one piece.
    pub fn events(events: impl IntoIterator<Item = String>) -> Self {
        let body = events.into_iter().map(Piece::bytes).collect();
        Self::new(200, "text/event-stream", body)
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says nothing, not even a status line, until the client goes away.
    pub fn silence() -> Self {
        let mut reply = Self::events([]);
        reply.before.push(Piece::Silence);
        reply
    }

    /// Only the first pieces are written; then nothing more for ever.
    #[must_use]
    pub fn silent_after(mut self, pieces: usize) -> Self {
        self.body.truncate(pieces);
        self.body.push(Piece::Silence);
        self
    }
}
