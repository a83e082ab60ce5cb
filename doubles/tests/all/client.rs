//! A small client: it sends JSON and gives back bytes.

use std::time::Duration;

use serde_json::Value;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) text: String,
    /// The body ended as the protocol says.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON of each event.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter_map(|json| serde_json::from_str(json).ok()).collect()
    }
}

pub(crate) fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10));
    // Certificates are of no use here, and reading those of the system takes long.
    client.no_proxy().tls_certs_only([]).build().unwrap()
}

pub(crate) async fn post(url: &str, body: &Value) -> Answer {
    let request = client().post(url).header("x-goog-api-key", "any").bearer_auth("any");
    read(request.json(body).send().await.unwrap()).await
}

pub(crate) async fn get(url: &str) -> Answer {
    let request = client().get(url).header("x-goog-api-key", "any").bearer_auth("any");
    read(request.send().await.unwrap()).await
}

async fn read(mut response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let mut bytes = Vec::new();
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status, kind, text, whole }
}
