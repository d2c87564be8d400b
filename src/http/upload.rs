//! Files as bodies of requests: of several media types, none of which is JSON that we take apart here.
use std::marker::PhantomData;

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::error::ContentTypeError;
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

use super::json::essence;

/// Which files an operation takes.
pub trait Files: Send + Sync {
    /// Media types, each with an example.
    const TAKEN: &'static [(&'static str, &'static str)];
}

/// A file as it came.
pub struct Upload<F> {
    /// One of those that are taken, without parameters.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
    files: PhantomData<F>,
}

impl<'a, F: Files + 'static> ApiExtractor<'a> for Upload<F> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let media_type = |(content_type, example): &(&'static str, &str)| {
            let example = Some(Value::String((*example).to_owned()));
            let schema = MetaSchema { example, ..MetaSchema::new("string") };
            MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) }
        };
        let content = F::TAKEN.iter().map(media_type).collect();
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let given = request.content_type().ok_or(ContentTypeError::ExpectContentType)?;
        let known = F::TAKEN.iter().find(|(media_type, _)| media_type.eq_ignore_ascii_case(essence(given)));
        let not_supported = || ContentTypeError::NotSupported { content_type: given.to_owned() };
        let (media_type, _) = known.ok_or_else(not_supported)?;
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        Ok(Self { media_type, bytes, files: PhantomData })
    }
}
