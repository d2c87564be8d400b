//! How second factors look on the wire.
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use super::model::{FEW_RECOVERY_CODES, Listed};
use super::service::{Enabled, NewApp, Status};
use crate::base::{Result, Secret};

#[derive(Object, Serialize)]
#[oai(example)]
pub struct StatusView {
    /// Whether a login needs a second factor.
    enabled: bool,
    /// Whether this installation asks it of this account.
    required: bool,
    /// With what a login can be finished: `totp`, `passkey`, `recovery_code`.
    methods: Vec<String>,
    recovery_codes_left: usize,
    /// What to do soon.
    warning: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct SetupView {
    /// For apps that cannot scan; base 32.
    secret: String,
    otpauth_uri: String,
    /// The picture of `otpauth_uri` as a `data:` URI.
    qr_png: String,
    /// The same as SVG.
    qr_svg: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct EnabledView {
    /// Each is good once, in place of a code. They are shown this once.
    recovery_codes: Vec<String>,
    /// In place of the one that asked; the cookies are set, too.
    access_token: String,
    token_type: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct RecoveryCodesView {
    /// Each is good once, in place of a code. They are shown this once.
    recovery_codes: Vec<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct DeviceView {
    id: String,
    user_agent: String,
    /// Where it was when it was trusted.
    address: String,
    created_at: String,
    last_used_at: String,
    expires_at: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct DeviceList {
    items: Vec<DeviceView>,
    next_cursor: Option<String>,
}

/// What to tell somebody who has few recovery codes left.
#[must_use]
pub fn warning(left: usize) -> Option<String> {
    (left <= FEW_RECOVERY_CODES).then(|| {
        format!("{left} recovery codes are left; POST /auth/mfa/backup-codes/regenerate gives new ones")
    })
}

fn texts(secrets: &[Secret]) -> Vec<String> {
    secrets.iter().map(|secret| secret.expose().to_owned()).collect()
}

impl StatusView {
    #[must_use]
    pub fn of(status: Status) -> Self {
        let left = status.factors.recovery_codes.len();
        let enabled = status.factors.is_on();
        Self {
            enabled,
            required: status.is_required,
            methods: status.methods.into_iter().map(str::to_owned).collect(),
            recovery_codes_left: left,
            warning: if enabled { warning(left) } else { None },
        }
    }
}

impl SetupView {
    /// # Errors
    /// `Error::Internal` if the picture cannot be written.
    pub fn of(app: &NewApp) -> Result<Self> {
        Ok(Self {
            secret: app.secret.expose().to_owned(),
            otpauth_uri: app.uri.expose().to_owned(),
            qr_png: app.picture.png_data_uri()?,
            qr_svg: app.picture.svg(),
        })
    }
}

impl EnabledView {
    #[must_use]
    pub fn of(enabled: &Enabled) -> Self {
        Self {
            recovery_codes: texts(&enabled.recovery_codes),
            access_token: enabled.granted.access_token.expose().to_owned(),
            token_type: "bearer".to_owned(),
        }
    }
}

impl RecoveryCodesView {
    #[must_use]
    pub fn of(codes: &[Secret]) -> Self {
        Self { recovery_codes: texts(codes) }
    }
}

impl DeviceList {
    #[must_use]
    pub fn of(devices: Vec<Listed>) -> Self {
        let view = |Listed { id, device }: Listed| DeviceView {
            id: id.to_string(),
            user_agent: device.user_agent,
            address: device.address,
            created_at: device.created_at.rfc3339(),
            last_used_at: device.last_used_at.rfc3339(),
            expires_at: device.expires_at.rfc3339(),
        };
        Self { items: devices.into_iter().map(view).collect(), next_cursor: None }
    }
}

impl Example for StatusView {
    fn example() -> Self {
        Self {
            enabled: true,
            required: false,
            methods: vec!["totp".into(), "recovery_code".into()],
            recovery_codes_left: 10,
            warning: None,
        }
    }
}

impl Example for SetupView {
    fn example() -> Self {
        Self {
            secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into(),
            otpauth_uri:
                "otpauth://totp/localhost:testuser?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=localhost"
                    .into(),
            qr_png: "data:image/png;base64,iVBORw0KGgo…".into(),
            qr_svg: "<svg …></svg>".into(),
        }
    }
}

impl Example for EnabledView {
    fn example() -> Self {
        Self {
            recovery_codes: vec!["3Q8ZK-7WJ2D-5NRXC-0M4TB-9HVGE".into()],
            access_token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9...".into(),
            token_type: "bearer".into(),
        }
    }
}

impl Example for RecoveryCodesView {
    fn example() -> Self {
        Self { recovery_codes: vec!["3Q8ZK-7WJ2D-5NRXC-0M4TB-9HVGE".into()] }
    }
}

impl Example for DeviceView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            user_agent: "Mozilla/5.0".into(),
            address: "203.0.113.7".into(),
            created_at: "2025-06-15T11:09:03Z".into(),
            last_used_at: "2025-06-20T08:00:00Z".into(),
            expires_at: "2025-07-15T11:09:03Z".into(),
        }
    }
}

impl Example for DeviceList {
    fn example() -> Self {
        Self { items: vec![DeviceView::example()], next_cursor: None }
    }
}
