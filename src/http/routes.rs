//! Which endpoint a request goes to.
use std::collections::HashMap;

use futures_util::future::BoxFuture;
use poem::endpoint::{BoxEndpoint, DynEndpoint};
use poem::error::MethodNotAllowedError;
use poem::http::{Method, StatusCode};
use poem::{EndpointExt, IntoEndpoint, Request, Response, Route};
use poem_openapi::{OpenApi, OpenApiService};

/// The operations of an API, by path and method.
pub type Operations = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The operations of an API.
#[must_use]
pub fn operations(apis: impl OpenApi) -> Operations {
    let mut all = HashMap::new();
    apis.add_routes(&mut all);
    all
}

/// The API, and what else is served: the document, its viewer, a test's own routes.
///
/// The framework finds a path by walking a tree of routers, and parses a query string for every request. What most
/// requests ask for needs neither: an operation without parameters in its path is found by it in one step.
pub struct Routes {
    plain: HashMap<String, Vec<(Method, BoxEndpoint<'static>)>>,
    /// What the paths of the API begin with.
    areas: Vec<String>,
    api: BoxEndpoint<'static>,
    beside: BoxEndpoint<'static>,
}

impl Routes {
    /// `operations`: those of the service, once more.
    pub fn new<A, W>(service: OpenApiService<A, W>, operations: Operations, beside: Route) -> Self
    where
        OpenApiService<A, W>: IntoEndpoint<Endpoint = BoxEndpoint<'static>>,
    {
        let areas = areas(&operations);
        let plain = operations.into_iter().filter(|(path, _)| !path.contains(':'));
        let plain = plain.map(|(path, operations)| (path, operations.into_iter().collect()));
        Self {
            plain: plain.collect(),
            areas,
            api: service.into_endpoint(),
            beside: beside.map_to_response().boxed(),
        }
    }

    /// The answer to a request, by whoever answers its path.
    pub fn call(&self, request: Request) -> BoxFuture<'_, poem::Result<Response>> {
        let of_api = |area| self.areas.iter().any(|known| known == area);
        let endpoint = match self.plain(&request) {
            Some(endpoint) => endpoint,
            None if self.has_other_methods(&request) => return self.call_api(request),
            None if of_api(first_segment(request.uri().path())) => &self.api,
            None => &self.beside,
        };
        // Not the trait `Endpoint`, which has a future of its own around this one.
        DynEndpoint::call(endpoint.as_ref(), request)
    }

    /// Whether a path is known, and this method of it is not. `HEAD` is that of what `GET` reads.
    fn has_other_methods(&self, request: &Request) -> bool {
        request.method() != Method::HEAD && self.plain.contains_key(request.uri().path())
    }

    /// The API knows nothing of what stands beside it in the same area: then the method is what is not there.
    fn call_api(&self, request: Request) -> BoxFuture<'_, poem::Result<Response>> {
        Box::pin(async move {
            let answer = DynEndpoint::call(self.api.as_ref(), request).await;
            answer.map_err(|error| match error.status() {
                StatusCode::NOT_FOUND => MethodNotAllowedError.into(),
                _ => error,
            })
        })
    }

    fn plain(&self, request: &Request) -> Option<&BoxEndpoint<'static>> {
        let operations = self.plain.get(request.uri().path())?;
        operations.iter().find(|(method, _)| method == request.method()).map(|(_, endpoint)| endpoint)
    }
}

fn areas(operations: &Operations) -> Vec<String> {
    let mut areas: Vec<_> = operations.keys().map(|path| first_segment(path).to_owned()).collect();
    areas.sort();
    areas.dedup();
    areas
}

fn first_segment(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}
