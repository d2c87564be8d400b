//! `/mail`: mails that are held, where none leaves.
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::service::{Held, Mailer};
use crate::base::{Error, PageRequest, Result};
use crate::http::{Failure, Json, May, Query, spec};
use crate::rbac::Named;
use crate::rbac::permission::MailRead;

/// Mails that are held.
pub struct MailApi(pub Mailer);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("list_mail", &["NOT_FOUND"]), ("read_mail", &["NOT_FOUND"])];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] =
    &[("list_mail", MailRead::NAME), ("read_mail", MailRead::NAME)];

/// A mail without what it says.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct MailLine {
    id: String,
    kind: String,
    to: String,
    subject: String,
    created_at: String,
    /// When what it is for is over.
    expires_at: String,
    attempts: u32,
    next_at: String,
    /// Why it has not left.
    trouble: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct MailList {
    items: Vec<MailLine>,
    next_cursor: Option<String>,
}

/// A mail, links and codes included.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct MailView {
    id: String,
    kind: String,
    to: String,
    subject: String,
    created_at: String,
    expires_at: String,
    text: String,
}

#[OpenApi]
impl MailApi {
    /// List mails that are held, the oldest first
    ///
    /// Where `mail.sink` is `none`, mails with a link wait here until somebody hands the link on. Where mails leave, this is
    /// not there.
    #[oai(path = "/mail", method = "get", operation_id = "list_mail")]
    async fn list(
        &self,
        caller: May<MailRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<MailList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        self.check_held()?;
        let page = self.0.list(caller.initiator(), request).await?;
        let items = page.items.iter().map(MailLine::of).collect();
        Ok(Json(MailList { items, next_cursor: page.next_cursor }))
    }

    /// Read a mail that is held
    ///
    /// What it says is a secret of its recipient; the audit trail says who has read it.
    #[oai(path = "/mail/:id", method = "get", operation_id = "read_mail")]
    async fn read(&self, caller: May<MailRead>, id: Path<String>) -> Result<Json<MailView>, Failure> {
        self.check_held()?;
        let held = self.0.read(caller.initiator(), id.0.parse()?).await?;
        Ok(Json(MailView::of(&held)))
    }
}

impl MailApi {
    fn check_held(&self) -> Result<()> {
        if self.0.delivers() { Err(Error::NotFound("mail that is held: mails leave")) } else { Ok(()) }
    }
}

impl MailLine {
    #[must_use]
    pub fn of(held: &Held) -> Self {
        let Held { queued, written } = held;
        Self {
            id: queued.id.to_string(),
            kind: queued.kind_name().to_owned(),
            to: written.to.clone(),
            subject: written.subject.clone(),
            created_at: queued.created_at.rfc3339(),
            expires_at: queued.expires_at.rfc3339(),
            attempts: queued.attempts,
            next_at: queued.next_at.rfc3339(),
            trouble: Some(queued.trouble.clone()).filter(|text| !text.is_empty()),
        }
    }
}

impl MailView {
    #[must_use]
    pub fn of(held: &Held) -> Self {
        let Held { queued, written } = held;
        Self {
            id: queued.id.to_string(),
            kind: queued.kind_name().to_owned(),
            to: written.to.clone(),
            subject: written.subject.clone(),
            created_at: queued.created_at.rfc3339(),
            expires_at: queued.expires_at.rfc3339(),
            text: written.text.clone(),
        }
    }
}

impl Example for MailLine {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            kind: "reset_password".into(),
            to: "test@example.com".into(),
            subject: "Choose another password".into(),
            created_at: "2025-06-15T11:09:03Z".into(),
            expires_at: "2025-06-15T11:39:03Z".into(),
            attempts: 0,
            next_at: "2025-06-15T11:09:03Z".into(),
            trouble: None,
        }
    }
}

impl Example for MailList {
    fn example() -> Self {
        Self { items: vec![MailLine::example()], next_cursor: None }
    }
}

impl Example for MailView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            kind: "reset_password".into(),
            to: "test@example.com".into(),
            subject: "Choose another password".into(),
            created_at: "2025-06-15T11:09:03Z".into(),
            expires_at: "2025-06-15T11:39:03Z".into(),
            text: "Hello testuser,…".into(),
        }
    }
}
