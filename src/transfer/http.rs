//! `/users/import`.
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::{Format, Refused, Report};
use super::service::Transfer;
use crate::http::upload::{Files, Upload};
use crate::http::{Failure, Json, May, Query, spec};
use crate::rbac::Named;
use crate::rbac::permission::UsersImport;

const NDJSON: &str = "application/x-ndjson";
const JSONL: &str = "application/jsonl";
const CSV: &str = "text/csv";
const JSON_EXAMPLE: &str = r#"{"username": "ann", "email": "ann@example.com", "password_hash": "$2b$12$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm", "roles": ["bookkeeper"]}
{"username": "bob", "email": "bob@example.com", "first_name": "Bob", "is_active": false}
"#;
const CSV_EXAMPLE: &str = "username,email,first_name,password_hash,roles
ann,ann@example.com,Ann,$2b$12$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm,bookkeeper;auditor
bob,bob@example.com,Bob,,
";

/// Bringing accounts from elsewhere.
pub struct TransferApi(pub Transfer);

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[("import_users", UsersImport::NAME)];

/// Files of accounts.
pub struct Accounts;

impl Files for Accounts {
    const TAKEN: &'static [(&'static str, &'static str)] =
        &[(NDJSON, JSON_EXAMPLE), (JSONL, JSON_EXAMPLE), (CSV, CSV_EXAMPLE)];
}

#[derive(Object, Serialize)]
#[oai(example)]
struct ImportReport {
    rows: u64,
    /// In a dry run those that would have been.
    imported: u64,
    refused: u64,
    dry_run: bool,
    /// Every row that was refused.
    errors: Vec<RowError>,
}

#[derive(Object, Serialize)]
struct RowError {
    /// The line of the file on which it begins, from 1.
    row: u64,
    /// As far as it is known.
    username: Option<String>,
    /// Null when the row as a whole cannot be read.
    field: Option<String>,
    reason: String,
}

#[OpenApi]
impl TransferApi {
    /// Import accounts, with their password hashes
    ///
    /// A file of at most 10,000 rows and the largest body that is taken (1 MiB by default): JSON objects, one a line, or CSV with the names of its columns in the first line.
    /// Fields: `username`, `email`, and if you like `first_name`, `last_name`, `password_hash`, `is_active`, `roles`
    /// (in CSV separated by spaces or `;`); others are ignored. A row that cannot be taken is reported and keeps no
    /// other out. Nobody gives roles that come to more than they hold.
    #[oai(path = "/users/import", method = "post", operation_id = "import_users")]
    async fn import(
        &self,
        caller: May<UsersImport>,
        /// Reports what would become of the rows, and writes nothing
        dry_run: Query<Option<bool>>,
        file: Upload<Accounts>,
    ) -> Result<Json<ImportReport>, Failure> {
        let format = if file.media_type == CSV { Format::Csv } else { Format::Jsonl };
        let by = caller.initiator();
        let report = self.0.import_file(by, format, file.bytes, dry_run.0.unwrap_or(false)).await?;
        Ok(Json(report.into()))
    }
}

impl From<Report> for ImportReport {
    fn from(report: Report) -> Self {
        let totals = report.totals;
        Self {
            rows: totals.rows,
            imported: totals.imported,
            refused: totals.refused,
            dry_run: totals.dry_run,
            errors: report.refused.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Refused> for RowError {
    fn from(refused: Refused) -> Self {
        let Refused { row, username, field, reason } = refused;
        Self { row, username, field, reason }
    }
}

impl Example for ImportReport {
    fn example() -> Self {
        let error = RowError {
            row: 2,
            username: Some("bob".into()),
            field: Some("email".into()),
            reason: "is taken".into(),
        };
        Self { rows: 2, imported: 1, refused: 1, dry_run: false, errors: vec![error] }
    }
}
