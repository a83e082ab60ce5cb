//! GraphQL over HTTP, WebSocket, SSE and multipart for any async-graphql schema.
//!
//! The library's own services answer with other media types, statuses and close codes than the
//! specifications ask for, so this crate speaks the protocols itself and uses the schema only to
//! execute. Data flows one way:
//!
//! ```text
//! listen → server ─┬→ http ──────┬→ document → execution → answer
//!                  └→ websocket ─┘   (checks)   (schema)    (codes, masking)
//! ```
//!
//! `document` refuses what is too large before anything runs, `answer` decides what a client may
//! know of an error, and both are the same for every way in.

mod answer;
mod caller;
mod document;
mod error;
mod execution;
mod http;
mod impatient;
mod lifecycle;
mod lifetime;
mod listen;
mod origin;
mod page;
mod places;
mod request_id;
mod server;
mod settings;
mod time_limit;
mod websocket;

pub use self::caller::{AuthenticationError, Authenticator, Caller, Credentials};
pub use self::lifecycle::{Asset, Readiness, Shutdown};
pub use self::listen::serve;
pub use self::server::Transport;
pub use self::settings::{
    DocumentLimits, RequestLimits, Settings, StreamSettings, WebSocketLimits,
};
pub use self::time_limit::TimeLimit;
