//! Threads and the real file system.

use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{
    AppendError, DeadLetter, Journal, Lane, MemDisk, OpenError, Options, RealDisk, SinkSpec, Stored,
};
use bessemer_runtime::{SystemClock, SystemRandom};

use crate::harness::{A, B, covered, entry, normal};

fn open(dir: &std::path::Path) -> Result<Journal, OpenError> {
    open_with(Options { segment_bytes: 1 << 20, ..Options::new(dir) })
}

fn open_with(options: Options) -> Result<Journal, OpenError> {
    let (journal, _) = Journal::open(
        Arc::new(RealDisk),
        Arc::new(SystemClock::default()),
        Arc::new(SystemRandom::default()),
        options,
        &[SinkSpec::new("a"), SinkSpec::new("b")],
    )?;
    Ok(journal)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

async fn read(journal: &Journal, count: usize) -> Vec<Stored> {
    let mut reader = journal.reader(A, Lane::Normal);
    let mut read = Vec::new();
    while read.len() < count {
        read.push(within(reader.next()).await.unwrap());
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_share_syncs_and_all_are_served_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    let appends = (0..200).map(|n| {
        let journal = journal.clone();
        async move { journal.append(vec![normal(n, 5_000)]).await }
    });
    let results = within(futures_util::future::join_all(appends)).await;
    assert!(results.iter().all(Result::is_ok));
    assert!(journal.stats().syncs < 100, "{}", journal.stats().syncs);
    within(journal.close()).await;
    let journal = open(dir.path()).unwrap();
    assert_eq!(read(&journal, 200).await.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_reader_gets_what_is_appended_and_ends_at_close() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    let mut reader = journal.reader(B, Lane::Urgent);
    let appending = journal.clone();
    let (stored, appended) = within(futures_util::future::join(
        reader.next(),
        appending.append(vec![entry(7, 100, &[B], Lane::Urgent)]),
    ))
    .await;
    assert_eq!(stored.unwrap().sequence, appended.unwrap().first);
    let closing = journal.clone();
    drop(appending);
    let (end, ()) = within(futures_util::future::join(reader.next(), closing.close())).await;
    assert!(end.is_none());
    assert!(matches!(journal.append(vec![normal(0, 1)]).await, Err(AppendError::Closed)));
}

/// Scenario: the disk is full, an append is refused, and nobody appends again; then there is room.
/// Promise: the journal finds that out by itself, so that whoever asks is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_well_again_is_noticed_although_nobody_appends() {
    let disk = MemDisk::new();
    let clock = Arc::new(SystemClock::default());
    let random = Arc::new(SystemRandom::default());
    let options = Options { preallocate: false, ..Options::new("/j") };
    let opened =
        Journal::open(Arc::new(disk.clone()), clock, random, options, &[SinkSpec::new("a")]);
    let (journal, _) = opened.unwrap();
    disk.set_capacity(Some(0));
    within(journal.append(vec![normal(0, 100)])).await.unwrap_err();
    assert!(journal.trouble().is_some());
    disk.set_capacity(None);
    within(async {
        while journal.trouble().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(journal.close()).await;
}

#[tokio::test]
async fn a_second_opener_is_refused_until_the_first_has_closed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    let error = open(dir.path()).err().unwrap();
    let own = std::process::id();
    assert!(matches!(&error, OpenError::Locked { owner: Some(pid), .. } if *pid == own), "{error}");
    assert!(error.to_string().contains(&format!("in use by process {own}")), "{error}");
    let reader = journal.reader(A, Lane::Normal);
    within(journal.close()).await;
    drop(open(dir.path()).unwrap());
    drop(reader);
}

/// Scenario: the lock file names a process that is gone, one that lives and is a stranger, nobody.
#[tokio::test]
async fn a_lock_file_that_nobody_holds_keeps_nobody_out_whoever_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("lock");
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    for named in [child.id().to_string(), "1\n".into(), std::process::id().to_string(), "x".into()]
    {
        std::fs::write(&lock, named).unwrap();
        let journal = open(dir.path()).unwrap();
        let owner = std::fs::read_to_string(&lock).unwrap();
        assert_eq!(owner.trim(), std::process::id().to_string());
        within(journal.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_segments_leave_the_directory_and_backlog_reads_come_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    for n in 0..60 {
        within(journal.append(vec![entry(n, 400_000, &[A], Lane::Normal)])).await.unwrap();
    }
    let main = dir.path().join("main");
    let count = || std::fs::read_dir(&main).unwrap().count();
    assert!(count() > 3);
    for stored in read(&journal, 60).await {
        journal.settle(A, Lane::Normal, covered(&stored));
    }
    within(async {
        while count() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(journal.stats().sinks[0].backlog_records, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_durable_when_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    let letter = DeadLetter {
        records: 3..4,
        lane: Lane::Normal,
        refused_at_unix_nanos: 1,
        reason: "bad".into(),
        status: "400".into(),
        config_hash: 0,
        meta: "m".into(),
        payload: "p".into(),
    };
    within(journal.dead_letter(A, vec![letter.clone()])).await.unwrap();
    within(journal.close()).await;
    let journal = open(dir.path()).unwrap();
    let kept: Vec<_> = journal.dead_letters("a").unwrap().map(|l| l.unwrap().letter).collect();
    assert_eq!(kept, [letter]);
}

#[tokio::test]
async fn a_directory_deleted_under_load_is_not_acknowledged_into() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).unwrap();
    within(journal.append(vec![normal(0, 10)])).await.unwrap();
    std::fs::remove_dir_all(dir.path()).unwrap();
    let refused = within(journal.append(vec![normal(1, 10)])).await;
    assert!(matches!(refused, Err(AppendError::Io(_))), "{refused:?}");
}

/// Scenario: whoever looks after segments looks by itself once an hour.
/// Promise: it is told when one may go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_goes_when_its_last_entry_is_settled_and_not_at_the_next_round() {
    let dir = tempfile::tempdir().unwrap();
    let cursor_sync_interval = Duration::from_hours(1);
    let options =
        Options { segment_bytes: 1 << 20, cursor_sync_interval, ..Options::new(dir.path()) };
    let journal = open_with(options).unwrap();
    for n in 0..20 {
        within(journal.append(vec![entry(n, 400_000, &[A], Lane::Normal)])).await.unwrap();
    }
    let main = dir.path().join("main");
    let count = || std::fs::read_dir(&main).unwrap().count();
    assert!(count() > 3);
    let all = read(&journal, 20).await;
    // In one settlement, so that nothing that comes later can tell of it.
    journal.settle(A, Lane::Normal, all[0].sequence..covered(&all[19]).end);
    within(async {
        while count() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[test]
fn a_real_disk_tells_how_much_is_free() {
    use bessemer_journal::Disk as _;
    let dir = tempfile::tempdir().unwrap();
    assert!(RealDisk.free_bytes(dir.path()).unwrap() > 4096);
}
