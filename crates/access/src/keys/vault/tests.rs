//! Against a fake made from the published API; no Vault runs here.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bessemer_journal::{
    Append, Journal, Lane, MemDisk, OpenError, OpenReport, Options, Routes, SinkIndex, SinkSpec,
};

use self::fake::Vault;
use super::*;

mod fake;

fn source(vault: &Vault, token: VaultToken) -> Result<VaultTransit, KeyError> {
    let key = VaultKey::parse(&vault.url()).unwrap();
    VaultTransit::open(key, VaultAccess { token, namespace: None, ca_file: None })
}

fn text(token: &str) -> VaultToken {
    VaultToken::Text(Secret::new(token))
}

/// One life of a journal on `disk`: what it serves, and the report of its open. Appends `payload`.
fn life(
    disk: &MemDisk,
    keys: VaultTransit,
    payload: &'static str,
) -> Result<(Vec<Bytes>, OpenReport), OpenError> {
    let options =
        Options { keys: Some(Arc::new(keys)), preallocate: false, ..Options::new("/journal") };
    let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom::seeded(1)));
    let sinks = [SinkSpec::new("a")];
    let opened = Journal::open_stepped(Arc::new(disk.clone()), clock, random, options, &sinks);
    let (journal, mut engine, report) = opened?;
    let mut reader = journal.reader(SinkIndex(0), Lane::Normal);
    let served = std::iter::from_fn(|| reader.try_next()).map(|stored| stored.payload).collect();
    let append = Append {
        routes: Routes::to([SinkIndex(0)]),
        lane: Lane::Normal,
        items: 1,
        meta: Bytes::new(),
        payload: Bytes::from_static(payload.as_bytes()),
    };
    let mut appended = pin!(journal.append(vec![append]));
    let mut context = Context::from_waker(Waker::noop());
    assert!(appended.as_mut().poll(&mut context).is_pending());
    engine.write();
    assert!(matches!(appended.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    engine.finish();
    Ok((served, report))
}

/// Promise: a segment has a data key of its own; a key rotated in Vault is used from the next one on;
/// what older versions wrapped is read as long as Vault unwraps it, waits when it does not, and is
/// there when it does again. No key is on the disk.
#[test]
fn what_a_rotated_key_sealed_is_read_as_long_as_vault_unwraps_it() {
    let (vault, disk) = (Vault::start("t"), MemDisk::new());
    let open = || source(&vault, text("t")).unwrap();
    assert_eq!(open().current().unwrap().id, "bessemer:v1");
    life(&disk, open(), "one").unwrap();
    let given = vault.given();
    vault.rotate();
    assert_eq!(life(&disk, open(), "two").unwrap().0, ["one"]);
    assert!(vault.given() > given, "a data key of its own");
    assert_eq!(open().current().unwrap().id, "bessemer:v2");
    vault.forbid_versions_below(2);
    let (served, report) = life(&disk, open(), "three").unwrap();
    assert_eq!((served, report.parked.len()), (vec![Bytes::from("two")], 1));
    vault.forbid_versions_below(1);
    assert_eq!(life(&disk, open(), "four").unwrap().0, ["one", "two", "three"]);
    let stored: Vec<u8> = disk.files().iter().flat_map(|path| disk.read(path).unwrap()).collect();
    assert!(stored.windows(16).any(|window| window.starts_with(b"vault:v1:wrapped")));
    for number in 1..=u8::try_from(vault.given()).unwrap() {
        assert!(!stored.windows(32).any(|window| window == [number; 32]), "key {number}");
    }
}

/// Promise: while Vault is away the last data key goes on and says so; with none, and for what only
/// Vault can unwrap, the answer is that it cannot be asked, and why.
#[test]
fn while_vault_is_away_the_last_data_key_goes_on() {
    let vault = Vault::start("t");
    let keys = source(&vault, text("t")).unwrap();
    let first = keys.current().unwrap();
    vault.fail_with(Some(503));
    assert_eq!(keys.current().unwrap().wrapped, first.wrapped);
    let error = keys.find(&first.id, &first.wrapped).unwrap_err();
    assert!(matches!(&error, KeyError::Unavailable { .. }), "{error}");
    let error = source(&vault, text("t")).unwrap_err().to_string();
    assert!(error.contains("503") && error.contains("sealed"), "{error}");
    vault.fail_with(None);
    assert_ne!(keys.current().unwrap().wrapped, first.wrapped);
    assert!(keys.find(&first.id, &first.wrapped).is_ok());
}

/// Promise: what Vault forbids is not gone around by an older key, and the message says which paths
/// the token needs, without the token.
#[test]
fn a_refused_token_is_an_error_that_names_what_it_needs() {
    let vault = Vault::start("good");
    let keys = source(&vault, text("good")).unwrap();
    vault.expect_token("other");
    let error = keys.current().unwrap_err().to_string();
    for part in ["403", "permission denied", "transit/datakey/plaintext/bessemer"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("good") && !format!("{keys:?}").contains("\"good"), "{keys:?}");
    let elsewhere = VaultKey { name: "other".into(), ..VaultKey::parse(&vault.url()).unwrap() };
    let access = VaultAccess { token: text("other"), namespace: None, ca_file: None };
    let error = VaultTransit::open(elsewhere, access).unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_token_file_is_read_at_each_use() {
    let vault = Vault::start("first");
    let file = tempfile::NamedTempFile::new().unwrap();
    let token = || VaultToken::File(file.path().to_path_buf());
    let error = source(&vault, token()).unwrap_err().to_string();
    assert!(error.contains("it is empty"), "{error}");
    fs::write(file.path(), "first\n").unwrap();
    let keys = source(&vault, token()).unwrap();
    vault.expect_token("second");
    assert!(keys.current().is_err());
    fs::write(file.path(), "second").unwrap();
    assert!(keys.current().is_ok());
}

#[test]
fn a_data_key_of_somebody_else_is_unknown() {
    let vault = Vault::start("t");
    let keys = source(&vault, text("t")).unwrap();
    for wrapped in [&b""[..], b"vault:v1:foreign", b"\xff"] {
        let error = keys.find("bessemer:v1", wrapped).unwrap_err();
        assert_eq!(error, KeyError::Unknown("bessemer:v1".into()));
    }
}

#[test]
fn a_url_names_a_key_in_a_mount_or_is_refused() {
    let key = VaultKey::parse("https://vault.example:8200/team/transit/journal-1").unwrap();
    assert_eq!(key.address, "https://vault.example:8200");
    assert_eq!((&*key.mount, &*key.name), ("team/transit", "journal-1"));
    assert!(!key.is_plain_text());
    let long = format!("https://h/transit/{}", "n".repeat(49));
    for wrong in [
        "",
        "vault:8200/transit/key",
        "ftp://h/transit/key",
        "https:///transit/key",
        "https://h/key",
        "https://h/transit/",
        "https://h/transit/../key",
        "https://h/transit/a?b",
        &long,
    ] {
        let error = VaultKey::parse(wrong).unwrap_err().to_string();
        assert!(error.contains("https://vault:8200/transit/bessemer"), "{error}");
    }
}
