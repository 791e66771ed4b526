//! Looks for the records at fault in a delivery that was refused for its content.
//!
//! A refused piece is sent again in two, first between what arrived apart, then between records.
//! Where few records are at fault that finds each in about log2(n) refusals. A destination that
//! refuses everything would be asked twice for each record, so a search needs patience: a refusal
//! uses it up, a piece that is taken brings more. Without it a refused piece is buried as it is.

use crate::delivery::parcel::Parcel;

/// Refusals in a row that a search begins with: several times the depth of any delivery.
const PATIENCE: u32 = 64;
/// What a piece that was taken adds: a search ends where less than one in about eight records is
/// good.
const PATIENCE_PER_TAKEN: u32 = 16;
/// Refusals of records of one arrival in one delivery at most.
const REFUSALS_MAX: u32 = 4_096;

/// What is left to settle of a delivery, the next piece last.
pub(crate) struct Pieces {
    waiting: Vec<Parcel>,
    patience: u32,
    refusals: u32,
}

impl Pieces {
    pub(crate) fn of(whole: Parcel) -> Self {
        Self { waiting: vec![whole], patience: PATIENCE, refusals: 0 }
    }

    pub(crate) fn next(&mut self) -> Option<Parcel> {
        self.waiting.pop()
    }

    pub(crate) fn push(&mut self, piece: Parcel) {
        self.waiting.push(piece);
    }

    /// Two pieces, the first of which is next.
    pub(crate) fn push_both(&mut self, (first, second): (Parcel, Parcel)) {
        self.waiting.push(second);
        self.waiting.push(first);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes note that the destination took a piece.
    pub(crate) fn taken(&mut self) {
        self.patience = self.patience.saturating_add(PATIENCE_PER_TAKEN);
    }

    /// A piece whose content was refused, in two to send again; `None` when it is to be buried.
    pub(crate) fn divide(&mut self, refused: &Parcel) -> Option<(Parcel, Parcel)> {
        if let Some(apart) = refused.halves_between_parts() {
            return Some(apart);
        }
        self.patience = self.patience.saturating_sub(1);
        self.refusals += 1;
        let goes_on = self.patience > 0 && self.refusals < REFUSALS_MAX;
        goes_on.then(|| refused.halves()).flatten()
    }
}
