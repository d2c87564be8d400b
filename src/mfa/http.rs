//! `/auth/mfa`: the second factors of whoever asks; `/users/{id}/mfa`: those of others, for who has lost them.
use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::service::Mfa;
use super::view::{DeviceList, EnabledView, RecoveryCodesView, SetupView, StatusView};
use crate::base::{Error, Result};
use crate::http::{Caller, Cookies, Done, Failure, Json, May, Recent, WithCookies, spec};
use crate::rbac::Named;
use crate::rbac::permission::{AccountFactors, AccountRead, UsersFactors};
use crate::session::AccessToken;
use crate::session::http::cookies_of;

/// Second factors.
pub struct MfaApi {
    pub mfa: Mfa,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("set_up_mfa", &["REAUTHENTICATION_REQUIRED"]),
    ("enable_mfa", &["REAUTHENTICATION_REQUIRED", "INVALID_MFA_CODE"]),
    ("disable_mfa", &["REAUTHENTICATION_REQUIRED", "VALIDATION_ERROR"]),
    ("regenerate_recovery_codes", &["REAUTHENTICATION_REQUIRED", "VALIDATION_ERROR"]),
    ("remove_trusted_device", &["NOT_FOUND"]),
    ("reset_user_mfa", &["REAUTHENTICATION_REQUIRED", "NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("get_mfa_status", AccountRead::NAME),
    ("set_up_mfa", AccountFactors::NAME),
    ("enable_mfa", AccountFactors::NAME),
    ("disable_mfa", AccountFactors::NAME),
    ("regenerate_recovery_codes", AccountFactors::NAME),
    ("list_trusted_devices", AccountFactors::NAME),
    ("remove_trusted_device", AccountFactors::NAME),
    ("remove_trusted_devices", AccountFactors::NAME),
    ("reset_user_mfa", UsersFactors::NAME),
];

#[derive(Object)]
#[oai(example)]
struct EnableBody {
    /// The first code of the app that was set up.
    code: Option<String>,
    /// `totp`, which is what is meant when nothing is said, or `passkey`: then passwords ask for one, too.
    method: Option<String>,
}

#[OpenApi]
impl MfaApi {
    /// How my account stands with second factors
    #[oai(path = "/auth/mfa/status", method = "get", operation_id = "get_mfa_status")]
    async fn status(&self, caller: May<AccountRead>) -> Result<Json<StatusView>, Failure> {
        Ok(Json(StatusView::of(self.mfa.status(caller.actor.user()?)?)))
    }

    /// Begin to set up an authenticator app
    ///
    /// Nothing changes before POST /auth/mfa/enable has seen its first code, within 10 minutes. What is shown is shown once.
    #[oai(path = "/auth/mfa/setup", method = "post", operation_id = "set_up_mfa")]
    async fn set_up(&self, caller: Recent<AccountFactors>) -> Result<Json<SetupView>, Failure> {
        session_of(&caller)?;
        let app = self.mfa.set_up(caller.initiator(), caller.actor.user()?).await?;
        Ok(Json(SetupView::of(&app)?))
    }

    /// Turn second factors on
    ///
    /// The answer has ten recovery codes, and new tokens for this session, which has shown a second factor now. No device
    /// is trusted any more.
    #[oai(path = "/auth/mfa/enable", method = "post", operation_id = "enable_mfa")]
    async fn enable(
        &self,
        caller: Recent<AccountFactors>,
        body: Json<EnableBody>,
    ) -> Result<WithCookies<Json<EnabledView>>, Failure> {
        let (by, user, token) = (caller.initiator(), caller.actor.user()?, session_of(&caller)?);
        let enabled = match body.0.method.as_deref() {
            None | Some("totp") => {
                let code = body.0.code.ok_or_else(|| Error::invalid("code", "is required"))?;
                self.mfa.enable(by, user, token, &code).await?
            }
            Some("passkey") => self.mfa.enable_passkeys(by, user, token).await?,
            Some(_) => return Err(Error::invalid("method", "must be \"totp\" or \"passkey\"").into()),
        };
        let cookies = cookies_of(&self.cookies, &enabled.granted)?;
        Ok(WithCookies(Json(EnabledView::of(&enabled)), cookies))
    }

    /// Turn second factors off
    ///
    /// Recovery codes and trusted devices go with them, and all my other sessions end. Passkeys stay, as a way in of their own.
    #[oai(path = "/auth/mfa/disable", method = "post", operation_id = "disable_mfa")]
    async fn disable(&self, caller: Recent<AccountFactors>) -> Result<Done, Failure> {
        let session = session_of(&caller)?.session;
        self.mfa.disable(caller.initiator(), caller.actor.user()?, session).await?;
        Ok(Done)
    }

    /// Get other recovery codes instead of those that are left
    #[oai(
        path = "/auth/mfa/backup-codes/regenerate",
        method = "post",
        operation_id = "regenerate_recovery_codes"
    )]
    async fn regenerate(&self, caller: Recent<AccountFactors>) -> Result<Json<RecoveryCodesView>, Failure> {
        session_of(&caller)?;
        let codes = self.mfa.regenerate_codes(caller.initiator(), caller.actor.user()?).await?;
        Ok(Json(RecoveryCodesView::of(&codes)))
    }

    /// List the devices on which I need not show a second factor, the oldest first
    #[oai(path = "/auth/mfa/trusted-devices", method = "get", operation_id = "list_trusted_devices")]
    async fn devices(&self, caller: May<AccountFactors>) -> Result<Json<DeviceList>, Failure> {
        Ok(Json(DeviceList::of(self.mfa.devices(caller.actor.user()?.id)?)))
    }

    /// Trust one of my devices no longer
    #[oai(path = "/auth/mfa/trusted-devices/:id", method = "delete", operation_id = "remove_trusted_device")]
    async fn remove_device(&self, caller: May<AccountFactors>, id: Path<String>) -> Result<Done, Failure> {
        self.mfa.forget_device(caller.initiator(), caller.actor.user()?, id.0.parse()?).await?;
        Ok(Done)
    }

    /// Trust none of my devices any longer
    #[oai(path = "/auth/mfa/trusted-devices", method = "delete", operation_id = "remove_trusted_devices")]
    async fn remove_devices(&self, caller: May<AccountFactors>) -> Result<Done, Failure> {
        self.mfa.forget_devices(caller.initiator(), caller.actor.user()?).await?;
        Ok(Done)
    }

    /// Take the second factors of an account away, for a user who has lost them
    ///
    /// The password stays; all its sessions end. One that holds more than the caller is not to be changed.
    #[oai(path = "/users/:id/mfa", method = "delete", operation_id = "reset_user_mfa")]
    async fn reset(&self, caller: Recent<UsersFactors>, id: Path<u64>) -> Result<Done, Failure> {
        caller.check_not_own_by_key(id.0, UsersFactors::NAME)?;
        self.mfa.reset(caller.initiator(), id.0).await?;
        Ok(Done)
    }
}

/// The session that asks. A key was given its rights to act, not to change how its owner gets in.
fn session_of(caller: &Caller) -> Result<Arc<AccessToken>> {
    caller.actor.token().map(Arc::clone).ok_or(Error::Forbidden(AccountFactors::NAME.into()))
}

impl Example for EnableBody {
    fn example() -> Self {
        Self { code: Some("081804".into()), method: None }
    }
}
