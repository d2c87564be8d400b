//! The one error type. Layers below HTTP know kinds and codes, never status codes.
use std::borrow::Cow;
use std::fmt;

use super::Secret;

/// What everything here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done. `Display` is what a caller may read; the text inside `Unavailable` and
/// `Internal` goes to the log alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A value that its sender can mend; the field says which.
    Invalid(FieldError),
    /// What was sent cannot be read at all; the text says why.
    Malformed(Cow<'static, str>),
    /// No credential came with the request.
    Unauthenticated,
    /// User name or password are wrong; never which.
    InvalidCredentials,
    /// A passkey that is not known, or whose proof is not good; never which.
    PasskeyRefused,
    /// The password was right, and is not enough.
    MfaRequired(SecondFactor),
    /// The code of a second factor is wrong, was used already, or is over.
    InvalidMfaCode,
    /// A token that is not ours, or is damaged.
    InvalidToken,
    /// A token of ours past its time.
    TokenExpired,
    /// A token whose session was ended.
    TokenRevoked,
    /// The credential is good and does not allow this; the permission that would.
    Forbidden(Cow<'static, str>),
    /// Whoever it is may not do this, for what the text says.
    Refused(&'static str),
    /// The API key may not be used from where the request comes.
    WrongNetwork,
    /// The password has to be changed before anything else.
    PasswordChangeRequired,
    /// A second factor has to be set up before anything else.
    MfaEnrolmentRequired,
    /// Who it is was proven too long ago, or too weakly, for this; what would prove it.
    ReauthenticationRequired(Vec<&'static str>),
    /// An unsafe request that only a cookie vouches for.
    CsrfFailed(&'static str),
    /// The e-mail address has to be verified first.
    EmailNotVerified,
    /// The account was switched off.
    AccountDisabled,
    /// There is no such thing, or not for this caller.
    NotFound(&'static str),
    /// One client asks more often than its quota an hour.
    RateLimited { retry_after_secs: u64, quota: u32 },
    /// Too many guesses at a password or a code.
    TooManyAttempts { retry_after_secs: u64 },
    /// The server has more work than it may queue; a retry will work.
    Busy { retry_after_secs: u64 },
    /// The store cannot serve now. The text is for the log.
    Unavailable(String),
    /// A bug or broken data. The text is for the log.
    Internal(String),
}

/// Which value is wrong, by the name its sender gave it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub field: Cow<'static, str>,
    pub reason: Cow<'static, str>,
    /// Of a password that is refused for being weak.
    pub strength: Option<Box<Strength>>,
}

/// How hard a password is to guess, as an estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strength {
    /// 0 (at once) to 4 (not with what an attacker has).
    pub score: u8,
    /// Of the decimal logarithm of the guesses it takes.
    pub hundredths_of_log10: u32,
    /// What makes it weak.
    pub warning: Option<String>,
    /// What would make it stronger.
    pub suggestions: Vec<String>,
}

/// What a login still lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// Goes on with this login.
    pub mfa_token: Secret,
    /// With what it can be finished.
    pub methods: Vec<&'static str>,
}

impl Error {
    /// A value that is wrong.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(FieldError { field: field.into(), reason: reason.into(), strength: None })
    }

    /// A password that is too easy to guess.
    pub fn weak(field: impl Into<Cow<'static, str>>, reason: &'static str, strength: Strength) -> Self {
        let strength = Some(Box::new(strength));
        Self::Invalid(FieldError { field: field.into(), reason: reason.into(), strength })
    }

    /// A bug or broken data; `cause` is for the log.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// The store cannot serve; `cause` is for the log.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::Unavailable(cause.to_string())
    }

    /// The stable code that programs read.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "VALIDATION_ERROR",
            Self::Malformed(_) => "MALFORMED_REQUEST",
            Self::Unauthenticated => "UNAUTHORIZED",
            Self::InvalidCredentials | Self::PasskeyRefused => "INVALID_CREDENTIALS",
            Self::MfaRequired(_) => "MFA_REQUIRED",
            Self::InvalidMfaCode => "INVALID_MFA_CODE",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::TokenRevoked => "TOKEN_REVOKED",
            Self::Forbidden(_) | Self::Refused(_) | Self::WrongNetwork => "FORBIDDEN",
            Self::PasswordChangeRequired => "PASSWORD_CHANGE_REQUIRED",
            Self::MfaEnrolmentRequired => "MFA_ENROLMENT_REQUIRED",
            Self::ReauthenticationRequired(_) => "REAUTHENTICATION_REQUIRED",
            Self::CsrfFailed(_) => "CSRF_FAILED",
            Self::EmailNotVerified => "EMAIL_NOT_VERIFIED",
            Self::AccountDisabled => "ACCOUNT_DISABLED",
            Self::NotFound(_) => "NOT_FOUND",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::TooManyAttempts { .. } => "TOO_MANY_ATTEMPTS",
            Self::Busy { .. } | Self::Unavailable(_) => "SERVICE_UNAVAILABLE",
            Self::Internal(_) => "INTERNAL_ERROR",
        }
    }
}

/// What a caller may read. Causes stay out of it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(_) => f.write_str("Invalid input parameters"),
            Self::Malformed(why) => f.write_str(why),
            Self::Unauthenticated => f.write_str("Authentication required"),
            Self::InvalidCredentials => f.write_str("User name or password is wrong"),
            Self::PasskeyRefused => f.write_str("The passkey was not accepted"),
            Self::MfaRequired(_) => f.write_str("A second factor is required"),
            Self::InvalidMfaCode => f.write_str("The code is wrong, or was used already"),
            Self::InvalidToken => f.write_str("The token is not valid"),
            Self::TokenExpired => f.write_str("The token has expired"),
            Self::TokenRevoked => f.write_str("The token has been revoked"),
            Self::Forbidden(_) => f.write_str("Insufficient permissions"),
            Self::WrongNetwork => f.write_str("The API key may not be used from this address"),
            Self::PasswordChangeRequired => f.write_str("The password has to be changed first"),
            Self::MfaEnrolmentRequired => f.write_str("A second factor has to be set up first"),
            Self::ReauthenticationRequired(_) => {
                f.write_str("This needs a recent login; prove once more who you are")
            }
            Self::CsrfFailed(why) | Self::Refused(why) => f.write_str(why),
            Self::EmailNotVerified => {
                f.write_str("The e-mail address has to be verified first; a mail says how")
            }
            Self::AccountDisabled => f.write_str("The account is disabled"),
            Self::NotFound(what) => write!(f, "There is no such {what}"),
            Self::RateLimited { .. } => f.write_str("Rate limit exceeded"),
            Self::TooManyAttempts { .. } => f.write_str("Too many attempts; try again later"),
            Self::Busy { .. } | Self::Unavailable(_) => f.write_str("Service temporarily unavailable"),
            Self::Internal(_) => f.write_str("Internal server error"),
        }
    }
}

impl std::error::Error for Error {}
