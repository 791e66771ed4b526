//! A replay at work: reads a page, appends it, and only then lets go of what it read.
//!
//! One page is in flight at a time, so live traffic meets at most that. After a crash at any
//! point the page may be replayed again; nothing of it is lost.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{
    Append, AppendError, DeadLetter, DeadLetterError, DeadLetters, History, Journal, Lane, Past,
    Routes, SinkIndex, StoredLetter,
};
use bessemer_record::Checked;
use bytes::Bytes;

use super::job::{Phase, Replay, Source};
use super::selection::{Filter, marked_meta};
use super::{Inner, letters};
use crate::meta::Meta;

/// Entries of a page at most.
const PAGE_ENTRIES_MAX: usize = 256;
/// Bytes of a page from which it ends.
const PAGE_BYTES: usize = 1 << 20;
/// Entries that are looked at for one page, so that progress shows and a stop is heard.
const LOOKS_MAX: usize = 4096;
/// Runs of letters that may go from between others: half of what is remembered over a restart.
const GAPS_MAX: usize = 32;
/// How long to wait after a disk or journal that fails.
const AGAIN: Duration = Duration::from_secs(1);

/// What is read from.
enum Reader {
    Letters(DeadLetters),
    Journal(History),
}

/// What is replayed in one go.
#[derive(Default)]
struct Page {
    appends: Vec<Append>,
    /// What of letters was not meant and is kept.
    left: Vec<DeadLetter>,
    /// The numbers of letters that are done with.
    done: Vec<Range<u64>>,
    records: u64,
    bytes: usize,
    /// Everything before this was looked at.
    position: u64,
    at_end: bool,
}

/// Why a replay does not go on.
enum Stop {
    Cancelled,
    Because(String),
}

pub(super) struct Work {
    pub(super) inner: Arc<Inner>,
    pub(super) replay: Replay,
    pub(super) filter: Filter,
    /// The sink that the records are of, when it is configured; what is left of a letter stays
    /// there.
    pub(super) owner: Option<SinkIndex>,
    pub(super) to: SinkIndex,
}

impl Work {
    /// Replays until the end of what was there at the start.
    pub(super) async fn run(mut self) {
        let stop = self.all_pages().await;
        (self.replay.phase, self.replay.note) = match stop {
            Ok(()) => (Phase::Done, String::new()),
            Err(Stop::Cancelled) => (Phase::Stopped, "shutting down".to_owned()),
            Err(Stop::Because(reason)) => (Phase::Stopped, reason),
        };
        let Replay { id, records, phase, note, .. } = &self.replay;
        tracing::info!(replay = %id, records, ?phase, note, "replay ended");
        self.publish();
    }

    async fn all_pages(&mut self) -> Result<(), Stop> {
        let mut reader = self.reader()?;
        loop {
            let page;
            (reader, page) = self.page(reader).await?;
            let (records, at_end) = (page.records, page.at_end);
            self.replay_page(page).await?;
            self.publish();
            if at_end {
                return Ok(());
            }
            self.pace(records).await?;
        }
    }

    fn destination(&self) -> &str {
        self.replay.order.selection.destination.as_deref().unwrap_or_default()
    }

    fn reader(&self) -> Result<Reader, Stop> {
        let (journal, from) = (&self.inner.hub.journal, self.replay.position);
        let reader = match self.replay.order.source {
            Source::DeadLetters => journal
                .dead_letters(self.destination())
                .map(|letters| Reader::Letters(letters.starting_at(from))),
            Source::Journal => {
                journal.history(self.destination(), from..self.replay.end).map(Reader::Journal)
            }
        };
        reader.ok_or_else(|| Stop::Because(format!("{} has no log", self.destination())))
    }

    async fn page(&mut self, mut reader: Reader) -> Result<(Reader, Page), Stop> {
        loop {
            let (filter, replay) = (self.filter.clone(), self.replay.clone());
            let to = self.to;
            let is_same = self.owner == Some(to);
            let gaps = Gaps::of(&self.inner.hub.journal, self.destination());
            let read = move || {
                let mut reading = Reading { filter: &filter, replay: &replay, to, is_same, gaps };
                let page = reading.page(&mut reader);
                (reader, page)
            };
            let read = self.inner.hub.journal.beside(read).await;
            let (back, page) = read.map_err(|error| Stop::Because(error.to_string()))?;
            reader = back;
            match page {
                Ok(page) => return Ok((reader, page)),
                Err(error) => self.wait(AGAIN, &error.to_string()).await?,
            }
        }
    }

    async fn replay_page(&mut self, page: Page) -> Result<(), Stop> {
        if !self.replay.order.dry_run {
            if self.owner.is_none() && !page.left.is_empty() {
                let error = super::not_configured(self.destination());
                return Err(Stop::Because(error.to_string()));
            }
            self.append(&page.appends).await?;
            // Only now that the copies are acknowledged may the letters go.
            self.keep(page.left).await?;
            self.forget(page.done).await?;
        }
        self.replay.records += page.records;
        self.replay.position = page.position;
        self.replay.note.clear();
        let saved = self.replay.save(&*self.inner.state);
        saved.map_err(|error| Stop::Because(error.to_string()))
    }

    async fn append(&mut self, appends: &[Append]) -> Result<(), Stop> {
        while !appends.is_empty() {
            let Err(error) = self.inner.hub.journal.append(appends.to_vec()).await else {
                return Ok(());
            };
            match &error {
                AppendError::Full { retry_after, .. } => {
                    self.wait(*retry_after, &error.to_string()).await?;
                }
                AppendError::Io(_) => self.wait(AGAIN, &error.to_string()).await?,
                AppendError::Closed => return Err(Stop::Cancelled),
                AppendError::TooLarge { .. } | AppendError::NoItems => {
                    return Err(Stop::Because(error.to_string()));
                }
            }
        }
        Ok(())
    }

    async fn keep(&mut self, left: Vec<DeadLetter>) -> Result<(), Stop> {
        let Some(owner) = self.owner.filter(|_| !left.is_empty()) else { return Ok(()) };
        while let Err(error) = self.inner.hub.journal.dead_letter(owner, left.clone()).await {
            self.wait_for_letters(error).await?;
        }
        Ok(())
    }

    async fn forget(&mut self, done: Vec<Range<u64>>) -> Result<(), Stop> {
        if done.is_empty() {
            return Ok(());
        }
        let destination = self.destination().to_owned();
        let journal = self.inner.hub.journal.clone();
        while let Err(error) = journal.drop_dead_letters(&destination, done.clone()).await {
            self.wait_for_letters(error).await?;
        }
        Ok(())
    }

    async fn wait_for_letters(&mut self, error: DeadLetterError) -> Result<(), Stop> {
        match error {
            DeadLetterError::Full { .. } | DeadLetterError::Io(_) => {
                self.wait(AGAIN, &error.to_string()).await
            }
            DeadLetterError::Closed => Err(Stop::Cancelled),
            DeadLetterError::TooLarge { .. } | DeadLetterError::UnknownSink => {
                Err(Stop::Because(error.to_string()))
            }
        }
    }

    async fn pace(&mut self, records: u64) -> Result<(), Stop> {
        let Some(rate) = self.replay.order.rate.filter(|rate| *rate > 0) else {
            return if self.inner.tasks.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) };
        };
        let nanos = u128::from(records) * 1_000_000_000 / u128::from(rate);
        self.sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))).await
    }

    async fn wait(&mut self, time: Duration, reason: &str) -> Result<(), Stop> {
        reason.clone_into(&mut self.replay.note);
        self.publish();
        self.sleep(time).await
    }

    async fn sleep(&self, time: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.inner.tasks.cancelled() => Err(Stop::Cancelled),
            () = self.inner.hub.clock.sleep(time) => Ok(()),
        }
    }

    fn publish(&self) {
        if self.replay.phase != Phase::Running
            && let Err(error) = self.replay.save(&*self.inner.state)
        {
            tracing::error!(replay = %self.replay.id, %error, "how a replay ended was not kept");
        }
        self.inner.note(self.replay.clone());
    }
}

/// What of the records that are read is meant, and where it goes.
struct Reading<'a> {
    filter: &'a Filter,
    replay: &'a Replay,
    to: SinkIndex,
    /// Whether the records go where they were going.
    is_same: bool,
    gaps: Gaps,
}

impl Reading<'_> {
    fn page(&mut self, reader: &mut Reader) -> io::Result<Page> {
        let mut page = Page { position: self.replay.position, ..Page::default() };
        let records_max = self.replay.order.rate.map_or(u64::MAX, u64::from);
        for _ in 0..LOOKS_MAX {
            if page.appends.len() + page.left.len() >= PAGE_ENTRIES_MAX
                || page.bytes >= PAGE_BYTES
                || page.records >= records_max
            {
                return Ok(page);
            }
            let more = match reader {
                Reader::Letters(letters) => self.letter(letters.next().transpose(), &mut page),
                Reader::Journal(past) => self.past(past.next().transpose(), &mut page),
            };
            match more {
                Ok(true) => {}
                Ok(false) => {
                    page.at_end = true;
                    page.position = self.replay.end;
                    return Ok(page);
                }
                // What was read before the error is not read again.
                Err(error) if page.position == self.replay.position => return Err(error),
                Err(_) => return Ok(page),
            }
        }
        Ok(page)
    }

    fn letter(
        &mut self,
        next: io::Result<Option<StoredLetter>>,
        page: &mut Page,
    ) -> io::Result<bool> {
        let Some(stored) = next? else { return Ok(false) };
        if stored.numbers.start >= self.replay.end {
            return Ok(false);
        }
        page.position = stored.numbers.end;
        let is_meant = self.filter.takes_letter(stored.numbers.start, &stored.letter);
        let batch = letters::batch(&stored).filter(|_| is_meant);
        let taken = batch.map(|(batch, meta)| self.take(&batch, meta, stored.letter.lane, page));
        match taken {
            Some((left, true)) => {
                self.gaps.note(&stored.numbers);
                page.left.extend(left.map(|left| remainder(&stored.letter, left)));
                page.done.push(stored.numbers);
            }
            Some((_, false)) | None if self.gaps.are_many() => {
                page.bytes += stored.letter.payload.len();
                page.left.push(stored.letter);
                page.done.push(stored.numbers);
            }
            Some((_, false)) | None => {}
        }
        Ok(true)
    }

    fn past(&self, next: io::Result<Option<Past>>, page: &mut Page) -> io::Result<bool> {
        let Some(past) = next? else { return Ok(false) };
        let Past { entry, is_settled } = past;
        page.position = entry.sequence + u64::from(entry.items);
        // What is still queued for a destination reaches it anyway.
        if self.is_same && !is_settled {
            return Ok(true);
        }
        let Some((signal, meta)) = Meta::decode(&entry.meta) else { return Ok(true) };
        if self.filter.takes_time(meta.received_at) {
            let batch = Checked::trusted(signal, entry.payload, entry.items);
            self.take(&batch, meta, entry.lane, page);
        }
        Ok(true)
    }

    /// Adds what is meant of a batch to the page; what is not, and whether anything was.
    fn take(
        &self,
        batch: &Checked,
        meta: Meta,
        lane: Lane,
        page: &mut Page,
    ) -> (Option<(Bytes, u32)>, bool) {
        let divided = self.filter.divide(batch, Some(&self.replay.id));
        let Some((payload, items)) = divided.picked else { return (divided.left, false) };
        page.records += u64::from(items);
        page.bytes += payload.len();
        let routes = Routes::to([self.to]);
        let meta = marked_meta(batch.signal(), meta, &self.replay.id);
        page.appends.push(Append { routes, lane, items, meta, payload });
        (divided.left, true)
    }
}

/// The runs of letters that go from between others. A log remembers only so many of them over a
/// restart: from [`GAPS_MAX`] on, letters that are kept move to its end, and no run is added.
pub(super) struct Gaps {
    runs: usize,
    last_end: Option<u64>,
}

impl Gaps {
    pub(super) fn of(journal: &Journal, id: &str) -> Self {
        Self { runs: journal.dead_letters_gaps(id), last_end: None }
    }

    pub(super) fn note(&mut self, numbers: &Range<u64>) {
        if self.last_end != Some(numbers.start) {
            self.runs += 1;
        }
        self.last_end = Some(numbers.end);
    }

    pub(super) fn are_many(&self) -> bool {
        self.runs >= GAPS_MAX
    }
}

/// What stays of a letter.
pub(super) fn remainder(letter: &DeadLetter, left: (Bytes, u32)) -> DeadLetter {
    let (payload, records) = left;
    // Which of the numbers are left is in the records themselves; the log needs how many.
    let end = letter.records.start + u64::from(records);
    DeadLetter { records: letter.records.start..end, payload, ..letter.clone() }
}
