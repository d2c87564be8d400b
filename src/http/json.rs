//! JSON and form bodies: written in the order of their fields, read so that an error names its field.
use std::borrow::Cow;
use std::marker::PhantomData;

use bytes::Bytes;
use poem::http::header::CONTENT_TYPE;
use poem::http::{HeaderValue, StatusCode};
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::error::ContentTypeError;
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::described;
use super::envelope::Failure;
use super::shape::Shape;
use crate::base::{Error, Result};

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A JSON body, coming or going.
pub struct Json<T>(pub T);

/// The body of an HTML form, coming.
pub struct Form<T>(pub T);

/// The body of an HTML form, coming, as it is: documented as `T`, and read by whoever takes it.
pub struct FormText<T> {
    pub text: Vec<u8>,
    documented: PhantomData<fn() -> T>,
}

/// The body of an HTML form, if there is one.
pub struct MaybeForm<T>(pub Option<T>);

pub(super) fn media_type<T: Type>() -> MetaMediaType {
    MetaMediaType { content_type: JSON, schema: T::schema_ref() }
}

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        let essence = essence(content_type);
        let is_json = |essence: &str| essence.starts_with("application/") && essence.ends_with("+json");
        essence.eq_ignore_ascii_case("application/json") || is_json(&essence.to_ascii_lowercase())
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> Payload for Form<T> {
    const CONTENT_TYPE: &'static str = FORM;

    fn check_content_type(content_type: &str) -> bool {
        essence(content_type).eq_ignore_ascii_case(FORM)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

pub(super) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

impl<T: ParseFromJSON + 'static> ParsePayload for Json<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = <Bytes as FromRequest>::from_request(request, body).await?;
        Ok(Self(read_json(&bytes).map_err(Failure)?))
    }
}

impl<T: ParseFromJSON + 'static> ParsePayload for Form<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = <Bytes as FromRequest>::from_request(request, body).await?;
        Ok(Self(read_form(&bytes).map_err(Failure)?))
    }
}

fn read_json<T: ParseFromJSON + 'static>(bytes: &[u8]) -> Result<T> {
    let value: Value = serde_json::from_slice(bytes).map_err(|cause| {
        // Position and kind alone: the text may be somebody's password.
        let (line, column) = (cause.line(), cause.column());
        Error::Malformed(format!("The body is not valid JSON (line {line}, column {column})").into())
    })?;
    read_value(value)
}

/// Names and values of the URL standard's form serialisation. One without a value was not filled in (RFC 6749 section 3.1);
/// a name that comes twice is refused, unless its field is a list.
fn read_form<T: ParseFromJSON + 'static>(bytes: &[u8]) -> Result<T> {
    let (mut fields, shape) = (Map::new(), Shape::of::<T>());
    for (name, value) in pairs(bytes).filter(|(_, value)| !value.is_empty()) {
        let value = Value::String(value.into_owned());
        if shape.has_list(&name) {
            let list = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        } else if fields.insert(name.to_string(), value).is_some() {
            return Err(Error::invalid(name.into_owned(), "comes twice"));
        }
    }
    read_value(Value::Object(fields))
}

/// Names and values. Most have nothing to decode, and are found as such without a look at every letter.
fn pairs(bytes: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    bytes.split(|byte| *byte == b'&').filter_map(|pair| {
        let plain = str::from_utf8(pair).ok().filter(|text| !text.contains(['%', '+']));
        match plain.and_then(|text| text.split_once('=')) {
            Some((name, value)) => Some((Cow::Borrowed(name), Cow::Borrowed(value))),
            None => form_urlencoded::parse(pair).next(),
        }
    })
}

fn read_value<T: ParseFromJSON + 'static>(value: Value) -> Result<T> {
    Shape::of::<T>().check(&value)?;
    T::parse_from_json(Some(value)).map_err(|wrong| Error::invalid("body", wrong.into_message()))
}

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for Json<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest { description: None, content: vec![media_type::<T>()], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(given) if Self::check_content_type(given) => {
                <Self as ParsePayload>::from_request(request, body).await
            }
            Some(given) => Err(ContentTypeError::NotSupported { content_type: given.to_owned() }.into()),
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for Form<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: FORM, schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(given) if Self::check_content_type(given) => {
                <Self as ParsePayload>::from_request(request, body).await
            }
            Some(given) => Err(ContentTypeError::NotSupported { content_type: given.to_owned() }.into()),
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for FormText<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        <Form<T> as ApiExtractor>::request_meta()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(given) if Form::<T>::check_content_type(given) => {
                let text = <Vec<u8> as FromRequest>::from_request(request, body).await?;
                Ok(Self { text, documented: PhantomData })
            }
            Some(given) => Err(ContentTypeError::NotSupported { content_type: given.to_owned() }.into()),
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for MaybeForm<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        <Form<T> as ApiExtractor>::request_meta().map(|meta| MetaRequest { required: false, ..meta })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        if request.content_type().is_none() {
            return Ok(Self(None));
        }
        let form = <Form<T> as ApiExtractor>::from_request(request, body, options).await?;
        Ok(Self(Some(form.0)))
    }
}

impl<T: Type + Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // So much as most answers have, so that they are not moved while they grow.
        let mut body = Vec::with_capacity(1024);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => {
                let mut response = Response::from(body);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
                response
            }
            Err(cause) => {
                tracing::error!(%cause, "an answer could not be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl<T: Type> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(200, "Done", vec![media_type::<T>()])] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_form_is_read_as_the_url_standard_says(bytes in "[a-c=&+%0-9\u{e4}]{0,24}", cut in any::<u8>()) {
            let mut bytes = bytes.into_bytes();
            // Not always UTF-8.
            bytes.truncate(usize::from(cut) % 25);
            let read: Vec<_> = pairs(&bytes).collect();
            let known: Vec<_> = form_urlencoded::parse(&bytes).collect();
            prop_assert_eq!(read, known);
        }
    }
}
