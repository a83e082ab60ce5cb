//! A running double: what a test says to it and asks it, whichever wire it speaks.

use std::fmt::Debug;
use std::sync::Arc;

use crate::call::{Call, Endpoint};
use crate::delivery::Delivery;
use crate::reply::Reply;
use crate::script::{JsonShape, Planned, Script, Turn};
use crate::server::{Answers, Server};
use crate::story;

/// A wire format: what a double must know to answer like one kind of server.
pub trait Wire: Send + Sync + 'static {
    /// What can go wrong.
    type Fault: Clone + Debug + Send + Sync + 'static;
    /// What clients put between the address and the names of endpoints.
    const BASE: &'static str;

    /// What a path is about.
    fn endpoint(&self, path: &str) -> Endpoint;
    /// The whole answer.
    fn answer(&self, call: &Call, planned: Planned<Self::Fault>) -> Reply;
}

/// A server on a port of its own that behaves as the test says.
///
/// What it is told holds for the calls that arrive afterwards. It ends when it is dropped.
#[derive(Debug)]
pub struct Double<W: Wire> {
    pub(crate) wire: Arc<W>,
    script: Arc<Script<W::Fault>>,
    server: Server,
}

struct Scripted<W: Wire> {
    wire: Arc<W>,
    script: Arc<Script<W::Fault>>,
}

impl<W: Wire> Answers for Scripted<W> {
    fn endpoint(&self, path: &str) -> Endpoint {
        self.wire.endpoint(path)
    }

    fn answer(&self, call: &Call) -> Reply {
        let reply = match self.script.take(call.endpoint) {
            Ok(planned) => self.wire.answer(call, planned),
            Err(reply) => reply,
        };
        self.script.delivery(call.endpoint).apply(reply)
    }
}

impl<W: Wire> Double<W> {
    pub(crate) async fn serve(wire: W) -> Self {
        let wire = Arc::new(wire);
        let script = Arc::new(Script::default());
        let answers = Scripted { wire: wire.clone(), script: script.clone() };
        Self { wire, script, server: Server::start(Arc::new(answers)).await }
    }

    /// The base address a client is given, with the version and without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}{}", self.root(), W::BASE)
    }

    /// The address without a path.
    pub fn root(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Says this to every call, until it is told something else.
    pub fn says(&self, text: impl Into<String>) {
        self.script.settings().says = Some(text.into());
    }

    /// Says this to one call; several are said in turn.
    pub fn says_once(&self, text: impl Into<String>) {
        self.script.settings().says_once.push_back(text.into());
    }

    /// Says so many words, one a chunk: what a benchmark wants.
    pub fn says_words(&self, count: usize) {
        let mut settings = self.script.settings();
        settings.says = Some(story::words(count));
        settings.words_per_chunk = 1;
    }

    /// Thinks this before it speaks.
    pub fn thinks(&self, thoughts: impl Into<String>) {
        self.script.settings().thinks = Some(thoughts.into());
    }

    /// Says this where JSON is asked for in a way the server honours.
    pub fn answers_json(&self, json: impl Into<String>, shape: JsonShape) {
        let mut settings = self.script.settings();
        settings.json = json.into();
        settings.json_shape = shape;
    }

    /// Puts so many words (or Han characters) into a chunk; three by default.
    pub fn words_per_chunk(&self, words: usize) {
        self.script.settings().words_per_chunk = words;
    }

    /// Sends what the model writes in this way, until it is told otherwise.
    pub fn deliver(&self, delivery: Delivery) {
        self.script.settings().deliver = delivery;
    }

    /// Sends what the model writes to one call in this way.
    pub fn deliver_once(&self, delivery: Delivery) {
        self.script.settings().deliver_once.push_back(delivery);
    }

    /// Fails the next call for text; several faults happen in turn.
    pub fn fails_once(&self, fault: W::Fault) {
        self.fails_once_at(Endpoint::Generate, fault);
    }

    /// Fails so many calls for text, then works.
    pub fn fails_times(&self, times: usize, fault: W::Fault) {
        let faults = std::iter::repeat_n(fault, times);
        faults.for_each(|fault| self.fails_once(fault));
    }

    /// Fails every call for text.
    pub fn fails(&self, fault: W::Fault) {
        self.fails_at(Endpoint::Generate, fault);
    }

    /// Fails the next call to an endpoint; what only a stream can do is not done elsewhere.
    pub fn fails_once_at(&self, endpoint: Endpoint, fault: W::Fault) {
        self.script.settings().once.push_back((endpoint, Turn::Fault(fault)));
    }

    /// Fails every call to an endpoint.
    pub fn fails_at(&self, endpoint: Endpoint, fault: W::Fault) {
        let mut settings = self.script.settings();
        settings.always.retain(|(at, _)| *at != endpoint);
        settings.always.push((endpoint, fault));
    }

    /// Gives the next call for text exactly this answer, without looking at it.
    pub fn replies_once(&self, reply: Reply) {
        self.replies_once_at(Endpoint::Generate, reply);
    }

    /// Gives the next call to an endpoint exactly this answer, without looking at it.
    pub fn replies_once_at(&self, endpoint: Endpoint, reply: Reply) {
        self.script.settings().once.push_back((endpoint, Turn::Reply(reply)));
    }

    /// Forgets every fault that has not happened yet.
    pub fn works(&self) {
        let mut settings = self.script.settings();
        settings.once.clear();
        settings.always.clear();
    }

    /// The calls received, oldest first; of very many only the last thousand.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.server.log.calls()
    }

    /// How many calls were received.
    pub fn call_count(&self) -> usize {
        self.server.log.count()
    }

    /// The next call that this has not given out yet; waits for one to arrive.
    pub async fn next_call(&self) -> Arc<Call> {
        self.server.log.next().await
    }
}
