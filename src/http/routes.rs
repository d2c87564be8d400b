//! Which endpoint a request goes to.
use std::collections::HashMap;

use futures_util::future::BoxFuture;
use poem::endpoint::{BoxEndpoint, DynEndpoint};
use poem::error::MethodNotAllowedError;
use poem::http::Method;
use poem::{EndpointExt, Request, Response, Route, RouteMethod};
use poem_openapi::OpenApi;

use super::forward_path::is_forward;

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
/// The framework finds a path by walking a tree of routers, and its service of an API makes every operation once more and
/// parses a query string for every request. An operation without parameters in its path is found by it in one step, and
/// the others by a router of their own.
pub struct Routes {
    plain: HashMap<String, Vec<(Method, BoxEndpoint<'static>)>>,
    /// What the paths of the API begin with.
    areas: Vec<String>,
    with_parameters: BoxEndpoint<'static>,
    beside: BoxEndpoint<'static>,
    /// Whatever method a proxy asks with.
    forward: BoxEndpoint<'static>,
}

impl Routes {
    #[must_use]
    pub fn new(operations: Operations, (beside, forward): (Route, BoxEndpoint<'static>)) -> Self {
        let areas = areas(&operations);
        let mut plain = HashMap::new();
        let mut with_parameters = Route::new();
        for (path, methods) in operations {
            if path.contains(':') {
                let methods = methods
                    .into_iter()
                    .fold(RouteMethod::new(), |all, (method, endpoint)| all.method(method, endpoint));
                with_parameters = with_parameters.at(path, methods);
            } else {
                plain.insert(path, methods.into_iter().collect());
            }
        }
        Self {
            plain,
            areas,
            with_parameters: with_parameters.map_to_response().boxed(),
            beside: beside.map_to_response().boxed(),
            forward,
        }
    }

    /// The answer to a request, by whoever answers its path.
    pub fn call(&self, request: Request) -> BoxFuture<'_, poem::Result<Response>> {
        let of_api = |area| self.areas.iter().any(|known| known == area);
        let path = request.uri().path();
        let endpoint = match self.plain.get(path) {
            _ if is_forward(path) => &self.forward,
            Some(methods) => match of_method(methods, request.method()) {
                Some(endpoint) => endpoint,
                None => return Box::pin(other_method(methods, request)),
            },
            None if of_api(first_segment(path)) => &self.with_parameters,
            None => &self.beside,
        };
        // Not the trait `Endpoint`, which has a future of its own around this one.
        DynEndpoint::call(endpoint.as_ref(), request)
    }
}

type Methods = [(Method, BoxEndpoint<'static>)];

fn of_method<'m>(methods: &'m Methods, wanted: &Method) -> Option<&'m BoxEndpoint<'static>> {
    methods.iter().find(|(method, _)| method == wanted).map(|(_, endpoint)| endpoint)
}

/// `HEAD` is `GET` without what is read (RFC 9110 section 9.3.2); nothing else is there.
async fn other_method(methods: &Methods, mut request: Request) -> poem::Result<Response> {
    let is_head = request.method() == Method::HEAD;
    match of_method(methods, &Method::GET).filter(|_| is_head) {
        Some(endpoint) => {
            request.set_method(Method::GET);
            let mut answer = DynEndpoint::call(endpoint.as_ref(), request).await?;
            answer.set_body(());
            Ok(answer)
        }
        None => Err(MethodNotAllowedError.into()),
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
