//! The loop of one socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, ServerError};
use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};

use super::alarms::{Alarm, Alarms};
use super::close::Close;
use super::message::{Incoming, Outgoing};
use super::operations::{Item, Operations};
use super::outbox::Outbox;
use crate::answer::Answer;
use crate::caller::{AuthenticationError, Caller, Credentials};
use crate::document::{Operation, Params};
use crate::error::limit_exceeded;
use crate::execution;
use crate::lifetime::{Ending, Lifetime};
use crate::request_id::RequestId;
use crate::server::Server;

/// Time for a client to read why it is closed, and to say goodbye.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// So many operations of the largest size may run at the same time, or more of smaller ones.
///
/// A request takes many times its size once it is parsed.
const LARGE_OPERATIONS: usize = 4;
/// So many answers of the largest size may wait for a client, or more smaller ones.
const LARGE_ANSWERS: usize = 2;

type Authentication = BoxFuture<'static, Result<Caller, AuthenticationError>>;

/// How far the client has come.
enum Phase {
    Waiting,
    Authenticating(Authentication),
    Ready(Caller),
}

/// One thing that happened.
enum Event {
    Ended(Ending),
    Alarm(Alarm),
    Broken,
    Authenticated(Result<Caller, AuthenticationError>),
    Frame(Option<Result<Message, axum::Error>>),
    Item(Item),
}

/// The end of the loop: with a reason to tell, or without anybody to tell it to.
type End = Option<Close>;

pub(super) struct Connection<E> {
    server: Arc<Server<E>>,
    socket: WebSocket,
    credentials: Credentials,
    request_id: RequestId,
    phase: Phase,
    operations: Operations,
    outbox: Outbox,
    lifetime: Lifetime,
    alarms: Alarms,
}

impl<E: Executor> Connection<E> {
    pub(super) fn new(
        server: Arc<Server<E>>,
        socket: WebSocket,
        credentials: Credentials,
        request_id: RequestId,
    ) -> Self {
        Self {
            lifetime: Lifetime::anonymous(&server.shutdown),
            alarms: Alarms::new(&server.settings.websocket),
            phase: Phase::Waiting,
            operations: Operations::default(),
            outbox: Outbox::default(),
            server,
            socket,
            credentials,
            request_id,
        }
    }

    /// Serves the client until one of the two has enough.
    pub(super) async fn run(mut self) {
        let end = loop {
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            if let Err(end) = self.handle(event) {
                break end;
            }
        };
        let Self { operations, mut socket, request_id, .. } = self;
        // Resolvers must not work on while a slow client is being told goodbye.
        drop(operations);
        let Some(close) = end else { return };
        tracing::debug!(%request_id, code = close.code, "a socket is closed");
        let goodbye = async {
            socket.send(Message::Close(Some(close.frame()))).await?;
            // Unread frames would make the system reset the connection and lose the code.
            while socket.next().await.transpose()?.is_some() {}
            Ok::<_, axum::Error>(())
        };
        if !matches!(tokio::time::timeout(CLOSE_GRACE, goodbye).await, Ok(Ok(()))) {
            tracing::debug!(%request_id, "a client left without saying goodbye");
        }
    }

    /// The order is one of urgency; reading stops only when answers to it would pile up, which are
    /// small: what can be large comes from operations, and they wait for room before they begin.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let room = self.server.settings.websocket.queued_messages.max(1);
        if let Poll::Ready(ending) = self.lifetime.poll_end(cx) {
            return Poll::Ready(Event::Ended(ending));
        }
        if let Poll::Ready(Err(_)) = self.outbox.poll_write(&mut self.socket, cx) {
            return Poll::Ready(Event::Broken);
        }
        if let Poll::Ready(alarm) = self.alarms.poll_alarm(self.outbox.waiting_since(), cx) {
            return Poll::Ready(Event::Alarm(alarm));
        }
        if let Phase::Authenticating(authentication) = &mut self.phase
            && let Poll::Ready(outcome) = authentication.poll_unpin(cx)
        {
            return Poll::Ready(Event::Authenticated(outcome));
        }
        if self.outbox.has_places(room * 2)
            && let Poll::Ready(frame) = self.socket.poll_next_unpin(cx)
        {
            return Poll::Ready(Event::Frame(frame));
        }
        self.operations.poll_item(self.outbox.has_room(room), cx).map(Event::Item)
    }

    fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Ended(ending) => Err(Some(Close::ending(ending))),
            Event::Broken => Err(None),
            Event::Alarm(alarm) => self.alarm(alarm),
            Event::Authenticated(outcome) => self.authenticated(outcome),
            Event::Frame(frame) => self.frame(frame),
            Event::Item(item) => self.item(item),
        }
    }

    fn alarm(&mut self, alarm: Alarm) -> Result<(), End> {
        match alarm {
            Alarm::Init => Err(Some(Close::INIT_TIMEOUT)),
            Alarm::SlowConsumer => Err(Some(Close::SLOW_CONSUMER)),
            Alarm::Silence => Err(Some(Close::SILENCE)),
            Alarm::Ping => {
                self.outbox.push(Message::Ping(Bytes::new()));
                Ok(())
            }
        }
    }

    fn authenticated(&mut self, outcome: Result<Caller, AuthenticationError>) -> Result<(), End> {
        let caller = outcome.map_err(|_| Some(Close::FORBIDDEN))?;
        self.lifetime.bind(&caller);
        self.alarms.initialised();
        self.phase = Phase::Ready(caller);
        self.say(&Outgoing::ConnectionAck);
        Ok(())
    }

    fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.alarms.heard();
        match frame {
            Some(Ok(Message::Text(text))) => self.message(Incoming::parse(&text)?, text.len()),
            Some(Ok(Message::Binary(_))) => Err(Some(Close::bad_request("Messages must be text"))),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(None),
            Some(Err(_)) => Err(Some(Close::UNREADABLE)),
        }
    }

    fn message(&mut self, message: Incoming, bytes: usize) -> Result<(), End> {
        match message {
            Incoming::Init(payload) => self.init(&payload),
            Incoming::Ping(payload) => {
                self.say(&Outgoing::Pong { payload });
                Ok(())
            }
            Incoming::Pong => Ok(()),
            Incoming::Subscribe { id, params } => self.subscribe(id, params, bytes),
            Incoming::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    fn init(&mut self, payload: &serde_json::Map<String, serde_json::Value>) -> Result<(), End> {
        if !matches!(self.phase, Phase::Waiting) {
            return Err(Some(Close::TOO_MANY_INITS));
        }
        let credentials = std::mem::take(&mut self.credentials).or_payload(payload);
        let authenticator = Arc::clone(&self.server.authenticator);
        let authentication = async move { authenticator.authenticate(credentials).await };
        self.phase = Phase::Authenticating(authentication.boxed());
        Ok(())
    }

    fn subscribe(&mut self, id: String, params: Params, bytes: usize) -> Result<(), End> {
        let Phase::Ready(caller) = &self.phase else { return Err(Some(Close::UNAUTHORIZED)) };
        if self.operations.contains(&id) {
            return Err(Some(Close::already_exists(&id)));
        }
        let prepared = self
            .check_capacity(bytes)
            .and_then(|()| Operation::prepare(params, &self.server.settings));
        match prepared {
            Ok(Operation { kind, request }) => {
                let request = caller.prepare(request);
                let answers = self.start(kind, request);
                self.operations.start(id, bytes, answers);
            }
            Err(error) => {
                let answer = Answer::refused(vec![error]);
                self.say(&Outgoing::Error { id: &id, payload: answer.errors() });
            }
        }
        Ok(())
    }

    /// Whether one more operation may run, whose request has so many bytes.
    fn check_capacity(&self, bytes: usize) -> Result<(), ServerError> {
        let limits = &self.server.settings.websocket;
        if self.operations.len() >= limits.operations {
            return Err(limit_exceeded("operationsPerSocket", limits.operations));
        }
        let allowed = limits.message_bytes.saturating_mul(LARGE_OPERATIONS);
        if self.operations.bytes().saturating_add(bytes) > allowed {
            return Err(limit_exceeded("operationBytesPerSocket", allowed));
        }
        Ok(())
    }

    fn start(
        &self,
        kind: OperationType,
        request: async_graphql::Request,
    ) -> BoxStream<'static, Answer> {
        let (server, request_id) = (Arc::clone(&self.server), self.request_id.clone());
        match kind {
            OperationType::Subscription => {
                execution::subscribe(&server.executor, request, &request_id, &server.settings)
            }
            OperationType::Query | OperationType::Mutation => stream::once(async move {
                let Server { executor, settings, .. } = &*server;
                execution::execute(executor, request, &request_id, settings).await
            })
            .boxed(),
        }
    }

    fn item(&mut self, item: Item) -> Result<(), End> {
        match item {
            Item::Answer { id, answer } if answer.is_request_error() => {
                // `error` ends an operation; its `complete` must not follow.
                self.operations.stop(&id);
                self.say(&Outgoing::Error { id: &id, payload: answer.errors() });
            }
            Item::Answer { id, answer } => self.say(&Outgoing::Next { id: &id, payload: &answer }),
            Item::End { id } => {
                self.operations.stop(&id);
                self.say(&Outgoing::Complete { id: &id });
            }
        }
        let allowed = self.server.settings.requests.answer_bytes.saturating_mul(LARGE_ANSWERS);
        if self.outbox.bytes() > allowed {
            return Err(Some(Close::SLOW_CONSUMER));
        }
        Ok(())
    }

    fn say(&mut self, message: &Outgoing<'_>) {
        self.outbox.push(Message::Text(message.to_json().into()));
    }
}
