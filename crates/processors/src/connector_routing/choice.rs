//! The table, ready to be asked: which rows hold for a record.

use bessemer_ottl::{Condition, Context as Ottl, Environment, Functions, Record};
use bessemer_pipeline::program::NO_ROUTE;
use bessemer_pipeline::{Context, Route, Scratch, SettingsError};
use bessemer_record::edit::{Field, field, fields, replace_fields};
use bessemer_record::{Draft, Item, Signal};

use super::request::RequestTest;
use super::settings::{Row, RowContext, Settings};
use crate::filter::conditions::{Failures, compile, not_ottl};

/// Rows of one table at most.
const ROWS_MAX: usize = 1000;
/// Rows at most where a record can go by several: there is a route for each set of them.
const ROWS_OF_MANY_MAX: usize = 8;
/// Fields of a `Metric` that hold its data.
const METRIC_DATA: [u32; 5] = [5, 7, 9, 10, 11];
/// The field of metric data that holds its points.
const POINTS: u32 = 1;

/// The router.
#[derive(Debug)]
pub(super) struct Choice {
    tests: Vec<Test>,
    is_once: bool,
    /// Pipelines by route. Once: by row, the default behind them. Else: by set of rows.
    targets: Vec<Vec<String>>,
    failures: Failures,
}

#[derive(Debug)]
enum Test {
    Request(RequestTest),
    Record(Condition),
}

impl Choice {
    pub(super) fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let rows_max = if settings.match_once { ROWS_MAX } else { ROWS_OF_MANY_MAX };
        let rows = settings.table.len();
        if rows == 0 || rows > rows_max {
            let remedy = format!("write 1 to {rows_max} rows");
            return Err(SettingsError::new("table", format!("has {rows} rows"), remedy));
        }
        let functions = Functions::standard();
        let rows = settings.table.iter().enumerate();
        let tests =
            rows.map(|(index, row)| test(index, row, &functions)).collect::<Result<_, _>>()?;
        Ok(Self {
            tests,
            is_once: settings.match_once,
            targets: targets(settings),
            failures: Failures::new(context, settings.error_mode),
        })
    }

    /// The route of a record, given which rows hold.
    fn route(&self, holds: impl Iterator<Item = bool>) -> u16 {
        let index = if self.is_once {
            let mut holds = holds;
            holds.position(|holds| holds).unwrap_or(self.tests.len())
        } else {
            holds.enumerate().fold(0, |set, (row, holds)| set | usize::from(holds) << row)
        };
        let is_somewhere = self.targets.get(index).is_some_and(|target| !target.is_empty());
        u16::try_from(index).ok().filter(|_| is_somewhere).unwrap_or(NO_ROUTE)
    }

    /// Whether a row holds for an item; those on data points hold for none as a whole.
    fn holds(
        &self,
        test: &Test,
        draft: &Draft,
        index: usize,
        now: &Environment,
        scratch: &mut Scratch,
    ) -> bool {
        match test {
            Test::Request(test) => test.holds(&scratch.headers),
            Test::Record(condition) => {
                if !fits(condition.context(), draft.signal()) {
                    return false;
                }
                let outcome = condition.holds_for_item(draft, index, now);
                self.failures.holds(condition, outcome, scratch)
            }
        }
    }

    fn has_points(&self) -> bool {
        self.tests.iter().any(is_on_points)
    }

    fn item(&self, draft: &mut Draft, index: usize, now: &Environment, scratch: &mut Scratch) {
        draft.settle_tail(index);
        if draft.signal() == Signal::Metrics && self.has_points() {
            return self.metric(draft, index, now, scratch);
        }
        let route =
            self.route(self.tests.iter().map(|test| self.holds(test, draft, index, now, scratch)));
        set_route(draft, index, route);
    }

    /// Divides a metric by the routes of its points.
    fn metric(&self, draft: &mut Draft, index: usize, now: &Environment, scratch: &mut Scratch) {
        let whole: Vec<bool> = self
            .tests
            .iter()
            .map(|test| !is_on_points(test) && self.holds(test, draft, index, now, scratch))
            .collect();
        let metric = draft.item_bytes(index).to_vec();
        let Some((number, data)) = data_of(&metric) else {
            return set_route(draft, index, self.route(whole.into_iter()));
        };
        let mut pieces: Vec<(u16, Vec<Field<'_>>)> = Vec::new();
        for (_, point) in fields(data).filter(|(number, _)| *number == POINTS) {
            let own = point.bytes().unwrap_or_default();
            let holds = self.tests.iter().zip(&whole).map(|(test, whole)| match test {
                Test::Record(condition) if is_on_points(test) => {
                    let (resource, scope) = (draft.resource(index), draft.scope(index));
                    let record = Record::new(Ottl::DataPoint, resource, scope, &metric, own);
                    self.failures.holds(condition, condition.holds(&record, now), scratch)
                }
                Test::Record(_) | Test::Request(_) => *whole,
            });
            let route = self.route(holds);
            match pieces.iter_mut().find(|(known, _)| *known == route) {
                Some((_, points)) => points.push(point),
                None => pieces.push((route, vec![point])),
            }
        }
        if let [(route, _)] = pieces.as_slice() {
            return set_route(draft, index, *route);
        }
        let messages: Vec<Vec<u8>> =
            pieces.iter().map(|(_, points)| with_points(&metric, number, data, points)).collect();
        draft.divide_item(index, &messages);
        for (offset, (route, _)) in pieces.iter().enumerate() {
            set_route(draft, index + offset, *route);
        }
    }
}

fn test(index: usize, row: &Row, functions: &Functions) -> Result<Test, SettingsError> {
    let path = format!("table[{index}].condition");
    if row.value.is_some() {
        let path = format!("table[{index}].value");
        let remedy = "write from_attribute, or a condition instead";
        return Err(SettingsError::new(&path, "needs from_attribute", remedy));
    }
    let text = match (&row.condition, &row.statement) {
        (Some(condition), None) => condition.as_str(),
        (None, Some(statement)) => {
            let condition = statement.trim().strip_prefix("route()").map(str::trim_start);
            let condition = condition.and_then(|rest| rest.strip_prefix("where "));
            condition
                .ok_or_else(|| not_ottl(&path, statement, "column 1: expected route() where"))?
        }
        (Some(_), Some(_)) => {
            return Err(SettingsError::new(&path, "stands beside statement", "remove one of them"));
        }
        (None, None) => {
            let remedy = "write such as severity_number >= SEVERITY_NUMBER_ERROR";
            return Err(SettingsError::new(&path, "is not set", remedy));
        }
    };
    let context = match row.context {
        RowContext::Request => {
            let parsed = RequestTest::parse(text);
            return parsed.map(Test::Request).map_err(|reason| not_ottl(&path, text, &reason));
        }
        RowContext::Resource => Ottl::Resource,
        RowContext::Log => Ottl::Log,
        RowContext::Span => Ottl::Span,
        RowContext::Metric => Ottl::Metric,
        RowContext::Datapoint => Ottl::DataPoint,
    };
    compile(&path, context, functions, text).map(Test::Record)
}

/// The pipelines of every route.
fn targets(settings: &Settings) -> Vec<Vec<String>> {
    let names = |row: &Row| row.pipelines.iter().map(|name| name.0.clone()).collect::<Vec<_>>();
    let default: Vec<String> =
        settings.default_pipelines.iter().map(|name| name.0.clone()).collect();
    if settings.match_once {
        return settings.table.iter().map(names).chain([default]).collect();
    }
    let of_set = |set: usize| {
        let rows = settings.table.iter().enumerate();
        let mut all = Vec::new();
        for name in rows.filter(|(row, _)| set >> row & 1 == 1).flat_map(|(_, row)| names(row)) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        if set == 0 { default.clone() } else { all }
    };
    (0..1_usize << settings.table.len()).map(of_set).collect()
}

fn is_on_points(test: &Test) -> bool {
    matches!(test, Test::Record(condition) if condition.context() == Ottl::DataPoint)
}

/// Whether records of a signal have what a condition is about.
fn fits(context: Ottl, signal: Signal) -> bool {
    match context {
        Ottl::Resource | Ottl::Scope => true,
        Ottl::Log => signal == Signal::Logs,
        Ottl::Span => signal == Signal::Traces,
        Ottl::Metric => signal == Signal::Metrics,
        Ottl::SpanEvent | Ottl::DataPoint => false,
    }
}

fn set_route(draft: &mut Draft, index: usize, route: u16) {
    if let Some(item) = draft.items_mut().get_mut(index) {
        item.route = route;
    }
}

fn data_of(metric: &[u8]) -> Option<(u32, &[u8])> {
    METRIC_DATA.iter().find_map(|number| Some((*number, field(metric, *number)?.bytes()?)))
}

fn with_points(metric: &[u8], number: u32, data: &[u8], points: &[Field<'_>]) -> Vec<u8> {
    let mut inner = Vec::with_capacity(data.len());
    replace_fields(data, POINTS, &[], points, &mut inner);
    let mut out = Vec::with_capacity(metric.len());
    replace_fields(metric, number, &[], &[Field::Bytes(&inner)], &mut out);
    out
}

impl Route for Choice {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let now = self.failures.environment();
        let mut index = 0;
        // Metrics can be divided on the way; the pieces of one are settled when it is.
        while index < draft.len() {
            let before = draft.len();
            if !draft.items().get(index).is_none_or(Item::is_dropped) {
                self.item(draft, index, &now, scratch);
            }
            index += 1 + (draft.len() - before);
        }
    }

    fn targets(&self) -> &[Vec<String>] {
        &self.targets
    }
}
