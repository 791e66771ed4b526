//! Where one record stands with each of its destinations.

use std::io;

use bessemer_journal::{DeadLetter, Lane, Place, Standing, Whereabouts};
use serde::{Deserialize, Serialize};

use super::attempts::Attempt;
use super::page::{RecordRow, State, lane_name, time};
use super::{Ledger, Sheet, seconds};

/// Where a record stands with one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlace {
    /// Component id.
    pub destination: String,
    /// How it stands.
    pub state: State,
    /// The number of the try that is running or comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When it came to that at the latest, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// It had not come to that then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What the destination answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The state of what is in a dead-letter log with this status.
pub(super) fn state_of(status: &str) -> State {
    if status.is_empty() { State::Dead } else { State::Refused }
}

/// Answers for one record and the destinations that are `wanted`.
pub(super) fn record(
    ledger: &Ledger,
    standings: &[Standing],
    number: u64,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<RecordRow> {
    let mut row = RecordRow { number, appended: None, lane: None, destinations: Vec::new() };
    match ledger.journal.whereabouts(number)? {
        Whereabouts::Future => {}
        Whereabouts::Unreadable(ids) => {
            let ids = ids.into_iter().filter(|id| wanted(id));
            row.destinations = ids.map(|id| RecordPlace::new(&id, State::Unreadable)).collect();
        }
        Whereabouts::Gone => {
            for standing in standings.iter().filter(|standing| wanted(&standing.id)) {
                let buried = buried(ledger, &standing.id, number)?;
                row.destinations.push(match buried {
                    Some(letter) => RecordPlace::buried(&standing.id, &letter),
                    None => RecordPlace::new(&standing.id, State::Settled).because(
                        "its segment was deleted, after all that it was routed to had settled it",
                    ),
                });
            }
        }
        Whereabouts::Entry { lane, appended_unix_nanos, sinks, .. } => {
            row.appended = Some(time(seconds(appended_unix_nanos)));
            row.lane = Some(lane_name(lane));
            for (id, place) in sinks.into_iter().filter(|(id, _)| wanted(id)) {
                let at = standings.iter().position(|standing| standing.id == id);
                let Some((at, standing)) = at.and_then(|at| Some((at, standings.get(at)?))) else {
                    continue;
                };
                let sheet = ledger.sheets.get(at).cloned().unwrap_or_default();
                let known = Known { ledger, standing, sheet: &sheet, lane, number };
                row.destinations.push(known.place(place)?);
            }
        }
    }
    Ok(row)
}

struct Known<'a> {
    ledger: &'a Ledger,
    standing: &'a Standing,
    sheet: &'a Sheet,
    lane: Lane,
    number: u64,
}

impl Known<'_> {
    fn place(&self, place: Place) -> io::Result<RecordPlace> {
        let failed = self.sheet.attempts.all().into_iter();
        let failed = failed
            .filter(|row| row.lane == self.lane)
            .find(|row| row.numbers.contains(&self.number));
        let id = &self.standing.id;
        Ok(match (place, failed) {
            (Place::Settled, _) => return self.settled(),
            (_, Some(row)) => RecordPlace::tried(id, &row),
            (Place::InFlight, None) => {
                RecordPlace { attempt: Some(1), ..RecordPlace::new(id, State::Attempt) }
            }
            (Place::Queued, None) => RecordPlace::new(id, State::Queued),
        })
    }

    fn settled(&self) -> io::Result<RecordPlace> {
        let id = &self.standing.id;
        if let Some(letter) = buried(self.ledger, id, self.number)? {
            return Ok(RecordPlace::buried(id, &letter));
        }
        let between = self.sheet.marks(self.lane).between(self.number);
        let mut place = RecordPlace::new(id, State::Delivered);
        place.at = between.before_unix_s.map(time);
        place.after = between.after_unix_s.map(time);
        let account = self.standing.account;
        let kept = self.ledger.dead_records(id);
        if account.dead > kept || account.dropped > 0 {
            place.state = State::Settled;
            place = place.because(
                "delivered, or one of the records that were dropped or whose dead letter was",
            );
        }
        Ok(place)
    }
}

impl Ledger {
    /// Records in the dead-letter log of a destination.
    fn dead_records(&self, id: &str) -> u64 {
        let stats = self.journal.stats();
        let sink = stats.sinks.iter().find(|sink| sink.id == id);
        sink.map_or(0, |sink| sink.dead_records)
    }
}

impl RecordPlace {
    fn new(destination: &str, state: State) -> Self {
        let destination = destination.to_owned();
        Self {
            destination,
            state,
            attempt: None,
            at: None,
            after: None,
            status: None,
            reason: None,
        }
    }

    fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    fn tried(id: &str, row: &Attempt) -> Self {
        Self {
            attempt: Some(row.failed.saturating_add(1)),
            at: Some(time(row.last_unix_s)),
            ..Self::new(id, State::Attempt).because(&row.reason)
        }
    }

    fn buried(id: &str, letter: &DeadLetter) -> Self {
        let status = Some(letter.status.clone()).filter(|status| !status.is_empty());
        Self {
            at: Some(time(seconds(letter.refused_at_unix_nanos))),
            status,
            ..Self::new(id, state_of(&letter.status)).because(&letter.reason)
        }
    }
}

fn buried(ledger: &Ledger, id: &str, number: u64) -> io::Result<Option<DeadLetter>> {
    for letter in ledger.journal.dead_letters(id).into_iter().flatten() {
        let letter = letter?.letter;
        if letter.records.contains(&number) {
            return Ok(Some(letter));
        }
    }
    Ok(None)
}
