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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::impatient::Impatient;
use crate::lifecycle::Shutdown;

/// A client that sends its headers slower than this holds a connection for nothing.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that reads nothing for so long holds a connection, and a stream, for nothing.
///
/// Longer than a socket's own limit, which can still say why it closes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than a query may take.
const GRACE: Duration = Duration::from_secs(20);
/// Pause after a failed accept, which usually means that all file handles are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown.closing`, then lets running requests finish.
///
/// Sockets are ended by the router itself; wait for `shutdown.tasks` to know that they are.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let connections = TaskTracker::new();
    let abandoned = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let conversation = converse(stream, peer, router.clone(), shutdown.closing.clone());
                let conversation = abandoned.clone().run_until_cancelled_owned(conversation);
                shutdown.tasks.spawn(connections.track_future(conversation));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!("connections were still busy at the end of the grace period");
        abandoned.cancel();
    }
    Ok(())
}

async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, closing: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps delaying small packets");
    }
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    // The builder that also looks for HTTP/2 waits for the first bytes without any limit of time.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(Impatient::new(stream, WRITE_TIMEOUT)), service)
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
