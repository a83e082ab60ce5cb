//! The four parameters of a GraphQL request, typed as the specification says.

use async_graphql::{Extensions, Value, Variables};
use axum::extract::Query;
use http::Uri;
use serde_json::{Map, Value as Json};

use crate::error::Refusal;

/// What a client asks for, not yet parsed.
#[derive(Debug)]
pub(crate) struct Params {
    pub(crate) query: String,
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
    pub(crate) extensions: Extensions,
}

impl Params {
    /// Reads the body of a POST request.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, Refusal> {
        let body: Json = serde_json::from_slice(body)
            .map_err(|_| Refusal::bad_request("the body is not valid JSON"))?;
        match body {
            Json::Object(members) => Self::from_members(members),
            Json::Array(_) => Err(Refusal::bad_request("batches are not accepted")),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                Err(Refusal::bad_request("the body must be a JSON object"))
            }
        }
    }

    /// Reads the query string of a GET request.
    pub(crate) fn from_uri(uri: &Uri) -> Result<Self, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Refusal::bad_request("the query string is not valid"))?;
        let mut members = Map::new();
        for (key, value) in pairs {
            let value = match key.as_str() {
                "variables" | "extensions" if !value.is_empty() => serde_json::from_str(&value)
                    .map_err(|_| Refusal::bad_request(format!("{key} is not valid JSON")))?,
                "variables" | "extensions" => Json::Null,
                _ => Json::String(value),
            };
            members.insert(key, value);
        }
        Self::from_members(members)
    }

    pub(crate) fn from_members(mut members: Map<String, Json>) -> Result<Self, Refusal> {
        let query = match members.remove("query") {
            Some(Json::String(query)) => query,
            None | Some(Json::Null) => return Err(Refusal::bad_request("query is missing")),
            Some(_) => return Err(Refusal::bad_request("query must be a string")),
        };
        let operation_name = match members.remove("operationName") {
            None | Some(Json::Null) => None,
            Some(Json::String(name)) => Some(name),
            Some(_) => return Err(Refusal::bad_request("operationName must be a string")),
        };
        let variables = object(&mut members, "variables")?;
        let extensions = object(&mut members, "extensions")?;
        Ok(Self {
            query,
            operation_name,
            variables: Variables::from_json(Json::Object(variables)),
            extensions: Extensions(
                extensions
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, Value::from_json(value).ok()?)))
                    .collect(),
            ),
        })
    }
}

fn object(members: &mut Map<String, Json>, key: &str) -> Result<Map<String, Json>, Refusal> {
    match members.remove(key) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(object)) => Ok(object),
        Some(_) => Err(Refusal::bad_request(format!("{key} must be an object"))),
    }
}
