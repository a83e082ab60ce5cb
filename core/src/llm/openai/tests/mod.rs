//! What is posted and what is read, without a server.

mod bodies;
mod replies;
