//! `/health` for people, `/health/live` and `/health/ready` for supervisors.
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::Health;
use crate::http::Json;

/// The health endpoints.
pub struct HealthApi(pub Health);

#[derive(Object, Serialize)]
#[oai(example)]
struct HealthView {
    status: String,
    service: String,
    version: String,
    /// Whole seconds.
    uptime: String,
    dependencies: Dependencies,
}

#[derive(Object, Serialize)]
struct Dependencies {
    /// The embedded store.
    database: String,
    /// The in-memory cache that has taken Redis's place.
    redis: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct UnhealthyView {
    status: String,
    error: String,
    timestamp: String,
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
    async fn health(&self) -> HealthAnswer {
        match self.failure() {
            None => HealthAnswer::Healthy(Json(self.view())),
            Some(error) => HealthAnswer::Unhealthy(Json(self.unhealthy(error))),
        }
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
    fn failure(&self) -> Option<&'static str> {
        if !self.0.database_is_well() {
            return Some("Database connection failed");
        }
        (!self.0.cache_is_well()).then_some("Redis connection failed")
    }

    fn view(&self) -> HealthView {
        HealthView {
            status: "healthy".to_owned(),
            service: "auth_service".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.0.uptime().as_secs().to_string(),
            dependencies: Dependencies { database: "connected".to_owned(), redis: "connected".to_owned() },
        }
    }

    fn unhealthy(&self, error: &str) -> UnhealthyView {
        UnhealthyView {
            status: "unhealthy".to_owned(),
            error: error.to_owned(),
            timestamp: self.0.now().contract_form(),
        }
    }
}

impl Example for HealthView {
    fn example() -> Self {
        Self {
            status: "healthy".into(),
            service: "auth_service".into(),
            version: "2.1.0".into(),
            uptime: "1234567".into(),
            dependencies: Dependencies { database: "connected".into(), redis: "connected".into() },
        }
    }
}

impl Example for UnhealthyView {
    fn example() -> Self {
        Self {
            status: "unhealthy".into(),
            error: "Database connection failed".into(),
            timestamp: "2025-06-15T11:09:03.405528".into(),
        }
    }
}

impl Example for StateView {
    fn example() -> Self {
        Self { status: "alive".into() }
    }
}
