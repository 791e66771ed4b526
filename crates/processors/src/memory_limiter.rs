//! `otelcol.processor.memory_limiter`: refuses new data while the process uses more than the
//! soft limit (`limit` less `spike_limit`, or `soft_limit_mib`), so that what is in flight stays below the hard one.
//!
//! Resident memory is read every `check_interval`; in between, what was admitted since counts as
//! if all of it were still held, so that a flood cannot outrun the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Gate, Meta, Overload, SettingsError};
use bessemer_runtime::{ByteSize, Clock, Ignored, Span, machine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.memory_limiter "example" {
  check_interval = "1s"
  limit          = "1GiB"
  spike_limit    = "256MiB"

  output {
    logs = []
  }
}
"#;

/// Clients are sent away for this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Settings of `otelcol.processor.memory_limiter`. Give either sizes or percentages.
///
/// It is asked before any work is done on a batch and guards the whole receiver: a batch is taken
/// or refused once, also where the limiter stands in only one of several branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How often memory is measured.
    pub check_interval: Span,
    /// Memory of the process at most. Give at least four times `--memory.bodies`: memory that was
    /// given back stays with the process for a while and counts.
    pub limit: Option<ByteSize>,
    /// The same in MiB, as older configs write it.
    pub limit_mib: Option<u64>,
    /// Room below the limit for what is in flight; data is refused above `limit - spike_limit`.
    /// A fifth of the limit unless set.
    pub spike_limit: Option<ByteSize>,
    /// The same in MiB.
    pub spike_limit_mib: Option<u64>,
    /// Where data begins to be refused, in MiB. The lower one counts of this and the limit less its
    /// spike.
    pub soft_limit_mib: Option<u64>,
    /// The limit in percent of the memory that the machine or its cgroup has.
    pub limit_percentage: u64,
    /// The room in percent of the same.
    pub spike_limit_percentage: u64,
    /// There is no garbage to collect.
    #[serde(skip_serializing)]
    pub min_gc_interval_when_soft_limited: Ignored,
    /// There is no garbage to collect.
    #[serde(skip_serializing)]
    pub min_gc_interval_when_hard_limited: Ignored,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            check_interval: Span(Duration::from_secs(1)),
            limit: None,
            limit_mib: None,
            spike_limit: None,
            spike_limit_mib: None,
            soft_limit_mib: None,
            limit_percentage: 0,
            spike_limit_percentage: 0,
            min_gc_interval_when_soft_limited: Ignored,
            min_gc_interval_when_hard_limited: Ignored,
        }
    }
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let (limit, soft) = limits(&settings, machine::memory_bytes)?;
    let gauge = context.metrics.gauge(
        "bessemer_memory_limiter_soft_limit_bytes",
        "Resident memory above which new data is refused",
    );
    gauge.set(i64::try_from(soft).unwrap_or(i64::MAX));
    Ok(Built::Gate(Arc::new(Limiter {
        clock: Arc::clone(&context.clock),
        interval: settings.check_interval.0,
        limit,
        soft,
        resident: machine::resident_bytes,
        measured: AtomicU64::new(0),
        measured_at: AtomicU64::new(0),
        admitted: AtomicU64::new(0),
    })))
}

fn limits(settings: &Settings, machine: fn() -> Option<u64>) -> Result<(u64, u64), SettingsError> {
    if settings.check_interval.0.is_zero() {
        let remedy = "write a duration such as \"1s\"";
        return Err(SettingsError::new("check_interval", "is zero", remedy));
    }
    let of_machine = |percentage: u64| {
        let percentage = percentage.min(100);
        (percentage > 0).then(machine).flatten().map(|bytes| bytes / 100 * percentage)
    };
    let limit = settings
        .limit
        .map(|size| size.0)
        .or(settings.limit_mib.map(|mib| mib << 20))
        .or_else(|| of_machine(settings.limit_percentage))
        .filter(|limit| *limit > 0)
        .ok_or_else(|| {
            let remedy = "write limit = \"512MiB\" or limit_percentage = 75";
            SettingsError::new("limit", "is not set", remedy)
        })?;
    let spike = settings
        .spike_limit
        .map(|size| size.0)
        .or(settings.spike_limit_mib.map(|mib| mib << 20))
        .or_else(|| of_machine(settings.spike_limit_percentage))
        .unwrap_or(limit / 5);
    if spike >= limit {
        let problem = format!("{} is not below the limit", ByteSize(spike));
        let remedy = format!("write less than {}", ByteSize(limit));
        return Err(SettingsError::new("spike_limit", problem, remedy));
    }
    let soft = soft_limit(settings, limit)?.unwrap_or(limit);
    Ok((limit, soft.min(limit - spike)))
}

fn soft_limit(settings: &Settings, limit: u64) -> Result<Option<u64>, SettingsError> {
    let soft = settings.soft_limit_mib.map(|mib| mib.saturating_mul(1 << 20));
    if soft.is_none_or(|soft| (1..limit).contains(&soft)) {
        return Ok(soft);
    }
    let remedy = format!("write a number of MiB below {}", ByteSize(limit));
    Err(SettingsError::new("soft_limit_mib", "is not between zero and the limit", remedy))
}

struct Limiter {
    clock: Arc<dyn Clock>,
    interval: Duration,
    limit: u64,
    soft: u64,
    resident: fn() -> Option<u64>,
    measured: AtomicU64,
    /// Milliseconds of the monotonic clock plus one; zero before the first measurement.
    measured_at: AtomicU64,
    admitted: AtomicU64,
}

impl Limiter {
    fn measure(&self, now: u64) {
        self.measured_at.store(now, Ordering::Relaxed);
        self.admitted.store(0, Ordering::Relaxed);
        if let Some(bytes) = (self.resident)() {
            self.measured.store(bytes, Ordering::Relaxed);
        }
    }

    fn used(&self) -> u64 {
        self.measured.load(Ordering::Relaxed) + self.admitted.load(Ordering::Relaxed)
    }
}

impl Gate for Limiter {
    fn admit(&self, _: &Meta, bytes: usize) -> Result<(), Overload> {
        let bytes = bytes as u64;
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX) + 1;
        let measured_at = self.measured_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(measured_at)
            >= u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        // A batch that would be refused is worth a fresh look: most of what was admitted since
        // the last one has left again.
        if measured_at == 0
            || due
            || (self.used() + bytes > self.soft && self.admitted.load(Ordering::Relaxed) > 0)
        {
            self.measure(now);
        }
        if self.used() + bytes <= self.soft {
            self.admitted.fetch_add(bytes, Ordering::Relaxed);
            return Ok(());
        }
        let reason = format!(
            "memory limit: {} in use, data is refused above {} (limit {})",
            ByteSize(self.used() >> 20 << 20),
            ByteSize(self.soft),
            ByteSize(self.limit),
        );
        Err(Overload::Wait { retry_after: RETRY_AFTER, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_runtime::SystemClock;

    fn settings(limit: &str, spike: Option<&str>) -> Settings {
        Settings {
            limit: Some(limit.parse().unwrap()),
            spike_limit: spike.map(|spike| spike.parse().unwrap()),
            ..Settings::default()
        }
    }

    #[test]
    fn the_soft_limit_is_the_limit_less_the_spike() {
        let mib = |count: u64| count << 20;
        assert_eq!(limits(&settings("100MiB", Some("30MiB")), || None), Ok((mib(100), mib(70))));
        assert_eq!(limits(&settings("100MiB", None), || None), Ok((mib(100), mib(80))));
        let percent =
            Settings { limit_percentage: 50, spike_limit_percentage: 10, ..Settings::default() };
        assert_eq!(limits(&percent, || Some(1000)), Ok((500, 400)));
        assert!(limits(&settings("10MiB", Some("10MiB")), || None).is_err());
        let soft =
            |soft| Settings { soft_limit_mib: Some(soft), ..settings("100MiB", Some("30MiB")) };
        assert_eq!(limits(&soft(60), || None), Ok((mib(100), mib(60))));
        assert_eq!(limits(&soft(80), || None), Ok((mib(100), mib(70))), "the lower one counts");
        for wrong in [0, 100, u64::MAX] {
            assert_eq!(limits(&soft(wrong), || None).unwrap_err().path, "soft_limit_mib");
        }
        assert!(limits(&Settings::default(), || None).unwrap_err().remedy.contains("512MiB"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_refused_before_the_next_measurement_and_admitted_after_memory_is_free() {
        static RESIDENT: AtomicU64 = AtomicU64::new(50);
        let clock = Arc::new(SystemClock::default());
        let limiter = Limiter {
            clock: Arc::<SystemClock>::clone(&clock),
            interval: Duration::from_secs(1),
            limit: 100,
            soft: 80,
            resident: || Some(RESIDENT.load(Ordering::Relaxed)),
            measured: AtomicU64::new(0),
            measured_at: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
        };
        let meta = Meta::default();
        assert!(limiter.admit(&meta, 20).is_ok());
        RESIDENT.store(70, Ordering::Relaxed);
        assert!(matches!(limiter.admit(&meta, 20), Err(Overload::Wait { .. })));
        RESIDENT.store(10, Ordering::Relaxed);
        clock.sleep(Duration::from_secs(1)).await;
        assert!(limiter.admit(&meta, 20).is_ok());
    }
}
