//! The page at `/`, embedded by the binary, or a word on how to build it.

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, header};

use crate::lifecycle::Asset;

/// Monaco runs its languages in workers it makes from blobs, and styles its text inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; \
     style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data: https:; \
     connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Skald</title>
<style>body { font: 1rem/1.6 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Skald is running</h1>
<p>GraphQL is served at <code>/graphql</code>. This page was not built into the server.
To have it, run <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>, then build the
server again.</p>
</html>
"#;

/// One route per file, so no path can reach anything else.
pub(crate) fn routes(assets: &'static [Asset]) -> Router {
    let mut router = Router::new();
    for asset in assets {
        let path = format!("/{}", asset.path.trim_start_matches('/'));
        router = router.route(&path, get(move || async move { file(asset) }));
    }
    let index = assets.iter().find(|asset| asset.path.trim_start_matches('/') == "index.html");
    router.route("/", get(move || async move { index.map_or_else(not_built, file) }))
}

fn file(asset: &'static Asset) -> Response {
    let caching =
        if is_hashed(asset.path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, Bytes::from_static(asset.bytes)).into_response()
}

fn not_built() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(NOT_BUILT)).into_response()
}

/// `index-4f2a91bc.js`: such a name never stands for other contents.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let hash = name.split('.').next().and_then(|stem| stem.rsplit_once('-')).map(|(_, hash)| hash);
    path.trim_start_matches('/').starts_with("assets/")
        && hash.is_some_and(|hash| {
            hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}
