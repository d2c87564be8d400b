//! Callers who need a permission, or a recent login too: who it is, and whether they have it, is found out before
//! anything else is read.
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

/// The caller of an operation that needs the permission `P`, and that whoever calls has proven not long ago who it is (OWASP
/// ASVS 7.5.1, 7.5.3). A program with an API key has no login, and was given its rights for this. Take it as the first
/// argument, like [`Caller`].
pub struct Recent<P>(May<P>);

impl<P> Deref for Recent<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<'a, P: Named + 'static> ApiExtractor<'a> for Recent<P> {
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
        let caller = permitted(request, P::NAME).map_err(Failure)?;
        caller.check_recent().map_err(Failure)?;
        Ok(Self(May(caller, PhantomData)))
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
