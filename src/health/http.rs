//! `/health` for people, `/health/live` and `/health/ready` for supervisors.
use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::Health;
use super::report::{Parts, Report};
use crate::base::{Error, Result};
use crate::http::{Failure, Json, Query, permit, spec};
use crate::rbac::Named;
use crate::rbac::permission::HealthRead;

/// The health endpoints.
pub struct HealthApi {
    pub health: Health,
    pub parts: Parts,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[(
    "get_health",
    &["UNAUTHORIZED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "FORBIDDEN", "MALFORMED_REQUEST"],
)];

/// Operations that everyone may ask, and an administrator for more.
pub const FOR_ANYONE: &[&str] = &["get_health"];

#[derive(Object, Serialize)]
#[oai(example, read_only_all)]
struct HealthView {
    status: &'static str,
    service: &'static str,
    version: &'static str,
    /// Whole seconds.
    uptime: String,
    dependencies: Dependencies,
    /// Only for an administrator who asks for it.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<Report>>,
}

#[derive(Object, Default, Serialize)]
#[oai(read_only_all)]
struct Dependencies {
    /// The embedded store.
    database: &'static str,
    /// The in-memory cache that has taken Redis's place.
    redis: &'static str,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct UnhealthyView {
    status: String,
    error: String,
    timestamp: String,
    /// Only for an administrator who asks for it.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<Report>>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct StateView {
    status: String,
}

#[derive(ApiResponse)]
enum HealthAnswer {
    /// Everything works
    #[oai(status = 200)]
    Healthy(Json<HealthView>),
    /// A dependency fails
    #[oai(status = 503)]
    Unhealthy(Json<UnhealthyView>),
}

#[derive(ApiResponse)]
enum ReadyAnswer {
    /// Requests are served
    #[oai(status = 200)]
    Ready(Json<StateView>),
    /// A dependency fails
    #[oai(status = 503)]
    Unready(Json<UnhealthyView>),
}

#[OpenApi]
impl HealthApi {
    /// Is the service healthy?
    ///
    /// Probes the store and the cache at each call.
    #[oai(path = "/health", method = "get", operation_id = "get_health")]
    async fn health(
        &self,
        request: &Request,
        /// Adds the state of each dependency; for administrators
        verbose: Query<Option<bool>>,
    ) -> Result<HealthAnswer, Failure> {
        let details = match verbose.0 {
            Some(true) => self.report(request)?.map(Box::new),
            _ => None,
        };
        Ok(match self.failure() {
            None => HealthAnswer::Healthy(Json(HealthView { details, ..self.view() })),
            Some(error) => HealthAnswer::Unhealthy(Json(UnhealthyView { details, ..self.unhealthy(error) })),
        })
    }

    /// Does the process run?
    #[oai(path = "/health/live", method = "get", operation_id = "get_liveness")]
    async fn live(&self) -> Json<StateView> {
        Json(StateView { status: "alive".to_owned() })
    }

    /// Can the service take requests?
    #[oai(path = "/health/ready", method = "get", operation_id = "get_readiness")]
    async fn ready(&self) -> ReadyAnswer {
        match self.failure() {
            None => ReadyAnswer::Ready(Json(StateView { status: "ready".to_owned() })),
            Some(error) => ReadyAnswer::Unready(Json(self.unhealthy(error))),
        }
    }
}

impl HealthApi {
    /// `None` when nobody can say who asks, because the store does not serve.
    fn report(&self, request: &Request) -> Result<Option<Report>> {
        match permit::permitted(request, HealthRead::NAME) {
            Ok(_) => Ok(Some(Report::of(&self.health, &self.parts))),
            Err(Error::Unavailable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn failure(&self) -> Option<&'static str> {
        if !self.health.database_is_well() {
            return Some("Database connection failed");
        }
        (!self.health.cache_is_well()).then_some("Redis connection failed")
    }

    fn view(&self) -> HealthView {
        HealthView {
            status: "healthy",
            service: "auth_service",
            version: env!("CARGO_PKG_VERSION"),
            uptime: self.health.uptime().as_secs().to_string(),
            dependencies: Dependencies { database: "connected", redis: "connected" },
            details: None,
        }
    }

    fn unhealthy(&self, error: &str) -> UnhealthyView {
        UnhealthyView {
            status: "unhealthy".to_owned(),
            error: error.to_owned(),
            timestamp: self.health.now().contract_form(),
            details: None,
        }
    }
}

impl Example for HealthView {
    fn example() -> Self {
        Self {
            status: "healthy",
            service: "auth_service",
            version: "2.1.0",
            uptime: "1234567".into(),
            dependencies: Dependencies { database: "connected", redis: "connected" },
            details: None,
        }
    }
}

impl Example for UnhealthyView {
    fn example() -> Self {
        Self {
            status: "unhealthy".into(),
            error: "Database connection failed".into(),
            timestamp: "2025-06-15T11:09:03.405528".into(),
            details: None,
        }
    }
}

impl Example for StateView {
    fn example() -> Self {
        Self { status: "alive".into() }
    }
}
