//! OTLP over gRPC: the unary `Export` of three services, messages handed on as bytes.

use bessemer_net::body::{self, Body, BodyLimits};
use bessemer_net::grpc::{self, Code, Status};
use bessemer_net::listen::{Handler, Peer, Reply};
use bessemer_pipeline::{Incoming, Outlet};
use bessemer_record::Signal;
use bessemer_runtime::BoxFuture;
use http::{Method, Request, Response, StatusCode};

use super::answer::{self, COME_BACK};
use super::door::Door;
use super::{Shared, settings};

const EXPORT: [(&str, Signal); 3] = [
    ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", Signal::Logs),
    ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Signal::Metrics),
    ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", Signal::Traces),
];

pub(super) struct Grpc {
    limits: BodyLimits,
    keep_headers: bool,
    outlet: Outlet,
    shared: Shared,
    door: Door,
}

impl Grpc {
    pub(super) fn new(
        settings: &settings::Grpc,
        outlet: Outlet,
        shared: Shared,
        door: Door,
    ) -> Self {
        Self {
            limits: settings.listen().limits.body(settings.message_bytes_max()),
            keep_headers: settings.include_metadata,
            outlet,
            shared,
            door,
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Reply> {
        if !grpc::is_grpc(&request) || request.method() != Method::POST {
            let text = "415 this port takes gRPC calls; OTLP over HTTP has a port of its own\n";
            linger(request).await;
            return Reply::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "text/plain", text);
        }
        let principal = match self.door.admit(request.headers()).await {
            Ok(principal) => principal,
            Err(denied) => {
                self.outlet.count_refusal("unauthenticated");
                linger(request).await;
                return grpc::reply_status(&Status::new(Code::Unauthenticated, denied.to_string()));
            }
        };
        let path = request.uri().path();
        let signal = EXPORT.iter().find(|(known, _)| *known == path).map(|(_, signal)| *signal);
        let Some(signal) = signal.filter(|signal| self.outlet.accepts(*signal)) else {
            let message = format!("unknown or unwired method {path}");
            linger(request).await;
            return grpc::reply_status(&Status::new(Code::Unimplemented, message));
        };
        let deadline = grpc::timeout(request.headers());
        let call = self.call(request, signal, principal);
        let Some(deadline) = deadline else { return call.await };
        tokio::select! {
            response = call => response,
            () = self.shared.clock.sleep(deadline) => {
                grpc::reply_status(&Status::new(Code::DeadlineExceeded, "the deadline of the call has passed"))
            }
        }
    }

    async fn call(
        &self,
        request: Request<Body>,
        signal: Signal,
        principal: String,
    ) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let read = grpc::read_unary(&parts.headers, body, &self.limits, &self.shared.bodies).await;
        let received = match read {
            Ok(received) => received,
            Err(error) => {
                self.outlet.count_refusal("body");
                return grpc::reply_body_error(&error, COME_BACK);
            }
        };
        let incoming = Incoming {
            signal,
            bytes: received.inflated,
            encoded: received.encoded,
            meta: answer::meta(
                &self.outlet,
                &self.shared,
                self.keep_headers.then_some(&parts.headers),
                (&self.door, principal),
            ),
            permit: Some(received.permit),
        };
        match self.outlet.send(incoming).await {
            // A full success has no partial_success, so the message is empty.
            Ok(_) => grpc::reply_ok(&[]),
            Err(refusal) => grpc::reply_status(&answer::grpc_refusal(&refusal)),
        }
    }
}

async fn linger(request: Request<Body>) {
    let (parts, body) = request.into_parts();
    body::linger(&parts, body).await;
}

impl Handler for Grpc {
    fn handle<'a>(&'a self, request: Request<Body>, _: &'a Peer) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(self.answer(request))
    }
}
