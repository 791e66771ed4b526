//! `otelcol.receiver.otlp`: OTLP over gRPC and HTTP, answered as the protocol specification says
//! (<https://opentelemetry.io/docs/specs/otlp/>) and, where that is silent, as the Collector does.

mod answer;
mod cors;
mod door;
mod grpc;
mod http;
mod settings;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_net::listen;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Outlet, Receiver, StartError};
use bessemer_record::Limits;
use bessemer_runtime::{BoxFuture, Budget, Clock, Reference, Tasks};

use door::Door;
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.receiver.otlp "example" {
  grpc {
    endpoint = "127.0.0.1:4317"
  }

  http {
    endpoint              = "127.0.0.1:4318"
    max_request_body_size = "10MB"
  }

  output {
    logs    = []
    metrics = []
    traces  = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    settings.validate()?;
    let (ack, ack_timeout) = (settings.ack, settings.ack_timeout.0);
    let listens = settings.endpoints();
    let auth = |auth: Option<&Reference>, block| Door::new(auth, block, context);
    let receiver = Otlp {
        id: context.id.clone(),
        grpc_door: auth(settings.grpc.as_ref().and_then(|grpc| grpc.auth.as_ref()), "grpc")?,
        http_door: auth(settings.http.as_ref().and_then(|http| http.auth.as_ref()), "http")?,
        settings,
        shared: Shared {
            limits: context.limits,
            bodies: context.bodies.clone(),
            clock: Arc::clone(&context.clock),
        },
    };
    Ok(Built::Receiver { receiver: Box::new(receiver), ack, ack_timeout, listens })
}

struct Otlp {
    id: String,
    settings: Settings,
    grpc_door: Door,
    http_door: Door,
    shared: Shared,
}

/// What both protocols need.
#[derive(Clone)]
struct Shared {
    limits: Limits,
    bodies: Budget,
    clock: Arc<dyn Clock>,
}

impl Receiver for Otlp {
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        tasks: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async move {
            let mut open = Vec::new();
            if let Some(settings) = &self.settings.grpc {
                let door = self.grpc_door.clone();
                let asks_who = door.asks_who();
                let handler = grpc::Grpc::new(settings, outlet.clone(), self.shared.clone(), door);
                let settings = settings.listen();
                let handler: Arc<dyn listen::Handler> = Arc::new(handler);
                open.push((self.bind(&settings)?, settings, handler, asks_who));
            }
            if let Some(settings) = &self.settings.http {
                let door = self.http_door.clone();
                let asks_who = door.asks_who();
                let handler = http::Http::new(settings, outlet.clone(), self.shared.clone(), door);
                let settings = settings.listen();
                open.push((self.bind(&settings)?, settings, Arc::new(handler), asks_who));
            }
            for (bound, settings, handler, asks_who) in open {
                if !asks_who {
                    warn_if_open(&self.id, &bound, &settings);
                }
                tracing::info!(component = %self.id, endpoint = %bound.local_addr(), "listening");
                bound.serve(handler, &tasks);
            }
            Ok(())
        })
    }
}

impl Otlp {
    fn bind(&self, settings: &listen::Settings) -> Result<listen::Bound, StartError> {
        listen::bind(&self.id, settings).map_err(|error| StartError {
            component: self.id.clone(),
            problem: error.to_string(),
            remedy: "check endpoint and tls of this block".to_owned(),
        })
    }
}

fn warn_if_open(id: &str, bound: &listen::Bound, settings: &listen::Settings) {
    let asks_who = settings.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    if !bound.local_addr().ip().is_loopback() && !asks_who {
        tracing::warn!(
            component = %id,
            endpoint = %bound.local_addr(),
            "anyone who reaches this port can send data: set auth or tls.client_ca_file, or listen on loopback"
        );
    }
}
