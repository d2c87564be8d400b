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
pub type May<P> = Permitted<P, AnyLogin>;

/// The caller of an operation that needs the permission `P`, and that whoever calls has proven not long ago who it is (OWASP
/// ASVS 7.5.1, 7.5.3). A program with an API key has no login, and was given its rights for this. Take it as the first
/// argument, like [`Caller`].
pub type Recent<P> = Permitted<P, RecentLogin>;

/// A caller who has the permission `P`, by a login that will do for `L`.
pub struct Permitted<P, L>(Caller, PhantomData<(P, L)>);

/// What an operation asks of the login of its caller.
pub trait Login: Send + Sync {
    /// # Errors
    /// Those of [`Caller::check_recent`].
    fn check(caller: &Caller) -> Result<()>;
}

/// Nothing.
pub struct AnyLogin;

/// That it was not long ago, and strong enough.
pub struct RecentLogin;

impl Login for AnyLogin {
    fn check(_: &Caller) -> Result<()> {
        Ok(())
    }
}

impl Login for RecentLogin {
    fn check(caller: &Caller) -> Result<()> {
        caller.check_recent()
    }
}

impl<P, L> Deref for Permitted<P, L> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<'a, P: Named + 'static, L: Login + 'static> ApiExtractor<'a> for Permitted<P, L> {
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
        L::check(&caller).map_err(Failure)?;
        Ok(Self(caller, PhantomData))
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
