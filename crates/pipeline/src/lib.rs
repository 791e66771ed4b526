//! The contracts between components and the engine that runs them: checked batches go through
//! one fused program, are acknowledged once they are safe, and leave by verdict.
//!
//! The way of a batch through this crate: [`Outlet::send`] -> [`program`] -> journal, memory
//! window or direct hand-over ([`Ack`]) -> [`delivery`] -> [`Exporter::deliver`] -> [`Verdict`].

pub mod alerts;
pub mod assembly;
pub mod catalog;
pub mod delivery;
pub mod engine;
pub mod exporter;
mod fates;
pub mod gate;
pub mod ledger;
pub mod meta;
pub mod metrics;
pub mod outlet;
pub mod plan;
pub mod program;
pub mod receiver;
pub mod replay;
pub mod services;
mod start;
pub mod state;
pub mod stateful;
pub mod status;
pub mod step;

pub use alerts::{Alert, AlertKind};
pub use assembly::Assembly;
pub use catalog::{Built, Catalogs, Context, Role, Row, SettingsError, Stability};
pub use engine::{Engine, EngineError, Options, Retention};
pub use exporter::{Delivery, Exporter, Part, Probe, RecordId, Verdict};
pub use gate::{Gate, Overload};
pub use ledger::{Ledger, LedgerPage, LedgerQuery};
pub use meta::Meta;
pub use metrics::Metrics;
pub use outlet::{Ack, Incoming, Outlet, Refusal};
pub use plan::{Plan, PlanError};
pub use receiver::{Receiver, StartError};
pub use replay::{ReplayError, Replays};

pub use services::{Event, EventFilter, EventPage, EventQuery, QueryError, Services};
pub use start::Parts;
pub use state::{State, StateError};
pub use stateful::{Holding, Made, Stateful};
pub use status::{DestinationStatus, Status};
pub use step::{Derive, Route, Scratch, Step};
