//! `/forward-rules`: who may pass the reverse proxies that ask here.
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::model::Rule;
use super::service::Rules;
use super::view::{RuleBody, RuleList, RuleView};
use crate::base::{Error, Id, Result};
use crate::http::{Created, Done, Failure, Json, May, Recent, spec};
use crate::rbac::Named;
use crate::rbac::permission::{ForwardRulesRead, ForwardRulesWrite};

/// Rules.
pub struct RulesApi(pub Rules);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("create_forward_rule", &["REAUTHENTICATION_REQUIRED"]),
    ("read_forward_rule", &["NOT_FOUND"]),
    ("update_forward_rule", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("delete_forward_rule", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_forward_rules", ForwardRulesRead::NAME),
    ("read_forward_rule", ForwardRulesRead::NAME),
    ("create_forward_rule", ForwardRulesWrite::NAME),
    ("update_forward_rule", ForwardRulesWrite::NAME),
    ("delete_forward_rule", ForwardRulesWrite::NAME),
];

#[OpenApi]
impl RulesApi {
    /// List the rules for reverse proxies, in the order in which they are looked at
    #[oai(path = "/forward-rules", method = "get", operation_id = "list_forward_rules")]
    async fn list(&self, _caller: May<ForwardRulesRead>) -> Result<Json<RuleList>, Failure> {
        Ok(Json(RuleList::of(&self.0.list()?)))
    }

    /// Make a rule for reverse proxies
    ///
    /// The first rule that is for a request counts; where there is none, nobody passes.
    #[oai(path = "/forward-rules", method = "post", operation_id = "create_forward_rule")]
    async fn create(
        &self,
        caller: Recent<ForwardRulesWrite>,
        body: Json<RuleBody>,
    ) -> Result<Created<RuleView>, Failure> {
        let position = body.0.position;
        let made = self.0.create(caller.initiator(), body.0.made()?, position).await?;
        Ok(Created(RuleView::of(&made)))
    }

    /// Read a rule for reverse proxies
    #[oai(path = "/forward-rules/:id", method = "get", operation_id = "read_forward_rule")]
    async fn read(
        &self,
        _caller: May<ForwardRulesRead>,
        id: Path<String>,
    ) -> Result<Json<RuleView>, Failure> {
        Ok(Json(RuleView::of(&self.0.read(parse(&id.0)?)?)))
    }

    /// Change a rule for reverse proxies, or move it
    ///
    /// What is left out stays. It holds from the next request on.
    #[oai(path = "/forward-rules/:id", method = "patch", operation_id = "update_forward_rule")]
    async fn update(
        &self,
        caller: Recent<ForwardRulesWrite>,
        id: Path<String>,
        body: Json<RuleBody>,
    ) -> Result<Json<RuleView>, Failure> {
        let position = body.0.position;
        let change = Box::new(move |old| body.0.over(old));
        let changed = self.0.change(caller.initiator(), parse(&id.0)?, change, position).await?;
        Ok(Json(RuleView::of(&changed)))
    }

    /// Delete a rule for reverse proxies
    #[oai(path = "/forward-rules/:id", method = "delete", operation_id = "delete_forward_rule")]
    async fn delete(&self, caller: Recent<ForwardRulesWrite>, id: Path<String>) -> Result<Done, Failure> {
        self.0.delete(caller.initiator(), parse(&id.0)?).await?;
        Ok(Done)
    }
}

/// What is no id is that of no rule.
fn parse(id: &str) -> Result<Id<Rule>> {
    id.parse().map_err(|_| Error::NotFound("forward rule"))
}
