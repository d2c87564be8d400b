//! Answers that are not a plain 200.
use poem::http::header::SET_COOKIE;
use poem::http::{HeaderValue, StatusCode};
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use serde_json::Value;

use super::json::{self, Json};

/// 201 with what was made.
pub struct Created<T>(pub T);

impl<T: Type + Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        Json(self.0).with_status(StatusCode::CREATED).into_response()
    }
}

impl<T: Type> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(201, "Created", vec![json::media_type::<T>()])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 202: whoever it concerns hears of it by mail; the answer tells nothing.
pub struct Accepted(pub &'static str);

#[derive(Object, Serialize)]
#[oai(example)]
struct AcceptedBody {
    message: String,
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let body = AcceptedBody { message: self.0.to_owned() };
        Json(body).with_status(StatusCode::ACCEPTED).into_response()
    }
}

impl ApiResponse for Accepted {
    fn meta() -> MetaResponses {
        let body = vec![json::media_type::<AcceptedBody>()];
        MetaResponses { responses: vec![described(202, "Accepted", body)] }
    }

    fn register(registry: &mut Registry) {
        AcceptedBody::register(registry);
    }
}

impl Example for AcceptedBody {
    fn example() -> Self {
        Self { message: "If an account has this address, a mail is on its way".into() }
    }
}

/// One answer or the other, each with a status of its own.
pub enum OneOf<A, B> {
    One(A),
    Other(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for OneOf<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::One(one) => one.into_response(),
            Self::Other(other) => other.into_response(),
        }
    }
}

impl<A: ApiResponse, B: ApiResponse> ApiResponse for OneOf<A, B> {
    fn meta() -> MetaResponses {
        let mut all = A::meta();
        all.responses.extend(B::meta().responses);
        all
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
        B::register(registry);
    }
}

/// 204: done, and nothing to show.
pub struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for Done {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(204, "Done", Vec::new())] }
    }

    fn register(_: &mut Registry) {}
}

/// Lines of JSON, sent as they are made.
pub struct JsonLines(pub Body);

const JSON_LINES: &str = "application/x-ndjson";

impl IntoResponse for JsonLines {
    fn into_response(self) -> Response {
        Response::builder().content_type(JSON_LINES).body(self.0)
    }
}

impl ApiResponse for JsonLines {
    fn meta() -> MetaResponses {
        let schema = MetaSchema {
            example: Some(Value::String("{\"seq\":1,…}\n{\"seq\":2,…}\n".to_owned())),
            ..MetaSchema::new("string")
        };
        let lines =
            MetaMediaType { content_type: JSON_LINES, schema: MetaSchemaRef::Inline(Box::new(schema)) };
        MetaResponses { responses: vec![described(200, "Done", vec![lines])] }
    }

    fn register(_: &mut Registry) {}
}

/// An answer that sets or clears cookies, too.
pub struct WithCookies<T>(pub T, pub Vec<HeaderValue>);

impl<T: IntoResponse> IntoResponse for WithCookies<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        for cookie in self.1 {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

impl<T: ApiResponse> ApiResponse for WithCookies<T> {
    fn meta() -> MetaResponses {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// What the document says of an answer.
#[must_use]
pub fn described(status: u16, description: &'static str, content: Vec<MetaMediaType>) -> MetaResponse {
    MetaResponse { description, status: Some(status), status_range: None, content, headers: Vec::new() }
}
