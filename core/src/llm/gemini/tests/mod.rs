//! Tables of requests and answers.

mod request;
mod response;
