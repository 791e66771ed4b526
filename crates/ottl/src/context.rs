//! What a statement is about.

/// What the paths of a statement start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// A resource.
    Resource,
    /// An instrumentation scope.
    Scope,
    /// A log record.
    Log,
    /// A span.
    Span,
    /// An event of a span.
    SpanEvent,
    /// A metric.
    Metric,
    /// A data point of a metric.
    DataPoint,
}

impl Context {
    /// All of them, the outer before the inner.
    pub const ALL: [Self; 7] = [
        Self::Resource,
        Self::Scope,
        Self::Log,
        Self::Span,
        Self::SpanEvent,
        Self::Metric,
        Self::DataPoint,
    ];

    /// Its name in configurations, which is also the prefix of its paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Log => "log",
            Self::Span => "span",
            Self::SpanEvent => "spanevent",
            Self::Metric => "metric",
            Self::DataPoint => "datapoint",
        }
    }

    /// The context with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "instrumentation_scope" => Some(Self::Scope),
            _ => Self::ALL.into_iter().find(|context| context.name() == name),
        }
    }

    /// Whether a statement in this context can name what belongs to the other one.
    pub fn reaches(self, other: Self) -> bool {
        match other {
            Self::Resource => true,
            Self::Scope => self != Self::Resource,
            Self::Span => matches!(self, Self::Span | Self::SpanEvent),
            Self::Metric => matches!(self, Self::Metric | Self::DataPoint),
            Self::Log | Self::SpanEvent | Self::DataPoint => self == other,
        }
    }
}
