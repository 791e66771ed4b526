//! What was promised by when, and whether a disk keeps it.
//!
//! Time is counted in images: the number of changes that the disk had seen.

use bessemer_journal::{Append, Lane, SinkIndex, Stored};
use bytes::Bytes;

use crate::harness::{A, B, Live, World};

/// One appended entry and what became of it, by number of images.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) entry: Append,
    /// From here on it may be served.
    pub(crate) from: usize,
    /// From here on it must be, under this number.
    pub(crate) acked: Option<(usize, u64)>,
    /// By sink: from here on it need not be served any more.
    pub(crate) settled: [Option<usize>; 2],
    /// By sink: settled since the last crash.
    pub(crate) fresh: [bool; 2],
    /// By sink: from here on it may not be served any more.
    pub(crate) forgotten: [Option<usize>; 2],
}

impl Sent {
    /// What was settled since the last crash may not be served any more.
    pub(crate) fn settled_durably(&mut self, now: usize) {
        for (fresh, forgotten) in self.fresh.iter().zip(&mut self.forgotten) {
            if *fresh {
                forgotten.get_or_insert(now);
            }
        }
    }
}

/// One dead letter.
#[derive(Clone)]
pub(crate) struct Buried {
    pub(crate) reason: String,
    pub(crate) from: usize,
    pub(crate) dropped: Option<usize>,
}

/// All that was promised in a scenario.
#[derive(Clone, Default)]
pub(crate) struct Promise {
    pub(crate) sent: Vec<Sent>,
    pub(crate) letters: Vec<Buried>,
    /// Calls failed: when a settlement is durable is not known from outside.
    pub(crate) faulty: bool,
}

/// What a check saw.
#[derive(Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) states: u64,
    pub(crate) records: u64,
    pub(crate) duplicates: u64,
    pub(crate) scenarios: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.states += other.states;
        self.records += other.records;
        self.duplicates += other.duplicates;
        self.scenarios += other.scenarios;
    }

    /// What a soak notes of it. A soak that finds something does not get here.
    pub(crate) fn row(&self, first: u64, end: u64) -> String {
        let Self { states, records, duplicates, .. } = self;
        format!(
            "soak-row {{\"kind\":\"crash_states\",\"seed_first\":{first},\"seed_end\":{end},\
             \"crash_states\":{states},\"records_checked\":{records},\"duplicates\":{duplicates},\
             \"lost\":0,\"corrupt\":0}}"
        )
    }
}

/// The entry that carries this number in its meta.
pub(crate) fn meta(number: usize) -> Bytes {
    Bytes::copy_from_slice(&(number as u64).to_le_bytes())
}

impl Promise {
    /// Opens what `world` holds, which was left at `image`, and says what is wrong with it.
    pub(crate) fn check(
        &self,
        world: &World,
        image: usize,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (live, _) = world.try_open().map_err(|error| format!("not opened: {error}"))?;
        tally.states += 1;
        self.check_live(&live, image, tally)
    }

    /// The same for a journal that is open.
    pub(crate) fn check_live(
        &self,
        live: &Live,
        image: usize,
        tally: &mut Tally,
    ) -> Result<(), String> {
        for sink in [A, B] {
            for lane in Lane::ALL {
                self.check_sink(live, (sink, lane), image, tally)?;
            }
        }
        self.check_letters(live, image)
    }

    fn check_sink(
        &self,
        live: &Live,
        (sink, lane): (SinkIndex, Lane),
        image: usize,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let mut reader = live.journal.reader(sink, lane);
        let mut seen = vec![false; self.sent.len()];
        let mut last = None;
        while let Some(stored) = reader.try_next() {
            if last >= Some(stored.sequence) {
                return Err(format!("{} is out of order", stored.sequence));
            }
            last = Some(stored.sequence);
            let number = self.identify(&stored, sink, image)?;
            let sent = &self.sent[number];
            tally.records += u64::from(stored.items);
            if sent.settled[usize::from(sink.0)].is_some_and(|at| at <= image) {
                tally.duplicates += u64::from(stored.items);
            }
            seen[number] = true;
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let owed = sent.acked.is_some_and(|(at, _)| at <= image + 1)
                && sent.settled[usize::from(sink.0)].is_none_or(|at| at > image)
                && sent.entry.routes.contains(sink)
                && sent.entry.lane == lane;
            if owed && !seen[number] {
                return Err(format!("entry {number} is lost to {sink:?} in {lane:?}"));
            }
        }
        Ok(())
    }

    fn identify(&self, stored: &Stored, sink: SinkIndex, image: usize) -> Result<usize, String> {
        let number = stored.meta[..].try_into().map(u64::from_le_bytes);
        let number = usize::try_from(number.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let Some(sent) = self.sent.get(number).filter(|sent| sent.from <= image) else {
            return Err(format!("{} was never appended", stored.sequence));
        };
        let entry = &sent.entry;
        if (entry.items, entry.lane) != (stored.items, stored.lane)
            || entry.payload != stored.payload
            || !entry.routes.contains(sink)
        {
            return Err(format!("entry {number} is not what was appended"));
        }
        if sent.acked.is_some_and(|(at, sequence)| at <= image && sequence != stored.sequence) {
            return Err(format!("entry {number} changed its number to {}", stored.sequence));
        }
        if sent.forgotten[usize::from(sink.0)].is_some_and(|at| at <= image + 1) {
            return Err(format!("entry {number} was settled durably and is served to {sink:?}"));
        }
        Ok(number)
    }

    fn check_letters(&self, live: &Live, image: usize) -> Result<(), String> {
        let mut owed: Vec<&str> = self
            .letters
            .iter()
            .filter(|letter| letter.from <= image + 1)
            .filter(|letter| letter.dropped.is_none_or(|at| at > image))
            .map(|letter| letter.reason.as_str())
            .collect();
        if owed.is_empty() {
            return Ok(());
        }
        for letter in live.journal.dead_letters("a").into_iter().flatten() {
            let letter = letter.map_err(|error| error.to_string())?;
            owed.retain(|reason| *reason != letter.letter.reason);
        }
        if owed.is_empty() { Ok(()) } else { Err(format!("dead letters are lost: {owed:?}")) }
    }
}
