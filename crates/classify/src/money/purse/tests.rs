//! The cap holds: whoever asks at once, whatever fails, whenever the process dies.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bessemer_pipeline::state::{MemoryState, SqliteState};
use bessemer_runtime::{BoxFuture, Random, SystemRandom};
use proptest::prelude::*;

use super::*;

/// A clock that is set by hand.
#[derive(Default)]
struct Watch(AtomicU64);

impl Watch {
    fn at_day(day: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(day * NANOS_A_DAY)))
    }
}

impl Clock for Watch {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.unix_nanos())
    }

    fn unix_nanos(&self) -> u64 {
        self.0.load(SeqCst)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// State that breaks at the n-th change: before it is written, or after.
struct Breaking {
    inner: Arc<MemoryState>,
    left: AtomicUsize,
    is_written: bool,
}

impl State for Breaking {
    fn get(&self, component: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.inner.get(component, key)
    }

    fn scan(
        &self,
        one: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        self.inner.scan(one, prefix, limit)
    }

    fn apply(&self, component: &str, changes: &[Change]) -> Result<(), StateError> {
        let left = self.left.load(SeqCst);
        if left > 0 {
            self.left.store(left - 1, SeqCst);
            return self.inner.apply(component, changes);
        }
        if self.is_written {
            self.inner.apply(component, changes)?;
        }
        Err(StateError::TooLarge { component: "broken".into(), key: String::new(), size: 0 })
    }
}

fn account(name: &str, cap: u64) -> Account {
    Account { name: name.into(), cap: Some(Micros(cap)) }
}

fn purse(state: &Arc<MemoryState>, clock: &Arc<Watch>) -> Purse {
    Purse::open(Arc::clone(state) as Arc<dyn State>, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

fn reopened(state: &Arc<MemoryState>, clock: &Arc<Watch>) -> Purse {
    purse(state, clock)
}

#[test]
fn an_attempt_that_could_pass_a_cap_is_not_granted() {
    let purse = purse(&Arc::default(), &Watch::at_day(7));
    let accounts = [account("all", 100), account("tenant/a", 50)];
    let first = purse.reserve(&accounts, Micros(40)).unwrap();
    let refused = purse.reserve(&accounts, Micros(20)).unwrap_err();
    assert!(matches!(refused, Overdrawn::Cap { account, .. } if account == "tenant/a"));
    purse.settle(first, Micros(5)).unwrap();
    assert_eq!((purse.spent("all"), purse.spent("tenant/a")), (Micros(5), Micros(5)));
    drop(purse.reserve(&accounts, Micros(45)).unwrap());
    assert!(purse.reserve(&accounts, Micros(1)).is_err());
    drop(purse.reserve(&accounts[..1], Micros(50)).unwrap());
}

#[test]
fn more_than_was_reserved_counts_against_the_cap() {
    let purse = purse(&Arc::default(), &Watch::at_day(7));
    let reservation = purse.reserve(&[account("all", 100)], Micros(10)).unwrap();
    purse.settle(reservation, Micros(100)).unwrap();
    assert!(purse.reserve(&[account("all", 100)], Micros(1)).is_err());
}

#[test]
fn a_new_day_begins_at_nothing_and_an_old_one_does_not_come_back() {
    let (state, clock) = (Arc::default(), Watch::at_day(7));
    let purse = purse(&state, &clock);
    let all = [account("all", 100)];
    let yesterday = purse.reserve(&all, Micros(100)).unwrap();
    clock.0.store(8 * NANOS_A_DAY, SeqCst);
    assert_eq!(purse.spent("all"), Micros(0));
    drop(purse.reserve(&all, Micros(100)).unwrap());
    purse.settle(yesterday, Micros(0)).unwrap();
    assert_eq!(purse.spent("all"), Micros(100));
    clock.0.store(7 * NANOS_A_DAY, SeqCst);
    assert!(purse.reserve(&all, Micros(1)).is_err());
    let again = reopened(&state, &clock);
    assert!(again.reserve(&all, Micros(1)).is_err());
}

#[test]
fn there_is_no_account_beyond_the_limit() {
    let purse = purse(&Arc::default(), &Watch::at_day(7));
    let many: Vec<Account> =
        (0..ACCOUNTS_MAX).map(|number| account(&format!("tenant/{number}"), 1)).collect();
    drop(purse.reserve(&many, Micros(1)).unwrap());
    let refused = purse.reserve(&[account("tenant/new", 1)], Micros(1)).unwrap_err();
    assert!(matches!(refused, Overdrawn::Accounts));
}

#[test]
fn long_names_stay_apart_and_short() {
    let long = "x".repeat(10_000);
    let (one, two) =
        (Account::new("tenant", &long, None), Account::new("tenant", &(long + "y"), None));
    assert!(one.name.len() <= NAME_BYTES_MAX && one.name != two.name);
}

/// Scenario: 64 threads spend from one purse in a real file: three providers as fallbacks, lost
/// answers, errors, retries; the process "dies" five times and opens the file anew.
/// Promise: what was billed never passes a cap, and at least half of it was of use.
#[test]
fn sixty_four_callers_with_fallbacks_retries_and_deaths_never_pass_a_cap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let billed: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
    let (cap, provider_cap) = (200_000, 90_000);
    for life in 0..5 {
        let state: Arc<dyn State> = Arc::new(SqliteState::open(&path).unwrap());
        let purse = Purse::open(state, Watch::at_day(7)).unwrap();
        std::thread::scope(|scope| {
            for caller in 0..64 {
                let random = SystemRandom::seeded(life * 64 + caller);
                let (purse, billed) = (&purse, &billed);
                let caps = (cap, provider_cap);
                scope.spawn(move || {
                    (0..3).for_each(|_| ask_down_the_list(purse, billed, &random, caps));
                });
            }
        });
        assert!(billed[3].load(SeqCst) <= cap, "life {life}");
        assert!(billed[3].load(SeqCst) <= purse.spent("all").0);
        for provider in &billed[..3] {
            assert!(provider.load(SeqCst) <= provider_cap, "life {life}");
        }
    }
    assert!(billed[3].load(SeqCst) > cap / 2, "{billed:?}");
}

fn ask_down_the_list(purse: &Purse, billed: &[AtomicU64], random: &SystemRandom, caps: (u64, u64)) {
    for (provider, paid) in billed[..3].iter().enumerate() {
        for _retry in 0..2 {
            let most = 200 + random.next_u64() % 400;
            let accounts =
                [account("all", caps.0), account(&format!("provider/{provider}"), caps.1)];
            let Ok(reservation) = purse.reserve(&accounts, Micros(most)) else { continue };
            let cost = random.next_u64() % (most + 1);
            billed[3].fetch_add(cost, SeqCst);
            paid.fetch_add(cost, SeqCst);
            match random.next_u64() % 4 {
                // The answer is lost: nobody knows what it cost.
                0 => {}
                // Billed, and still no verdict.
                1 => purse.settle(reservation, Micros(cost)).unwrap(),
                _ => return purse.settle(reservation, Micros(cost)).unwrap(),
            }
        }
    }
}

/// What one caller does.
#[derive(Debug, Clone)]
struct Attempt {
    tenant: u8,
    most: u64,
    /// In percent of `most`; what is lost is never settled.
    cost: u64,
    is_lost: bool,
    /// The process dies before anything is settled.
    is_killed: bool,
    /// Days that pass before it.
    days: u64,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let days = prop_oneof![9 => Just(0), 1 => 1..3_u64];
    (0..3_u8, 1..400_u64, 0..=100_u64, any::<(bool, bool)>(), days).prop_map(
        |(tenant, most, cost, (is_lost, is_killed), days)| Attempt {
            tenant,
            most,
            cost,
            is_lost,
            is_killed,
            days,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Scenario: any attempts; the process dies at any change of its state, which was written or
    /// not; then it comes back and goes on.
    /// Promise: in no day does anybody bill more than a cap.
    #[test]
    fn whatever_breaks_nobody_bills_more_than_a_cap(
        attempts in proptest::collection::vec(attempt(), 1..60),
        breaks in 0..80_usize,
        is_written in any::<bool>(),
    ) {
        let (inner, clock) = (Arc::new(MemoryState::default()), Watch::at_day(7));
        let broken = Breaking { inner: Arc::clone(&inner), left: breaks.into(), is_written };
        let mut purse = Purse::open(Arc::new(broken), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let mut billed: BTreeMap<(u64, String), u64> = BTreeMap::new();
        for attempt in attempts {
            clock.0.fetch_add(attempt.days * NANOS_A_DAY, SeqCst);
            let tenant = format!("tenant/{}", attempt.tenant);
            let accounts = [account("all", 1_000), account(&tenant, 500)];
            match purse.reserve(&accounts, Micros(attempt.most)) {
                Ok(reservation) => {
                    let cost = attempt.most * attempt.cost / 100;
                    for name in ["all".to_owned(), tenant] {
                        *billed.entry((purse.today(), name)).or_default() += cost;
                    }
                    let is_settled = !attempt.is_killed && !attempt.is_lost;
                    let is_broken =
                        is_settled && purse.settle(reservation, Micros(cost)).is_err();
                    if attempt.is_killed || is_broken {
                        purse = reopened(&inner, &clock);
                    }
                }
                // The disk broke: the process dies and comes back with a good one.
                Err(Overdrawn::State(_)) => purse = reopened(&inner, &clock),
                Err(Overdrawn::Damaged) => {
                    return Err(TestCaseError::fail("nothing was damaged"));
                }
                Err(Overdrawn::Cap { .. } | Overdrawn::Accounts) => {}
            }
        }
        for ((_, name), sum) in billed {
            prop_assert!(sum <= if name == "all" { 1_000 } else { 500 }, "{name}: {sum}");
        }
    }
}

/// Scenario: a stored value of the purse is cut, or gone, or of another length.
/// Promise: nothing is spent that day, restarts or not; the next day begins with nothing spent.
#[test]
fn what_is_damaged_counts_as_spent_until_the_day_is_over() {
    let account = [Account::new("payer", "a", Some(Micros(100)))];
    let damages = [
        Change::Put(DAY_KEY.to_owned(), vec![1, 2, 3]),
        Change::Delete(DAY_KEY.to_owned()),
        Change::Put(format!("{PREFIX}payer/a"), vec![0; 15]),
        Change::Put(format!("{PREFIX}payer/a"), Vec::new()),
    ];
    for damage in damages {
        let state: Arc<MemoryState> = Arc::default();
        let clock = Watch::at_day(20_000);
        let open = || {
            let state = Arc::clone(&state) as Arc<dyn State>;
            Purse::open(state, Arc::clone(&clock) as Arc<dyn Clock>).unwrap()
        };
        let reservation = open().reserve(&account, Micros(60)).unwrap();
        drop(reservation);
        state.apply(COMPONENT, std::slice::from_ref(&damage)).unwrap();
        for _ in 0..2 {
            let purse = open();
            let error = purse.reserve(&account, Micros(1)).unwrap_err();
            assert!(matches!(error, Overdrawn::Damaged), "{damage:?}: {error}");
            assert!(purse.is_damaged());
        }
        clock.0.fetch_add(NANOS_A_DAY, SeqCst);
        let purse = open();
        assert!(purse.reserve(&account, Micros(100)).is_ok(), "{damage:?}");
        assert!(!purse.is_damaged() && !open().is_damaged());
        assert_eq!(open().spent("payer/a"), Micros(100));
    }
}
