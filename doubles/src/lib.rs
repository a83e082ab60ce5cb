//! Test doubles of language model servers, on real sockets.
//!
//! A double speaks the wire format of a server, refuses what that server refuses, and has a
//! switch for everything that can go wrong. It knows nothing of its clients. A test starts
//! one, points its client at [`Double::url`], says what the next calls get, and reads
//! afterwards what the client sent and when it closed its socket:
//!
//! ```
//! use skald_doubles::{Delivery, GeminiDouble, GeminiFault};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let double = GeminiDouble::start().await;
//! double.says("Mira wipes the bar.");
//! double.fails_times(2, GeminiFault::Overloaded);
//! double.deliver(Delivery::new().split_every(1));
//! let base = double.url(); // the client goes there
//! # assert!(base.starts_with("http://127.0.0.1:"));
//! assert_eq!(double.call_count(), 0);
//! # });
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `double` | a running double: what a test says to it and asks it |
//! | `gemini`, `openai` | the wire formats: rules, answers, faults |
//! | `script` | what the next calls get |
//! | `call` | what a client sent, and how the call ended |
//! | `reply`, `delivery` | the pieces of an answer, and how they travel |
//! | `server` | the HTTP part |
//! | `speech`, `story`, `tokens`, `embedding` | what a model says, and how it is counted |

mod call;
mod delivery;
mod double;
mod embedding;
mod gemini;
mod openai;
mod reply;
mod script;
mod server;
mod speech;
pub mod story;
pub mod tokens;

pub use call::{Call, End, Endpoint, How};
pub use delivery::Delivery;
pub use double::{Double, Wire};
pub use gemini::{Gemini, GeminiDouble, GeminiFault};
pub use openai::{
    Done, JsonRules, OpenAi, OpenAiDouble, OpenAiFault, Overflow, Profile, ReasoningField, Role,
    Rule, Template, Traits, UsageForm,
};
pub use reply::{Gate, Piece, Reply};
pub use script::{JsonShape, Planned};
