//! `include` and `exclude`: the properties that records are kept or dropped by.

use bessemer_pipeline::SettingsError;
use bessemer_record::Draft;
use bessemer_record::value::Map;
use bessemer_record::view::{MetricData, MetricView};

use super::expression::Expression;
use super::settings::{
    LogMatchSettings, LogSettings, MatchType, MetricMatchSettings, MetricMatchType, MetricSettings,
};
use crate::attributes::filter::Filter as Matches;
use crate::attributes::settings::{AttributeSettings, MatchSettings, MatchType as TextMatchType};

/// The properties of log records, in the terms of the attributes processor.
pub(super) fn matches_of_logs(settings: &LogSettings) -> Result<Matches, SettingsError> {
    let one = |settings: &Option<LogMatchSettings>| settings.as_ref().and_then(log_properties);
    let (include, exclude) = (one(&settings.include), one(&settings.exclude));
    Matches::new(include.as_ref(), exclude.as_ref()).map_err(|error| under("logs", error))
}

/// None if nothing is to match.
fn log_properties(settings: &LogMatchSettings) -> Option<MatchSettings> {
    let is_empty = settings.resource_attributes.is_empty()
        && settings.record_attributes.is_empty()
        && settings.severity_texts.is_empty()
        && settings.severity_number.is_none()
        && settings.bodies.is_empty();
    let match_type = match settings.match_type {
        MatchType::Strict => TextMatchType::Strict,
        MatchType::Regexp => TextMatchType::Regexp,
    };
    (!is_empty).then(|| MatchSettings {
        resource: settings.resource_attributes.clone(),
        attribute: settings.record_attributes.clone(),
        log_severity_texts: settings.severity_texts.clone(),
        log_severity: settings.severity_number.clone(),
        log_bodies: settings.bodies.clone(),
        ..MatchSettings::none(match_type)
    })
}

/// The properties of metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    /// By the resource, and by the name: either can exclude a metric.
    resources: Matches,
    names: Matches,
    include: Option<Vec<Expression>>,
    exclude: Option<Vec<Expression>>,
}

impl Metrics {
    pub(super) fn new(settings: &MetricSettings) -> Result<Self, SettingsError> {
        let (include, exclude) = (settings.include.as_ref(), settings.exclude.as_ref());
        let both = |properties: &dyn Fn(&MetricMatchSettings) -> Option<MatchSettings>| {
            let (include, exclude) = (include.and_then(properties), exclude.and_then(properties));
            Matches::new(include.as_ref(), exclude.as_ref())
                .map_err(|error| under("metrics", error))
        };
        Ok(Self {
            resources: both(&|settings| resources(settings))?,
            names: both(&|settings| names(settings))?,
            include: include.map(|one| expressions("include", one)).transpose()?.flatten(),
            exclude: exclude.map(|one| expressions("exclude", one)).transpose()?.flatten(),
        })
    }

    pub(super) fn keeps(&self, draft: &Draft, index: usize) -> bool {
        let takes = |matches: &Matches| {
            let verdict = matches.record(matches.scope(draft, index), draft, index);
            matches.applies(verdict, &|_| None)
        };
        if !takes(&self.resources) || !takes(&self.names) {
            return false;
        }
        if self.include.is_none() && self.exclude.is_none() {
            return true;
        }
        let metric = MetricView::new(draft.item_bytes(index));
        self.include.as_ref().is_none_or(|all| holds_any(all, &metric))
            && !self.exclude.as_ref().is_some_and(|all| holds_any(all, &metric))
    }
}

fn text_type(settings: &MetricMatchSettings) -> TextMatchType {
    match settings.match_type {
        MetricMatchType::Regexp => TextMatchType::Regexp,
        MetricMatchType::Strict | MetricMatchType::Expr => TextMatchType::Strict,
    }
}

fn resources(settings: &MetricMatchSettings) -> Option<MatchSettings> {
    let resource: &Vec<AttributeSettings> = &settings.resource_attributes;
    (!resource.is_empty()).then(|| MatchSettings {
        resource: resource.clone(),
        ..MatchSettings::none(text_type(settings))
    })
}

fn names(settings: &MetricMatchSettings) -> Option<MatchSettings> {
    let is_given =
        settings.match_type != MetricMatchType::Expr && !settings.metric_names.is_empty();
    is_given.then(|| MatchSettings {
        metric_names: settings.metric_names.clone(),
        ..MatchSettings::none(text_type(settings))
    })
}

/// The expressions of one block; none where there are none to compute.
fn expressions(
    block: &str,
    settings: &MetricMatchSettings,
) -> Result<Option<Vec<Expression>>, SettingsError> {
    let path = format!("metrics.{block}.expressions");
    let is_expr = settings.match_type == MetricMatchType::Expr;
    if !is_expr && !settings.expressions.is_empty() {
        let remedy = "write match_type = \"expr\" or remove them";
        return Err(SettingsError::new(&path, "are computed only with \"expr\"", remedy));
    }
    if is_expr && !settings.metric_names.is_empty() {
        let path = format!("metrics.{block}.metric_names");
        let remedy = "write MetricName == \"...\" in expressions, or another match_type";
        return Err(SettingsError::new(&path, "are not looked at with \"expr\"", remedy));
    }
    let parsed = settings.expressions.iter().enumerate().map(|(index, text)| {
        Expression::parse(text).map_err(|problem| {
            let remedy = "write such as MetricName == \"a\" && Label(\"b\") == \"c\"";
            SettingsError::new(&format!("{path}[{index}]"), problem, remedy)
        })
    });
    let parsed: Vec<Expression> = parsed.collect::<Result<_, _>>()?;
    Ok((!parsed.is_empty()).then_some(parsed))
}

/// Whether an expression is true for a data point.
fn holds_any(expressions: &[Expression], metric: &MetricView<'_>) -> bool {
    let name = metric.name().as_str();
    any_point(metric, |labels| expressions.iter().any(|one| one.holds(name, labels)))
}

/// Whether something is true of the attributes of a data point.
pub(super) fn any_point(metric: &MetricView<'_>, mut is_true: impl FnMut(Map<'_>) -> bool) -> bool {
    match metric.data() {
        MetricData::Empty => false,
        MetricData::Gauge(data) => data.points().iter().any(|point| is_true(point.attributes())),
        MetricData::Sum(data) => data.points().iter().any(|point| is_true(point.attributes())),
        MetricData::Histogram(data) => {
            data.points().iter().any(|point| is_true(point.attributes()))
        }
        MetricData::ExponentialHistogram(data) => {
            data.points().iter().any(|point| is_true(point.attributes()))
        }
        MetricData::Summary(data) => data.points().iter().any(|point| is_true(point.attributes())),
    }
}

fn under(block: &str, error: SettingsError) -> SettingsError {
    SettingsError { path: format!("{block}.{}", error.path), ..error }
}
