//! The whole stack in one place, in the order in which a request meets it.

use crate::{
    dialects::{self, Dialects, Form},
    edge::{Faults, Work},
    govern::{GovernLayer, Governor},
    http::{Body, Problem, Render, Rendered},
    upstream::Upstream,
};
use http::{HeaderValue, Request, Response};
use std::{convert::Infallible, sync::Arc};
use tower::{Service, ServiceBuilder, service_fn};

/// Everything between a caller's connection and upstream's. One for each worker: they share the
/// governor, not their connections.
pub fn stack(
    governor: Arc<Governor>,
    upstream: Upstream,
    work: Work,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    ServiceBuilder::new()
        // Nothing gets out that is no response; what goes wrong is told in the vendor's form.
        .layer(Faults::<(), ()>::layer(VendorForm))
        // The rules. Ungoverned calls pass as they came.
        .layer(GovernLayer::new(governor).work(work))
        // One exchange with upstream. A function, since `Upstream` as a service boxes its future,
        // to have a name for it.
        .service(service_fn(move |request| {
            let upstream = upstream.clone();
            async move { upstream.send(request).await }
        }))
}

/// Problems in the error form of the API that the caller believes to talk to.
#[derive(Clone, Copy, Debug, Default)]
pub struct VendorForm;

impl Render for VendorForm {
    type Form = Form;

    fn form<B>(&self, request: &Request<B>) -> Form {
        Dialects::built_in().form_for(request.uri(), request.headers())
    }

    fn render(&self, form: Form, problem: Problem) -> Rendered {
        let rendered = dialects::error(form, problem.status(), problem.code(), &problem.message());
        Rendered {
            content_type: HeaderValue::from_static(rendered.content_type),
            content: rendered.body,
        }
    }
}
