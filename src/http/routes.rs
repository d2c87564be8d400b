//! Which endpoint a request goes to.
use std::collections::HashMap;

use futures_util::future::BoxFuture;
use poem::endpoint::{BoxEndpoint, DynEndpoint};
use poem::http::Method;
use poem::{EndpointExt, IntoEndpoint, Request, Response, Route};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::Value;

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
    /// `apis` twice: once for each way to it. `document` is their spec.
    pub fn new<A, W>(service: OpenApiService<A, W>, apis: A, beside: Route, document: &Value) -> Self
    where
        A: OpenApi + 'static,
        OpenApiService<A, W>: IntoEndpoint<Endpoint = BoxEndpoint<'static>>,
    {
        let mut all = HashMap::new();
        apis.add_routes(&mut all);
        let plain = all.into_iter().filter(|(path, _)| !path.contains(':'));
        let plain = plain.map(|(path, operations)| (path, operations.into_iter().collect()));
        Self {
            plain: plain.collect(),
            areas: areas(document),
            api: service.into_endpoint(),
            beside: beside.map_to_response().boxed(),
        }
    }

    /// The answer to a request, by whoever answers its path.
    pub fn call(&self, request: Request) -> BoxFuture<'_, poem::Result<Response>> {
        let of_api = |area| self.areas.iter().any(|known| known == area);
        let endpoint = match self.plain(&request) {
            Some(endpoint) => endpoint,
            None if of_api(first_segment(request.uri().path())) => &self.api,
            None => &self.beside,
        };
        // Not the trait `Endpoint`, which has a future of its own around this one.
        DynEndpoint::call(endpoint.as_ref(), request)
    }

    fn plain(&self, request: &Request) -> Option<&BoxEndpoint<'static>> {
        let operations = self.plain.get(request.uri().path())?;
        operations.iter().find(|(method, _)| method == request.method()).map(|(_, endpoint)| endpoint)
    }
}

fn areas(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut areas: Vec<_> = paths.map(|(path, _)| first_segment(path).to_owned()).collect();
    areas.sort();
    areas.dedup();
    areas
}

fn first_segment(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}
