//! A model whose every word the test writes by hand.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};
use skald_core::llm::{
    Abilities, Chunk, FinishReason, Llm, LlmError, LlmErrorKind, Model, ModelRole, Price, Reply,
    Request, Role, Usage, offline::Offline,
};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

/// A refused request with this text makes the provider panic.
pub(crate) const PANIC: &str = "panic";

/// The scripted model's id.
pub(crate) const MODEL: &str = "test/story";

/// A scripted model with a small context.
pub(crate) const SMALL: &str = "test/small";

/// What this provider would send.
pub(crate) fn body(request: &Request) -> String {
    let turns = request.turns.iter().map(|turn| match turn.role {
        Role::User => json!({ "user": turn.text() }),
        Role::Model => json!({ "model": turn.text() }),
    });
    let turns: Vec<Value> = turns.collect();
    let (system, seed) = (request.system_text(), request.seed);
    format!("{{\"system\":{},\"turns\":{},\"seed\":{seed}}}", json!(system), json!(turns))
}

/// A provider that hands every request to the test.
pub(crate) struct Scripted(mpsc::Sender<Call>);

/// The test's end: the calls that the provider got.
pub(crate) struct Script(Mutex<mpsc::Receiver<Call>>);

/// One call: what was asked, and the pen to answer with.
pub(crate) struct Call {
    pub(crate) request: Request,
    pen: mpsc::Sender<Result<Chunk, LlmError>>,
}

/// A provider and the test's end of it.
pub(crate) fn scripted() -> (Scripted, Script) {
    let (sender, receiver) = mpsc::channel(64);
    (Scripted(sender), Script(Mutex::new(receiver)))
}

#[async_trait]
impl Llm for Scripted {
    fn models(&self) -> Vec<Model> {
        let model = Model {
            id: MODEL.into(),
            name: "Scripted".into(),
            description: "Says what the test says.".into(),
            roles: [ModelRole::Story, ModelRole::Supervisor].into(),
            abilities: Abilities { context_tokens: 32_768, thinks: true, ..Abilities::default() },
            prices: Vec::new(),
            rehearsal: false,
        };
        let price = Price { input: 1.0, cached_input: Some(0.1), output: 10.0, ..Price::default() };
        let other = Model { id: "test/other".into(), prices: vec![price], ..model.clone() };
        let abilities = Abilities { context_tokens: 4_000, ..model.abilities.clone() };
        let small = Model { id: SMALL.into(), abilities, ..model.clone() };
        vec![model, other, small]
    }

    fn body(&self, request: &Request) -> Option<String> {
        Some(body(request))
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let (pen, page) = mpsc::channel(64);
        let call = Call { request, pen };
        self.0.send(call).await.map_err(|_| LlmErrorKind::Overloaded)?;
        let page = ReceiverStream::new(page).inspect(|chunk| {
            let panic = LlmError::new(LlmErrorKind::BadRequest).detail(PANIC);
            assert_ne!(*chunk, Err(panic), "a bug in a provider");
        });
        Ok(page.boxed().into())
    }
}

impl Script {
    /// The next call.
    pub(crate) async fn call(&self) -> Call {
        let next = async { self.0.lock().await.recv().await };
        timeout(Duration::from_secs(10), next).await.expect("the model is called").unwrap()
    }
}

impl Call {
    pub(crate) async fn say(&self, text: &str) {
        self.pen.send(Ok(Chunk::Content(text.into()))).await.unwrap();
    }

    pub(crate) async fn think(&self, text: &str) {
        self.pen.send(Ok(Chunk::Thought(text.into()))).await.unwrap();
    }

    pub(crate) async fn fail(self, error: LlmError) {
        self.pen.send(Err(error)).await.unwrap();
    }

    pub(crate) async fn end(self) {
        self.end_because(FinishReason::Stop).await;
    }

    /// Ends where it may write no more.
    pub(crate) async fn end_at_limit(self) {
        self.end_because(FinishReason::Length).await;
    }

    async fn end_because(self, reason: FinishReason) {
        let usage = Usage { prompt: 100, cached: 10, output: 20, thought: 3 };
        let end = Chunk::Finished { reason, usage: Some(usage) };
        self.pen.send(Ok(end)).await.unwrap();
    }

    /// Says everything and ends without a count of tokens, as some servers do.
    pub(crate) async fn tell_uncounted(self, text: &str) {
        self.say(text).await;
        let end = Chunk::Finished { reason: FinishReason::Stop, usage: None };
        self.pen.send(Ok(end)).await.unwrap();
    }

    /// Says everything and ends.
    pub(crate) async fn tell(self, text: &str) {
        self.say(text).await;
        self.end().await;
    }

    /// Waits until nobody listens any more: the reply was stopped.
    pub(crate) async fn dropped(&self) {
        timeout(Duration::from_secs(10), self.pen.closed()).await.expect("the call is cancelled");
    }
}

/// The offline storyteller, whose rate limit is over at once.
pub(crate) struct Hurried(pub(crate) Offline);

#[async_trait]
impl Llm for Hurried {
    fn models(&self) -> Vec<Model> {
        self.0.models()
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let answer = self.0.stream(request).await;
        answer.map_err(|error| {
            if error.kind == LlmErrorKind::RateLimited {
                return error.after(Duration::from_millis(5));
            }
            error
        })
    }
}
