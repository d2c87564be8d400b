//! Callers who need a permission: who it is, and whether they have it, is found out before anything else is read.
use std::marker::PhantomData;
use std::ops::Deref;

use poem::{Request, RequestBody};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::caller::{self, Caller};
use super::envelope::Failure;
use super::info::RequestInfo;
use crate::base::{Error, Result};
use crate::rbac::Named;

/// The caller of an operation that needs the permission `P`. Take it as the first argument, like [`Caller`].
pub struct May<P>(Caller, PhantomData<P>);

impl<P> Deref for May<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

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
        Ok(permitted(request, P::NAME).map(|caller| Self(caller, PhantomData)).map_err(Failure)?)
    }
}

/// Who makes a request, if it has a permission: for operations that need one in some cases alone.
///
/// # Errors
/// Those of [`caller::resolve`]; `Error::Forbidden` without the permission.
pub fn permitted(request: &Request, permission: &'static str) -> Result<Caller> {
    let caller = caller::resolve(request)?;
    if RequestInfo::of(request)?.authenticator.allows(&caller.actor, permission)? {
        Ok(caller)
    } else {
        Err(Error::Forbidden(permission.into()))
    }
}
