//! Accounts by day, with caps, on the disk before a penny is spent.
//!
//! One reservation is charged to several accounts at once: who asks, whose records they are, who
//! is asked. It is granted if no account would pass its cap, and all accounts are written in one
//! transaction. What could not be written is not granted, and stays charged in memory, because
//! nobody knows whether it was written.
//!
//! What is damaged on the disk counts as all that may be spent: nothing is granted until the day is
//! over, and then the books begin anew.
//!
//! Days are UTC. A clock that goes back does not bring back a day: the purse stays in the latest
//! day that it has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_pipeline::state::{Change, State, StateError};
use bessemer_runtime::Clock;
use parking_lot::Mutex;

use super::Micros;

/// Under which the accounts are kept.
pub const COMPONENT: &str = "bessemer.llm";
/// Accounts of one day at most; who comes later is refused, since a cap needs an account.
pub const ACCOUNTS_MAX: usize = 10_000;
/// Bytes of an account's name at most.
const NAME_BYTES_MAX: usize = 256;

const DAY_KEY: &str = "money/day";
/// The day in which damage was found.
const DAMAGED_KEY: &str = "money/damaged";
const PREFIX: &str = "money/account/";
const NANOS_A_DAY: u64 = 86_400 * 1_000_000_000;

/// An account and what may be charged to it in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Such as `provider/bessemer.llm.openai.main` or `tenant/acme`.
    pub name: String,
    /// Nothing for no limit.
    pub cap: Option<Micros>,
}

impl Account {
    /// The account of a kind; a name too long is told apart by its end too.
    pub fn new(kind: &str, name: &str, cap: Option<Micros>) -> Self {
        let mut name = format!("{kind}/{name}");
        if name.len() > NAME_BYTES_MAX {
            let hash = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
            name.truncate(name.floor_char_boundary(NAME_BYTES_MAX - 17));
            name = format!("{name}~{hash:016x}");
        }
        Self { name, cap }
    }
}

/// Why nothing may be spent.
#[derive(Debug, thiserror::Error)]
pub enum Overdrawn {
    /// The account is at its cap, or would be beyond it.
    #[error("{account} has spent {spent} of {cap} today, and this could cost {asked}")]
    Cap {
        /// Whose.
        account: String,
        /// Reserved or spent today.
        spent: Micros,
        /// What may be.
        cap: Micros,
        /// What the attempt could have cost.
        asked: Micros,
    },
    /// What was spent today cannot be read.
    #[error(
        "what was spent today is damaged on the disk: nothing is spent until the UTC day is over"
    )]
    Damaged,
    /// More accounts in a day than there is room for.
    #[error("{ACCOUNTS_MAX} accounts were charged today, and there is no room for more")]
    Accounts,
    /// It could not be written down.
    #[error("what would be spent cannot be written: {0}")]
    State(#[from] StateError),
}

/// What was set aside for one attempt. Dropped without [`Purse::settle`] it stays spent.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    day: u64,
    accounts: Vec<String>,
    amount: Micros,
}

impl Reservation {
    /// The most that the attempt may cost.
    pub fn amount(&self) -> Micros {
        self.amount
    }
}

/// All accounts of the process.
pub struct Purse {
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    day: u64,
    spent: BTreeMap<String, Micros>,
    is_damaged: bool,
}

impl std::fmt::Debug for Purse {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Purse").field("books", &*self.books.lock()).finish_non_exhaustive()
    }
}

impl Purse {
    /// Reads what today's accounts stand at.
    pub fn open(state: Arc<dyn State>, clock: Arc<dyn Clock>) -> Result<Self, StateError> {
        let pairs = state.scan(COMPONENT, PREFIX, 2 * ACCOUNTS_MAX)?;
        let day = state.get(COMPONENT, DAY_KEY)?;
        let books = match Books::read(day.as_deref(), &pairs) {
            Some(books) => books,
            None => Self::damaged(&*state, clock.unix_nanos() / NANOS_A_DAY)?,
        };
        Ok(Self { state, clock, books: Mutex::new(books) })
    }

    /// The books of a day in which damage was found: today, or when it was first seen.
    fn damaged(state: &dyn State, today: u64) -> Result<Books, StateError> {
        let found = state.get(COMPONENT, DAMAGED_KEY)?.and_then(|bytes| number(&bytes));
        let day = found.unwrap_or(today);
        if found.is_none() {
            let found = Change::Put(DAMAGED_KEY.to_owned(), today.to_be_bytes().to_vec());
            state.apply(COMPONENT, &[found])?;
        }
        tracing::error!(
            "what LLMs cost today is damaged on the disk: nothing is spent until tomorrow"
        );
        Ok(Books { day, spent: BTreeMap::new(), is_damaged: true })
    }

    /// Whether nothing is granted today because the books are damaged.
    pub fn is_damaged(&self) -> bool {
        let books = self.books.lock();
        books.is_damaged && self.today() <= books.day
    }

    /// Sets `amount` aside on every account, on the disk when this returns. Waits for the disk: an
    /// async caller puts it on a thread of its own.
    pub fn reserve(&self, accounts: &[Account], amount: Micros) -> Result<Reservation, Overdrawn> {
        let mut books = self.books.lock();
        self.turn(&mut books)?;
        if books.is_damaged {
            return Err(Overdrawn::Damaged);
        }
        for account in accounts {
            let spent = books.spent.get(&account.name).copied().unwrap_or_default();
            if let Some(cap) = account.cap
                && spent.0.checked_add(amount.0).is_none_or(|sum| sum > cap.0)
            {
                let account = account.name.clone();
                return Err(Overdrawn::Cap { account, spent, cap, asked: amount });
            }
        }
        let new = accounts.iter().filter(|account| !books.spent.contains_key(&account.name));
        if books.spent.len() + new.count() > ACCOUNTS_MAX {
            return Err(Overdrawn::Accounts);
        }
        for account in accounts {
            let spent = books.spent.entry(account.name.clone()).or_default();
            spent.0 = spent.0.saturating_add(amount.0);
        }
        let names: Vec<String> = accounts.iter().map(|account| account.name.clone()).collect();
        self.write(&books, &names)?;
        Ok(Reservation { day: books.day, accounts: names, amount })
    }

    /// Corrects a reservation to what the attempt did cost. More than was reserved is charged too:
    /// it cannot be undone, but it counts against the cap.
    #[expect(clippy::needless_pass_by_value, reason = "a reservation is settled once")]
    pub fn settle(&self, reservation: Reservation, cost: Micros) -> Result<(), StateError> {
        let mut books = self.books.lock();
        if books.day != reservation.day || cost == reservation.amount {
            return Ok(());
        }
        for name in &reservation.accounts {
            let spent = books.spent.entry(name.clone()).or_default();
            spent.0 = spent.0.saturating_sub(reservation.amount.0).saturating_add(cost.0);
        }
        self.write(&books, &reservation.accounts)
    }

    /// What was reserved or spent on an account today.
    pub fn spent(&self, account: &str) -> Micros {
        let books = self.books.lock();
        if self.today() > books.day {
            return Micros(0);
        }
        books.spent.get(account).copied().unwrap_or_default()
    }

    fn today(&self) -> u64 {
        self.clock.unix_nanos() / NANOS_A_DAY
    }

    /// Begins a new day: its number and the removal of the old accounts are one transaction.
    fn turn(&self, books: &mut Books) -> Result<(), StateError> {
        let today = self.today();
        if today <= books.day {
            return Ok(());
        }
        let old = self.state.scan(COMPONENT, PREFIX, 2 * ACCOUNTS_MAX)?;
        let mut changes: Vec<Change> =
            old.into_iter().map(|(key, _)| Change::Delete(key)).collect();
        changes.push(Change::Put(DAY_KEY.to_owned(), today.to_be_bytes().to_vec()));
        changes.push(Change::Delete(DAMAGED_KEY.to_owned()));
        self.state.apply(COMPONENT, &changes)?;
        *books = Books { day: today, ..Books::default() };
        Ok(())
    }

    fn write(&self, books: &Books, names: &[String]) -> Result<(), StateError> {
        let changes: Vec<Change> = names
            .iter()
            .map(|name| {
                let spent = books.spent.get(name).copied().unwrap_or_default();
                let value = [books.day.to_be_bytes(), spent.0.to_be_bytes()].concat();
                Change::Put(format!("{PREFIX}{name}"), value)
            })
            .collect();
        self.state.apply(COMPONENT, &changes)
    }
}

impl Books {
    /// What was stored, if every value of it can be read.
    fn read(day: Option<&[u8]>, pairs: &[(String, Vec<u8>)]) -> Option<Self> {
        let day = match day {
            Some(bytes) => number(bytes)?,
            // An account is written in the day that was written before.
            None if pairs.is_empty() => 0,
            None => return None,
        };
        let mut spent = BTreeMap::new();
        for (key, value) in pairs {
            let (when, amount) = value.split_at_checked(8)?;
            let (name, when, amount) = (key.strip_prefix(PREFIX)?, number(when)?, number(amount)?);
            if when == day {
                spent.insert(name.to_owned(), Micros(amount));
            }
        }
        Some(Self { day, spent, is_damaged: false })
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests;
