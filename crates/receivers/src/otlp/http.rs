//! OTLP over HTTP: `POST` of protobuf or JSON, answered in the same encoding.

use bessemer_net::body::{self, Body, BodyLimits};
use bessemer_net::listen::{Handler, Peer, Reply};
use bessemer_pipeline::{Incoming, Outlet};
use bessemer_record::{Signal, json};
use bessemer_runtime::BoxFuture;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::Shared;
use super::answer::{self, Form};
use super::cors::Cors;
use super::door::Door;
use super::settings;

const WRONG_METHOD: &str = "405 method not allowed, supported: [POST]";
const WRONG_TYPE: &str =
    "415 unsupported media type, supported: [application/json, application/x-protobuf]";
const TEXT: &str = "text/plain";

pub(super) struct Http {
    paths: [(String, Signal); 3],
    limits: BodyLimits,
    keep_headers: bool,
    cors: Option<Cors>,
    extra: HeaderMap,
    outlet: Outlet,
    shared: Shared,
    door: Door,
}

impl Http {
    pub(super) fn new(
        settings: &settings::Http,
        outlet: Outlet,
        shared: Shared,
        door: Door,
    ) -> Self {
        Self {
            paths: [
                (settings.logs_url_path.clone(), Signal::Logs),
                (settings.metrics_url_path.clone(), Signal::Metrics),
                (settings.traces_url_path.clone(), Signal::Traces),
            ],
            limits: settings.listen().limits.body(settings.max_request_body_size.as_usize()),
            keep_headers: settings.include_metadata,
            cors: settings.cors.as_ref().map(Cors::new),
            extra: settings.response_headers(),
            outlet,
            shared,
            door,
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let accepted = match self.door.admit(&parts.headers).await {
            Ok(principal) => self.accept(&parts).map(|taken| (taken, principal)),
            Err(denied) => {
                self.outlet.count_refusal("unauthenticated");
                let form = form(&parts).unwrap_or(Form::Protobuf);
                Err(answer::http_denied(denied, &self.door, form).into())
            }
        };
        let ((signal, form), principal) = match accepted {
            Ok(accepted) => accepted,
            Err(refusal) => {
                body::linger(&parts, body).await;
                return *refusal;
            }
        };
        match self.take(&parts, body, (signal, form), principal).await {
            Ok(()) => answer::http_success(form),
            Err(response) => response,
        }
    }

    /// The answer, with what web pages need to see it.
    async fn respond(&self, request: Request<Body>) -> Response<Reply> {
        let Some(cors) = &self.cors else { return self.answer(request).await };
        let origin = cors.origin(&request);
        if let (Some(origin), &Method::OPTIONS) = (&origin, request.method()) {
            return cors.preflight(origin, &request);
        }
        let mut response = self.answer(request).await;
        if let Some(origin) = origin {
            cors.permit(&origin, response.headers_mut());
        }
        response
    }

    /// What a request brings and how, as its headers tell.
    fn accept(&self, parts: &Parts) -> Result<(Signal, Form), Box<Response<Reply>>> {
        let path = parts.uri.path();
        let signal = self.paths.iter().find(|(known, _)| known == path).map(|(_, signal)| *signal);
        let Some(signal) = signal.filter(|signal| self.outlet.accepts(*signal)) else {
            return Err(Reply::of(StatusCode::NOT_FOUND, TEXT, "404 page not found\n").into());
        };
        if parts.method != Method::POST {
            let mut response = Reply::of(StatusCode::METHOD_NOT_ALLOWED, TEXT, WRONG_METHOD);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Err(response.into());
        }
        let Some(form) = form(parts) else {
            return Err(Reply::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, TEXT, WRONG_TYPE).into());
        };
        Ok((signal, form))
    }

    async fn take(
        &self,
        parts: &Parts,
        body: Body,
        (signal, form): (Signal, Form),
        principal: String,
    ) -> Result<(), Response<Reply>> {
        let received = body::read(&parts.headers, body, &self.limits, &self.shared.bodies)
            .await
            .map_err(|error| {
                self.outlet.count_refusal("body");
                answer::http_body_error(&error, form)
            })?;
        let (bytes, encoded) = match form {
            Form::Protobuf => (received.inflated, received.encoded),
            Form::Json => {
                let checked = json::from_otlp_json(signal, &received.inflated, &self.shared.limits)
                    .map_err(|error| {
                        self.outlet.count_refusal(if error.is_too_large() {
                            "too_large"
                        } else {
                            "malformed"
                        });
                        answer::http_json_error(&error)
                    })?;
                (checked.into_bytes(), None)
            }
        };
        let incoming = Incoming {
            signal,
            bytes,
            encoded,
            meta: answer::meta(
                &self.outlet,
                &self.shared,
                self.keep_headers.then_some(&parts.headers),
                (&self.door, principal),
            ),
            permit: Some(received.permit),
        };
        match self.outlet.send(incoming).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(answer::http_refusal(&refusal, form)),
        }
    }
}

/// The encoding by content type, parameters aside; `None` for any other.
fn form(parts: &Parts) -> Option<Form> {
    let value = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Form::Protobuf)
    } else if kind.eq_ignore_ascii_case("application/json") {
        Some(Form::Json)
    } else {
        None
    }
}

impl Handler for Http {
    fn handle<'a>(&'a self, request: Request<Body>, _: &'a Peer) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(async move {
            let mut response = self.respond(request).await;
            for (name, value) in &self.extra {
                response.headers_mut().insert(name, value.clone());
            }
            response
        })
    }
}
