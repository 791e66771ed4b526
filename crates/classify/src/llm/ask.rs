//! What the flow and the LLM tier say to each other: questions one way, verdicts the other.
//!
//! Both directions are non-blocking and bounded. [`Asker::offer`] puts a question into a queue or
//! says why not; [`Verdicts::get`] is a look into memory. A verdict that arrives, or is forgotten,
//! moves [`Verdicts::generation`], so that whoever memoises labels knows when to look again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::redact::Redacted;
use crate::class::Class;
use crate::money::Micros;

/// Questions that wait at most; further ones are turned away and come again with a later record.
pub const QUESTIONS_MAX: usize = 1_000;
/// Templates that rest after an answer that said nothing; further ones may be asked about again.
const RESTING_MAX: usize = 10_000;
/// Verdicts in memory unless the settings say otherwise.
pub const VERDICTS_DEFAULT: usize = 1_000;
/// Bytes of a reason at most.
pub const REASON_BYTES_MAX: usize = 240;

/// The stable number of a template: the same over restarts, and on every node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TemplateId(pub u64);

/// What the cheaper tiers think of a template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// The class that records get meanwhile.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
}

/// One template to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Which.
    pub template: TemplateId,
    /// The template, or a record of it, redacted and bounded.
    pub text: Redacted,
    /// Whose money pays for it; empty for nobody in particular.
    pub tenant: Arc<str>,
    /// What the cheaper tiers say.
    pub local: Local,
}

/// What an LLM said of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which.
    pub template: TemplateId,
    /// The class.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Why, in the model's words: at most [`REASON_BYTES_MAX`] bytes, no control characters.
    pub reason: String,
    /// Component id of the provider.
    pub provider: String,
    /// The model that answered.
    pub model: String,
    /// Hash of the instructions and of the question as they were asked.
    pub prompt: u64,
    /// This template's share of what the request cost.
    pub cost: Micros,
}

impl Verdict {
    /// The class of a record that the cheaper tiers call `local`: an LLM may only raise.
    pub fn over(&self, local: Class) -> Class {
        self.class.max(local)
    }

    /// Whether it changes what the cheaper tiers said.
    pub fn raises(&self, local: Class) -> bool {
        self.class > local
    }
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It waits for the next micro-batch.
    Queued,
    /// The template is already waiting or being asked about.
    Pending,
    /// It was asked about lately and nobody could say; the tier rests before it asks again.
    Resting,
    /// The queue is full; offer it again with a later record.
    Full,
    /// Nobody asks: no provider, or on the way down.
    Closed,
}

/// The way into the LLM tier. Clones share it.
#[derive(Debug, Clone)]
pub struct Asker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    settled: Notify,
}

#[derive(Debug)]
struct Waiting {
    queue: VecDeque<Question>,
    /// Templates in the queue or being asked about.
    pending: HashSet<TemplateId>,
    /// Until when a template is not asked about again.
    resting: HashMap<TemplateId, Duration>,
    questions_max: usize,
    is_open: bool,
}

impl Asker {
    /// A queue for `questions_max` questions.
    pub fn new(questions_max: usize) -> Self {
        let waiting = Waiting {
            queue: VecDeque::new(),
            pending: HashSet::new(),
            resting: HashMap::new(),
            questions_max,
            is_open: true,
        };
        let (arrived, settled) = (Notify::new(), Notify::new());
        Self { inner: Arc::new(Inner { waiting: Mutex::new(waiting), arrived, settled }) }
    }

    /// One that takes no question.
    pub fn closed() -> Self {
        let asker = Self::new(0);
        asker.close();
        asker
    }

    /// Whether a question about `template` would be queued; spares the work of making one.
    pub fn wants(&self, template: TemplateId) -> bool {
        let waiting = self.inner.waiting.lock();
        waiting.is_open
            && waiting.queue.len() < waiting.questions_max
            && !waiting.pending.contains(&template)
            && !waiting.resting.contains_key(&template)
    }

    /// Whether a question about `template` waits or is being asked.
    pub fn is_pending(&self, template: TemplateId) -> bool {
        self.inner.waiting.lock().pending.contains(&template)
    }

    /// Queues a question; never waits.
    pub fn offer(&self, question: Question) -> Offered {
        let mut waiting = self.inner.waiting.lock();
        if !waiting.is_open {
            return Offered::Closed;
        }
        if waiting.pending.contains(&question.template) {
            return Offered::Pending;
        }
        if waiting.resting.contains_key(&question.template) {
            return Offered::Resting;
        }
        if waiting.queue.len() >= waiting.questions_max {
            return Offered::Full;
        }
        waiting.pending.insert(question.template);
        waiting.queue.push_back(question);
        drop(waiting);
        self.inner.arrived.notify_one();
        Offered::Queued
    }

    /// Questions that wait.
    pub fn len(&self) -> usize {
        self.inner.waiting.lock().queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes no further question; those that wait are dropped, and their records keep their label.
    pub fn close(&self) {
        let mut waiting = self.inner.waiting.lock();
        waiting.is_open = false;
        waiting.queue.clear();
        waiting.pending.clear();
        drop(waiting);
        self.inner.arrived.notify_one();
        self.inner.settled.notify_waiters();
    }

    /// At most `max` questions in their order; they stay pending until [`Asker::settle`].
    pub fn take(&self, max: usize) -> Vec<Question> {
        let mut waiting = self.inner.waiting.lock();
        let count = waiting.queue.len().min(max);
        waiting.queue.drain(..count).collect()
    }

    /// Ends the wait for these templates: there is a verdict, or questions may come again.
    pub fn settle(&self, templates: impl IntoIterator<Item = TemplateId>) {
        let mut waiting = self.inner.waiting.lock();
        for template in templates {
            waiting.pending.remove(&template);
        }
        drop(waiting);
        self.inner.settled.notify_waiters();
    }

    /// The same, and no question about them is taken before `until`, as `Clock::monotonic` gives.
    pub fn rest(&self, templates: impl IntoIterator<Item = TemplateId>, until: Duration) {
        let mut waiting = self.inner.waiting.lock();
        for template in templates {
            waiting.pending.remove(&template);
            if waiting.resting.len() < RESTING_MAX {
                waiting.resting.insert(template, until);
            }
        }
        drop(waiting);
        self.inner.settled.notify_waiters();
    }

    /// Allows questions about what has rested long enough.
    pub fn wake(&self, now: Duration) {
        self.inner.waiting.lock().resting.retain(|_, until| *until > now);
    }

    /// Completes when none of these templates is waiting or being asked about. Bound it by time.
    pub async fn answered(&self, templates: &[TemplateId]) {
        loop {
            let mut settled = std::pin::pin!(self.inner.settled.notified());
            // Registered before looking, so that a settlement in between is not missed.
            settled.as_mut().enable();
            let is_pending = |waiting: &Waiting| {
                templates.iter().any(|template| waiting.pending.contains(template))
            };
            if !is_pending(&self.inner.waiting.lock()) {
                return;
            }
            settled.await;
        }
    }

    /// Completes once a question was queued, or the asker closed, since the last call.
    pub async fn arrived(&self) {
        self.inner.arrived.notified().await;
    }
}

/// The verdicts in memory. The processor looks here for every template that it has not memoised.
#[derive(Debug)]
pub struct Verdicts {
    memory: Cache<TemplateId, Arc<Verdict>>,
    generation: AtomicU64,
    forgets: AtomicU64,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self::new(VERDICTS_DEFAULT)
    }
}

impl Verdicts {
    /// Room for `verdicts_max` verdicts; the least useful make way for new ones.
    pub fn new(verdicts_max: usize) -> Self {
        let (generation, forgets) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { memory: Cache::new(verdicts_max), generation, forgets }
    }

    /// What an LLM said of `template`, if it is still known.
    pub fn get(&self, template: TemplateId) -> Option<Arc<Verdict>> {
        self.memory.get(&template)
    }

    /// A number that changes whenever a verdict came or went on purpose.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A number that changes whenever a verdict was forgotten on purpose.
    pub fn forgets(&self) -> u64 {
        self.forgets.load(Ordering::Acquire)
    }

    /// Keeps a verdict.
    pub fn put(&self, verdict: Arc<Verdict>) {
        self.memory.insert(verdict.template, verdict);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Forgets what was said of `template`: an operator knows better.
    pub fn forget(&self, template: TemplateId) {
        self.memory.remove(&template);
        self.forgets.fetch_add(1, Ordering::Release);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Verdicts in memory.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Text without control characters, direction marks and runs of spaces, cut to `bytes_max`.
///
/// A reason is shown in terminals and pages; what a model was talked into writing must not steer
/// them.
pub fn plain(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for word in text.split(|letter: char| letter.is_whitespace() || is_steering(letter)) {
        if word.is_empty() {
            continue;
        }
        let room = bytes_max.saturating_sub(out.len() + usize::from(!out.is_empty()));
        let cut = word.floor_char_boundary(room);
        let Some(part) = word.get(..cut).filter(|part| !part.is_empty()) else { break };
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
        if cut < word.len() {
            break;
        }
    }
    out
}

fn is_steering(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::llm::lab;

    fn question(template: u64) -> Question {
        lab::question(template, "disk failed", Class::Warning)
    }

    fn verdict(class: Class) -> Verdict {
        lab::verdict(1, class)
    }

    #[test]
    fn a_verdict_never_lowers_a_class() {
        for local in Class::ALL {
            for said in Class::ALL {
                let over = verdict(said).over(local);
                assert!(over >= local);
                assert_eq!(verdict(said).raises(local), over > local);
            }
        }
    }

    #[test]
    fn a_template_is_queued_once_until_it_is_settled() {
        let asker = Asker::new(2);
        assert_eq!(asker.offer(question(1)), Offered::Queued);
        assert_eq!(asker.offer(question(1)), Offered::Pending);
        assert_eq!(asker.take(10).len(), 1);
        assert!(!asker.wants(TemplateId(1)));
        assert_eq!(asker.offer(question(1)), Offered::Pending);
        asker.settle([TemplateId(1)]);
        assert_eq!(asker.offer(question(1)), Offered::Queued);
    }

    #[test]
    fn a_template_that_rests_is_taken_again_after_its_time() {
        let asker = Asker::new(2);
        assert_eq!(asker.offer(question(1)), Offered::Queued);
        let taken = asker.take(1);
        asker.rest(taken.iter().map(|one| one.template), Duration::from_secs(10));
        assert!(!asker.wants(TemplateId(1)));
        assert_eq!(asker.offer(question(1)), Offered::Resting);
        asker.wake(Duration::from_secs(9));
        assert_eq!(asker.offer(question(1)), Offered::Resting);
        asker.wake(Duration::from_secs(10));
        assert_eq!(asker.offer(question(1)), Offered::Queued);
    }

    #[tokio::test]
    async fn a_wait_for_templates_ends_when_all_are_settled() {
        let asker = Asker::new(4);
        asker.answered(&[TemplateId(1)]).await;
        for template in [1, 2] {
            asker.offer(question(template));
        }
        let templates = [TemplateId(1), TemplateId(2)];
        let waits = asker.answered(&templates);
        let settles = async {
            asker.settle([TemplateId(1)]);
            tokio::task::yield_now().await;
            asker.rest([TemplateId(2)], Duration::from_secs(1));
        };
        tokio::join!(waits, settles);
    }

    #[test]
    fn a_full_queue_turns_questions_away_without_remembering_them() {
        let asker = Asker::new(1);
        assert_eq!(asker.offer(question(1)), Offered::Queued);
        assert_eq!(asker.offer(question(2)), Offered::Full);
        assert_eq!(asker.take(1).len(), 1);
        assert_eq!(asker.offer(question(2)), Offered::Queued);
        assert_eq!(Asker::closed().offer(question(1)), Offered::Closed);
    }

    #[test]
    fn a_verdict_that_comes_or_is_forgotten_moves_the_generation() {
        let verdicts = Verdicts::new(10);
        let start = verdicts.generation();
        verdicts.put(Arc::new(verdict(Class::Critical)));
        assert_eq!(verdicts.get(TemplateId(1)).unwrap().class, Class::Critical);
        let put = verdicts.generation();
        verdicts.forget(TemplateId(1));
        assert!(verdicts.get(TemplateId(1)).is_none());
        assert!(start < put && put < verdicts.generation());
    }

    #[test]
    fn verdicts_in_memory_stay_within_their_bound() {
        let verdicts = Verdicts::new(100);
        for template in 0..10_000 {
            let one = Verdict { template: TemplateId(template), ..verdict(Class::Info) };
            verdicts.put(Arc::new(one));
        }
        assert!(verdicts.len() <= 100);
    }

    proptest! {
        #[test]
        fn a_plain_text_is_bounded_and_steers_nothing(text in any::<String>(), max in 0..64_usize) {
            let plain = plain(&text, max);
            prop_assert!(plain.len() <= max);
            prop_assert!(!plain.chars().any(is_steering));
            prop_assert!(!plain.contains("  "));
            let text = plain.as_str();
            prop_assert_eq!(super::plain(text, max), text);
        }
    }
}
