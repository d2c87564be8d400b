//! `/users/{id}/sessions` and `/users/{id}/api-keys`: with what an account is used.
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::service::Users;
use crate::api_key::ApiKeys;
use crate::api_key::view::KeyList;
use crate::base::{PageRequest, Result};
use crate::http::{Done, Failure, Json, May, Query, spec};
use crate::rbac::permission::{UsersKeys, UsersSessions};
use crate::rbac::{Named, SubjectId};
use crate::session::Sessions;
use crate::session::http::SessionList;

/// Sessions and keys of accounts.
pub struct UserAccessApi {
    pub users: Users,
    pub sessions: Sessions,
    pub keys: ApiKeys,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("list_user_sessions", &["NOT_FOUND"]),
    ("end_user_session", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("end_user_sessions", &["NOT_FOUND"]),
    ("list_user_keys", &["NOT_FOUND"]),
    ("revoke_user_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("delete_user_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_user_sessions", UsersSessions::NAME),
    ("end_user_session", UsersSessions::NAME),
    ("end_user_sessions", UsersSessions::NAME),
    ("list_user_keys", UsersKeys::NAME),
    ("revoke_user_key", UsersKeys::NAME),
    ("delete_user_key", UsersKeys::NAME),
];

#[derive(Object, Serialize)]
#[oai(example)]
struct EndedSessions {
    /// How many sessions were ended.
    ended: usize,
}

#[OpenApi]
impl UserAccessApi {
    /// List the sessions of an account, the oldest first
    #[oai(path = "/users/:id/sessions", method = "get", operation_id = "list_user_sessions")]
    async fn sessions(
        &self,
        _caller: May<UsersSessions>,
        id: Path<u64>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<SessionList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let user = self.users.read(id.0)?.id;
        Ok(Json(SessionList::of(self.sessions.list(user, request).await?, None)))
    }

    /// End a session of an account
    #[oai(path = "/users/:id/sessions/:session", method = "delete", operation_id = "end_user_session")]
    async fn end_session(
        &self,
        caller: May<UsersSessions>,
        id: Path<u64>,
        session: Path<String>,
    ) -> Result<Done, Failure> {
        self.users.end_session(caller.initiator(), id.0, session.0.parse()?).await?;
        Ok(Done)
    }

    /// End all sessions of an account
    #[oai(path = "/users/:id/sessions", method = "delete", operation_id = "end_user_sessions")]
    async fn end_sessions(
        &self,
        caller: May<UsersSessions>,
        id: Path<u64>,
    ) -> Result<Json<EndedSessions>, Failure> {
        let ended = self.users.end_sessions(caller.initiator(), id.0).await?;
        Ok(Json(EndedSessions { ended }))
    }

    /// List the API keys of an account, the oldest first
    #[oai(path = "/users/:id/api-keys", method = "get", operation_id = "list_user_keys")]
    async fn keys(
        &self,
        _caller: May<UsersKeys>,
        id: Path<u64>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<KeyList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let owner = SubjectId::User(self.users.read(id.0)?.id);
        Ok(Json(KeyList::of(self.keys.list(owner, request).await?)))
    }

    /// Shut an API key of an account out for good, and keep it in the list
    #[oai(path = "/users/:id/api-keys/:key/revoke", method = "post", operation_id = "revoke_user_key")]
    async fn revoke_key(
        &self,
        caller: May<UsersKeys>,
        id: Path<u64>,
        key: Path<String>,
    ) -> Result<Done, Failure> {
        self.keys.revoke(caller.initiator(), SubjectId::User(id.0), key.0.parse()?).await?;
        Ok(Done)
    }

    /// Delete an API key of an account
    #[oai(path = "/users/:id/api-keys/:key", method = "delete", operation_id = "delete_user_key")]
    async fn delete_key(
        &self,
        caller: May<UsersKeys>,
        id: Path<u64>,
        key: Path<String>,
    ) -> Result<Done, Failure> {
        self.keys.delete(caller.initiator(), SubjectId::User(id.0), key.0.parse()?).await?;
        Ok(Done)
    }
}

impl Example for EndedSessions {
    fn example() -> Self {
        Self { ended: 3 }
    }
}
