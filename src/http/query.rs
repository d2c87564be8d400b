//! Parameters of the query string.
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchemaRef, Registry};
use poem_openapi::types::ParseFromParameter;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::envelope::Failure;
use crate::base::{Error, Result};

/// One parameter, by the name of its argument. One that comes twice is refused: whoever stands before us may have
/// believed the other.
pub struct Query<T>(pub T);

impl<'a, T: ParseFromParameter> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = T::IS_REQUIRED;
    type ParamType = T;
    type ParamRawType = T::RawValueType;

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema_ref())
    }

    fn param_raw_type(&self) -> Option<&Self::ParamRawType> {
        self.0.as_raw_value()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let value = find(request.uri().query(), options.name).map_err(Failure)?;
        match (value, options.default_value) {
            (None, Some(default)) => Ok(Self(default())),
            (value, _) => T::parse_from_parameters(value)
                .map(Self)
                .map_err(|_| Failure(Error::invalid(options.name, reason::<T>())).into()),
        }
    }
}

fn find(query: Option<&str>, name: &'static str) -> Result<Option<String>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut values = pairs.filter(|(given, _)| given == name).map(|(_, value)| value.into_owned());
    let value = values.next();
    if values.next().is_some() { Err(Error::invalid(name, "comes twice")) } else { Ok(value) }
}

/// What a value of the type has to be. The framework's own words name types of the specification.
fn reason<T: ParseFromParameter>() -> &'static str {
    match &*T::name() {
        name if name.contains("integer") => "must be a whole number",
        name if name.contains("boolean") => "must be true or false",
        _ => "has the wrong form",
    }
}
