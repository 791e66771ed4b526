//! Conditions in OTTL, and what happens when one cannot be computed: shared by the processors that
//! have an `error_mode`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_ottl::{
    Compiler, Condition, Conditions, Context, Environment, ErrorMode as Mode, Functions, RunError,
};
use bessemer_pipeline::{Scratch, SettingsError};
use bessemer_record::Draft;
use bessemer_runtime::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Failures are told at most this often; the others are counted.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What to do where a statement or condition fails on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorMode {
    /// Log it and go on with the next one.
    Ignore,
    /// Go on with the next one.
    Silent,
    /// Refuse the whole batch: its sender gets an error and nothing of it is kept.
    #[default]
    Propagate,
}

impl From<ErrorMode> for Mode {
    fn from(mode: ErrorMode) -> Self {
        match mode {
            ErrorMode::Ignore => Self::Ignore,
            ErrorMode::Silent => Self::Silent,
            ErrorMode::Propagate => Self::Propagate,
        }
    }
}

/// Compiles a condition; `path` is the setting that holds it.
pub(crate) fn compile(
    path: &str,
    context: Context,
    functions: &Functions,
    text: &str,
) -> Result<Condition, SettingsError> {
    Compiler::new(context, functions)
        .condition(text)
        .map_err(|error| not_ottl(path, text, &error.to_string()))
}

/// A text that does not compile.
pub(crate) fn not_ottl(path: &str, text: &str, reason: &str) -> SettingsError {
    let problem = format!("holds {text:?}, which is wrong at {reason}");
    SettingsError::new(path, problem, "see the OpenTelemetry Transformation Language")
}

/// Compiles a list of conditions.
pub(crate) fn compile_all(
    path: &str,
    context: Context,
    functions: &Functions,
    texts: &[String],
) -> Result<Vec<Condition>, SettingsError> {
    let one = |(index, text): (usize, &String)| {
        compile(&format!("{path}[{index}]"), context, functions, text)
    };
    texts.iter().enumerate().map(one).collect()
}

/// What time it is, and where failures go.
pub(crate) struct Failures {
    component: String,
    mode: ErrorMode,
    clock: Arc<dyn Clock>,
    /// When the last one was told, in milliseconds of the clock, and how many were not.
    told_ms: AtomicU64,
    untold: AtomicU64,
}

impl Failures {
    pub(crate) fn new(context: &bessemer_pipeline::Context, mode: ErrorMode) -> Self {
        let clock = Arc::clone(&context.clock);
        let (told_ms, untold) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { component: context.id.clone(), mode, clock, told_ms, untold }
    }

    /// What time it is.
    pub(crate) fn unix_nanos(&self) -> u64 {
        self.clock.unix_nanos()
    }

    /// The world as statements see it.
    pub(crate) fn environment(&self) -> Environment {
        Environment::at(self.unix_nanos())
    }

    /// Tells that something failed, unless that was done a moment ago.
    pub(crate) fn report(&self, source: &str, error: &RunError) {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        let told = self.told_ms.load(Ordering::Relaxed);
        let interval = u64::try_from(REPORT_EVERY.as_millis()).unwrap_or(u64::MAX);
        if told > 0 && now.saturating_sub(told) < interval {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.told_ms.store(now.max(1), Ordering::Relaxed);
        let untold = self.untold.swap(0, Ordering::Relaxed);
        let component = self.component.as_str();
        tracing::warn!(component, source, %error, more = untold, "failed on a record");
    }

    /// Takes the outcome of a condition; where it failed, it does not hold.
    pub(crate) fn holds(
        &self,
        condition: &Condition,
        outcome: Result<bool, RunError>,
        scratch: &mut Scratch,
    ) -> bool {
        outcome.unwrap_or_else(|error| {
            match self.mode {
                ErrorMode::Ignore => self.report(condition.source(), &error),
                ErrorMode::Silent => {}
                ErrorMode::Propagate => self.refuse(condition.source(), &error, scratch),
            }
            false
        })
    }

    /// Lets the whole batch be refused.
    pub(crate) fn refuse(&self, source: &str, error: &RunError, scratch: &mut Scratch) {
        scratch.refusal = Some(format!("{}: {source}: {error}", self.component));
    }

    /// Takes what a condition that failed leaves behind; it does not hold.
    pub(crate) fn take(&self, condition: &Condition, error: RunError, scratch: &mut Scratch) {
        self.holds(condition, Err(error), scratch);
    }

    /// Whether one of the conditions holds for an item; the rest is not asked then.
    pub(crate) fn any(
        &self,
        conditions: &Conditions,
        draft: &Draft,
        index: usize,
        now: &Environment,
        scratch: &mut Scratch,
    ) -> bool {
        conditions.any_for_item(draft, index, now, &mut |condition, error| {
            self.take(condition, error, scratch);
        })
    }
}

impl std::fmt::Debug for Failures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Failures")
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}
