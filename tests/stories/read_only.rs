//! A file system that becomes read-only under load. The kernel refuses to remount one while files are
//! open for writing; it does so itself when ext4 finds an error, and that is what is played here: on a
//! loop device, which needs root, and with calls that fail as they would then, which does not. Where
//! there is no loop device, as in many containers, only the second is played, and that is said.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::disk::{Client, config, is_there};
use crate::process::{Bessemer, free_address, get, wait_until};
use crate::sink::{Mode, Sink};

const SIZE: &str = "64M";
const RECORDS: u64 = 20;
/// Requests until which the fault must have shown.
const REQUESTS_MAX: usize = 2_000;

/// Sends until a request is answered with `status`.
fn send_until(client: &mut Client, status: u16) {
    for _ in 0..REQUESTS_MAX {
        let answer = client.send(RECORDS);
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        if answer.status == status {
            return;
        }
    }
    panic!("no answer {status} in {REQUESTS_MAX} requests");
}

/// Says that it is not ready, and why.
fn assert_failing(bessemer: &Bessemer) {
    let (status, page) = get(bessemer.admin, "/readyz").unwrap();
    assert_eq!(status, 503, "{page}");
    assert!(page.contains("journal failing") && page.contains("Read-only"), "{page}");
    let (status, page) = get(bessemer.admin, "/livez").unwrap();
    assert_eq!(status, 200, "alive: {page}");
}

/// Scenario: from some write on, every write fails as on a file system that is read-only, 300 times;
/// then they work.
/// Promise: nothing is acknowledged meanwhile, and `/readyz` says why; records are taken again
/// without a restart; what was acknowledged arrives after a kill.
#[test]
fn writes_that_fail_as_read_only_acknowledge_nothing_and_heal_by_themselves() {
    if !is_there("strace", &["-V"]) {
        return;
    }
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let fault = "inject=pwritev:error=EROFS:when=200..500";
    let strace =
        ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "strace", "-e", "trace=pwritev"];
    let wrapper = [&strace[..], &["-e", fault]].concat();
    let mut bessemer = Bessemer::new(config(http, &sink)).inside(&wrapper);
    bessemer.start();
    let mut client = Client::new(http);
    send_until(&mut client, 503);
    assert_failing(&bessemer);
    send_until(&mut client, 200);
    wait_until(Duration::from_secs(10), "ready", || {
        get(bessemer.admin, "/readyz").is_ok_and(|(status, _)| status == 200)
    });
    bessemer.kill();
    let mut bessemer = bessemer.inside(&[]);
    sink.set(Mode::Take);
    bessemer.start();
    wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
    assert_eq!(sink.corrupt(), 0);
    assert_eq!(bessemer.stop(), 0);
}

/// A file system in a file, mounted where only the process sees it.
struct Loop {
    image: String,
    mount: String,
}

impl Loop {
    fn new(bessemer: &Bessemer) -> Self {
        let image = bessemer.folder().join("image").display().to_string();
        let storage = bessemer.storage().display().to_string();
        std::fs::create_dir_all(&storage).unwrap();
        let mount = format!("mount -o loop,errors=remount-ro {image} {storage}");
        Self { image, mount }
    }

    /// Makes the file system and tries whether it can be mounted here.
    fn make(&self) -> bool {
        let Self { image, mount } = self;
        let make = format!("truncate -s {SIZE} {image} && mkfs.ext4 -q -F {image} && {mount}");
        let made = Command::new("unshare").args(["-m", "sh", "-c", &make]).output();
        let works = made.is_ok_and(|made| made.status.success());
        if !works {
            crate::not_played("no loop device can be mounted here");
        }
        works
    }

    fn wrapper(&self) -> Vec<String> {
        let words = ["unshare", "-m", "sh", "-c"].map(str::to_owned);
        [&words[..], &[format!("{} && exec \"$0\" \"$@\"", self.mount)]].concat()
    }

    /// As an operator would, once nobody uses it.
    fn repair(&self) {
        wait_until(Duration::from_secs(20), "repaired", || {
            let ran = Command::new("e2fsck").args(["-f", "-y", &self.image]).output().unwrap();
            ran.status.code().is_some_and(|code| code <= 1)
        });
    }
}

/// Lets the kernel find an error below a process, after which it takes no more writes.
fn break_under(bessemer: &Bessemer) {
    let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", bessemer.pid())).unwrap();
    let storage = bessemer.storage().display().to_string();
    let line = mounts.lines().find(|line| line.contains(&storage)).unwrap();
    let device = Path::new(line.split(' ').next().unwrap()).file_name().unwrap();
    let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
    std::fs::write(trigger, "1").unwrap();
}

/// Scenario: ext4 finds an error while records come and the destination is down, and goes
/// read-only; the process is killed, the file system repaired, the process started again.
/// Promise: nothing is acknowledged from then on, `/readyz` says why, what is queued is delivered
/// nevertheless, and every acknowledged record arrives.
#[test]
fn a_file_system_that_goes_read_only_loses_nothing_that_was_acknowledged() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let bessemer = Bessemer::new(config(http, &sink));
    let disk = Loop::new(&bessemer);
    if !disk.make() {
        return;
    }
    let wrapper = disk.wrapper();
    let words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let mut bessemer = bessemer.inside(&words);
    bessemer.start();
    let mut client = Client::new(http);
    for _ in 0..50 {
        assert_eq!(client.send(RECORDS).status, 200);
    }
    break_under(&bessemer);
    send_until(&mut client, 503);
    let acked = client.acked.len();
    for _ in 0..20 {
        assert_eq!(client.send(RECORDS).status, 503);
    }
    assert_failing(&bessemer);
    assert_eq!(client.acked.len(), acked);
    sink.set(Mode::Take);
    wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
    bessemer.kill();
    disk.repair();
    bessemer.start();
    client.reconnect();
    send_until(&mut client, 200);
    wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
    assert_eq!(sink.corrupt(), 0);
    assert!(sink.seen().into_keys().all(|id| id < client.next), "records that were never sent");
    assert_eq!(bessemer.stop(), 0);
}
