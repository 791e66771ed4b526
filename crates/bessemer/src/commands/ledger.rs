//! `bessemer ledger`: asks a running process, or reads the directory of one that is gone.

use std::process::ExitCode;

use bessemer_pipeline::{LedgerPage, LedgerQuery};

use self::source::Asker;
use crate::arguments::{Ledger, LedgerForm, Reconcile, Show};
use crate::output;

mod expect;
mod source;
mod table;

/// The command `ledger`.
pub(super) fn ledger(arguments: &Ledger) -> anyhow::Result<ExitCode> {
    match arguments {
        Ledger::Show(show) => self::show(show),
        Ledger::Reconcile(reconcile) => self::reconcile(reconcile),
    }
}

fn show(arguments: &Show) -> anyhow::Result<ExitCode> {
    let mut asker = Asker::new(&arguments.source)?;
    let query = LedgerQuery {
        record: arguments.record,
        destination: arguments.destination.clone(),
        since_unix_s: Asker::since(arguments.since.as_deref())?,
    };
    let page = asker.ask(&query)?;
    match arguments.source.output {
        LedgerForm::Json => output::print(&format!("{}\n", serde_json::to_string_pretty(&page)?))?,
        LedgerForm::Table => output::print(&table::page(&page))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn reconcile(arguments: &Reconcile) -> anyhow::Result<ExitCode> {
    let expected = arguments.expect.as_deref().map(expect::read).transpose()?.unwrap_or_default();
    let mut asker = Asker::new(&arguments.source)?;
    let page = asker.ask(&LedgerQuery::default())?;
    let findings = expect::judge(&mut asker, &page, &expected)?;
    let balanced = is_balanced(&page);
    let met = findings.iter().all(|finding| finding.met);
    match arguments.source.output {
        LedgerForm::Json => {
            let report = serde_json::json!({
                "balanced": balanced,
                "receivers": page.receivers,
                "destinations": page.destinations.iter().map(table::books).collect::<Vec<_>>(),
                "expectations": findings,
            });
            output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        }
        LedgerForm::Table => output::print(&table::reconciled(&page, &findings, balanced))?,
    }
    Ok(if balanced && met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_balanced(page: &LedgerPage) -> bool {
    page.receivers.iter().all(|row| row.unaccounted == 0)
        && page.destinations.iter().all(|row| row.unaccounted == 0)
}
