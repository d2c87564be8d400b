//! Callers who need a permission: who it is, and whether they have it, is found out before anything else is read.
use std::marker::PhantomData;

use poem::{Request, RequestBody};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::caller::{self, Caller};
use super::envelope::Failure;
use super::gate::RequestInfo;
use crate::base::{Error, Result};
use crate::rbac::{Actor, Named};

/// The caller of an operation that needs the permission `P`. Take it as the first argument, like [`Caller`].
pub struct May<P>(pub Actor, PhantomData<P>);

impl<'a, P: Named + 'static> ApiExtractor<'a> for May<P> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Caller::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Caller::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        Ok(permitted(request, P::NAME).map(|actor| Self(actor, PhantomData)).map_err(Failure)?)
    }
}

/// Who makes a request, if it has a permission: for operations that need one in some cases alone.
///
/// # Errors
/// Those of [`caller::resolve`]; `Error::Forbidden` without the permission.
pub fn permitted(request: &Request, permission: &'static str) -> Result<Actor> {
    let actor = caller::resolve(request)?;
    if RequestInfo::of(request)?.authenticator.allows(&actor, permission)? {
        Ok(actor)
    } else {
        Err(Error::Forbidden(permission.into()))
    }
}
