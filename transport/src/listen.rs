//! Accepts connections and ends them in order.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::impatient::Impatient;
use crate::lifecycle::Shutdown;

/// A client that sends its headers slower than this holds a connection for nothing.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a query may take.
const GRACE: Duration = Duration::from_secs(20);
/// Pause after a failed accept, which usually means that all file handles are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long what may be waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// A client that reads nothing for so long holds a connection, and a stream, for nothing.
    write: Duration,
    /// What runs may finish at the end.
    grace: Duration,
}

/// Serves `router` until `shutdown.closing`, then lets running requests finish for 20 seconds.
///
/// A connection whose client reads nothing for `write_patience` is ended.
///
/// Sockets are ended by the router itself; [`Shutdown::finish`] waits until they are.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
    write_patience: Duration,
) -> std::io::Result<()> {
    let patience = Patience { write: write_patience, grace: GRACE };
    serve_with(listener, router, shutdown, patience).await;
    Ok(())
}

async fn serve_with(listener: TcpListener, router: Router, shutdown: Shutdown, patience: Patience) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.closing.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let stream = with_patience(stream, patience.write);
                let conversation = converse(stream, peer, router.clone(), shutdown.closing.clone());
                connections.spawn(shutdown.tasks.track_future(conversation));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience.grace, finished).await.is_err() {
        tracing::warn!("connections were still busy at the end of the grace period");
        // Not waited for: what does not even yield would never let the process end.
        connections.abort_all();
    }
}

fn with_patience(stream: TcpStream, write: Duration) -> Impatient<TcpStream> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps delaying small packets");
    }
    Impatient::new(stream, write)
}

async fn converse(
    stream: Impatient<TcpStream>,
    peer: SocketAddr,
    router: Router,
    closing: CancellationToken,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    // The builder that also looks for HTTP/2 waits for the first bytes without any limit of time.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::future;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::get;
    use tokio::io::AsyncWriteExt;
    use tokio::sync::Notify;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Serves one request by `router`, which says when it is inside, and then ends.
    async fn is_ended(router: Router, entered: &Notify) -> bool {
        let shutdown = Shutdown::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        let grace = Duration::from_millis(50);
        let patience = Patience { write: SOON, grace };
        serving.spawn(serve_with(listener, router, shutdown.clone(), patience));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        entered.notified().await;
        shutdown.closing.cancel();
        tokio::time::timeout(SOON, serving.join_next()).await.unwrap();
        shutdown.finish(grace).await
    }

    #[tokio::test]
    async fn a_request_that_waits_for_ever_is_given_up() {
        let entered = Arc::new(Notify::new());
        let inside = Arc::clone(&entered);
        let router = Router::new().route(
            "/",
            get(|| async move {
                inside.notify_one();
                future::pending::<()>().await;
            }),
        );
        assert!(is_ended(router, &entered).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_that_never_yields_keeps_nobody() {
        let (entered, stop) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (inside, stopped) = (Arc::clone(&entered), Arc::clone(&stop));
        let router = Router::new().route(
            "/",
            get(|| async move {
                inside.notify_one();
                while !stopped.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            }),
        );
        let is_ended = is_ended(router, &entered).await;
        stop.store(true, Ordering::SeqCst);
        assert!(!is_ended, "it was still running");
    }
}
