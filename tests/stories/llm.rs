//! What LLMs may cost is a promise to whoever pays: the budget holds over everything.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::fake_llm::{FakeLlm, Mood};
use crate::load::Http;
use crate::process::{Bessemer, free_address, get, wait_until};

const WITHIN: Duration = Duration::from_mins(1);

/// Millionths.
const BUDGET: u64 = 400_000;

fn first(number: u64) -> Mood {
    match number % 6 {
        0 => Mood::Status(500),
        1 => Mood::Cut,
        2 => Mood::Unreported,
        3 => Mood::Garbage,
        _ => Mood::Well,
    }
}

fn second(number: u64) -> Mood {
    if number.is_multiple_of(4) { Mood::Status(503) } else { Mood::Well }
}

fn config(router: SocketAddr, providers: &[FakeLlm; 2]) -> String {
    let [first, second] = providers.each_ref().map(|provider| provider.address);
    format!(
        r#"
bessemer.llm.openai "first" {{
  endpoint = "http://{first}/v1"
  api_key  = "test"
  model    = "m"
  priority = 1
  price {{
    input  = 1
    output = 4
  }}
}}
bessemer.llm.openai "second" {{
  endpoint = "http://{second}/v1"
  api_key  = "test"
  model    = "m"
  price {{
    input  = 1
    output = 4
  }}
}}
bessemer.llm.router "main" {{
  http {{ endpoint = "{router}" }}
  providers    = [bessemer.llm.openai.first, bessemer.llm.openai.second]
  daily_budget = "0.4"
  max_tokens   = 50
}}
{PIPELINE}"#
    )
}

/// Scenario: 64 callers ask without end, providers fail, cut and keep silent about what they used,
/// so that every request falls back; the process is killed twice and comes back.
/// Promise: what the providers billed together never passes the budget.
#[test]
fn no_kill_and_no_failure_makes_providers_bill_more_than_the_budget() {
    let _alone = crate::alone();
    let providers = [FakeLlm::start(first), FakeLlm::start(second)];
    let billed = || providers.iter().map(FakeLlm::billed).sum::<u64>();
    let requests = || providers.iter().map(FakeLlm::requests).sum::<u64>();
    let router = free_address();
    let mut bessemer = Bessemer::new(config(router, &providers));
    for life in 0..3 {
        bessemer.start();
        let (before, is_over) = (requests(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| ask_on(router, &is_over));
            }
            if life < 2 {
                wait_until(WITHIN, "asked", || requests() >= before + 100);
                bessemer.kill();
            } else {
                wait_until(WITHIN, "spent", || matches!(ask(router), Ok((429, _))));
            }
            is_over.store(true, SeqCst);
        });
        assert!(billed() <= BUDGET, "{} in life {life}", billed());
    }
    assert!(billed() > BUDGET / 20, "{} is no trial", billed());
    assert!(providers.iter().all(|provider| provider.requests() > 20));
}

/// Scenario: an LLM that fails at first is asked about records that a default label has.
/// Promise: records are acknowledged and labelled at once; later ones are raised by the verdict,
/// what the rules call critical stays it whatever the LLM says, and a restart asks nothing again.
#[test]
fn records_flow_on_local_labels_and_later_ones_are_raised() {
    let _alone = crate::alone();
    let provider = FakeLlm::start(|number| match number {
        0 => Mood::Status(500),
        _ => Mood::Well,
    });
    let http = free_address();
    let mut bessemer = Bessemer::new(classifying(http, &provider));
    bessemer.start();
    let began = Instant::now();
    send(http, "fire in room 7");
    send(http, "attack repelled in room 7");
    assert!(began.elapsed() < Duration::from_secs(5), "nothing waited for the LLM");
    let classes = |bessemer: &Bessemer, text: &str| {
        let path = format!("/api/v1/events?limit=100&text={text}");
        let (_, page) = get(bessemer.admin, &path).unwrap();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let events = page["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["classification"].as_str().unwrap().to_owned()).collect()
    };
    wait_until(WITHIN, "stored", || {
        let stored: Vec<String> = classes(&bessemer, "fire");
        stored == ["info"]
    });
    wait_until(WITHIN, "raised", || {
        send(http, "fire in room 8");
        let stored: Vec<String> = classes(&bessemer, "fire");
        stored.contains(&"critical".to_owned())
    });
    let stored: Vec<String> = classes(&bessemer, "attack");
    assert_eq!(stored, ["critical"]);
    let (_, standing) = get(bessemer.admin, "/api/v1/llm").unwrap();
    let standing: serde_json::Value = serde_json::from_str(&standing).unwrap();
    let standing = &standing["bessemer.processor.classify.all"];
    assert_eq!(standing["providers"][0]["up"], true, "{standing}");
    assert_eq!(standing["spent_today"], "0", "a server of one's own is free");
    let told = |bessemer: &Bessemer| {
        let (_, page) = get(bessemer.admin, "/api/v1/events?limit=100&text=escalated").unwrap();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["events"].as_array().unwrap().clone()
    };
    wait_until(WITHIN, "told", || !told(&bessemer).is_empty());
    let escalated = told(&bessemer)[0].clone();
    assert_eq!(escalated["classification"], "critical");
    let attributes = escalated["attributes"].to_string();
    for part in ["bessemer.template.escalated", "fire in room", "escalation.count"] {
        assert!(attributes.contains(part), "{attributes}");
    }
    let asked = provider.requests();
    let why = why_of(&bessemer, "fire in room 8");
    assert_eq!((&why["tier"], &why["reason"]), (&"llm".into(), &"as I see it".into()), "{why}");
    assert_eq!(why["llm"]["provider"], "bessemer.llm.local.judge");
    assert_eq!(why["llm"]["prompt"].as_str().unwrap().len(), 16);
    assert_eq!((&why["llm"]["model"], &why["llm"]["cost"]), (&"m".into(), &"0".into()));
    assert_eq!(bessemer.stop(), 0);
    bessemer.start();
    let kept = why_of(&bessemer, "fire in room 8");
    assert_eq!(kept, why, "what was said is kept, whether a record came or not");
    wait_until(WITHIN, "raised after a restart", || {
        send(http, "fire in room 9");
        let stored: Vec<String> = classes(&bessemer, "9");
        stored.contains(&"critical".to_owned())
    });
    assert_eq!(provider.requests(), asked, "the verdict was kept");
    assert_eq!(told(&bessemer).len(), 1, "told once, over the restart too");
}

/// Scenario: records wait for an LLM that does not answer, the process is killed, and the next one meets
/// an LLM that does.
/// Promise: what was acknowledged and waited is stored with the class of the verdict; what no LLM is
/// asked about did not wait.
#[test]
fn a_record_that_waits_for_an_llm_survives_a_kill_and_gets_its_verdict() {
    let _alone = crate::alone();
    let provider = FakeLlm::start(|number| if number == 0 { Mood::Hang } else { Mood::Well });
    let http = free_address();
    let config = classifying(http, &provider).replace("linger ", "wait = \"10m\"\n    linger ");
    let config = config.replace("model    = \"m\"", "model    = \"m\"\n  timeout  = \"2m\"");
    let mut bessemer = Bessemer::new(config);
    bessemer.start();
    // What tells of a raised template has the words of its records too, but not in its body.
    let stored = |bessemer: &Bessemer, text: &str| {
        let path = format!("/api/v1/events?limit=100&text={text}");
        let (_, page) = get(bessemer.admin, &path).unwrap();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let events = page["events"].as_array().unwrap().clone();
        let own = |one: &&serde_json::Value| one["body"].as_str().unwrap().starts_with(text);
        let class = |one: &serde_json::Value| one["classification"].as_str().unwrap().to_owned();
        events.iter().filter(own).map(class).collect()
    };
    send(http, "fire in hall 7");
    send(http, "attack repelled in hall 7");
    wait_until(WITHIN, "stored", || {
        let classes: Vec<String> = stored(&bessemer, "attack");
        classes == ["critical"]
    });
    wait_until(WITHIN, "asked", || provider.requests() == 1);
    let waits: Vec<String> = stored(&bessemer, "fire");
    assert!(waits.is_empty(), "{waits:?}");
    bessemer.kill();
    bessemer.start();
    wait_until(WITHIN, "stored with its verdict", || {
        let classes: Vec<String> = stored(&bessemer, "fire");
        classes == ["critical"]
    });
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: an operator corrects a class, the process is killed, and `train` reads the export.
/// Promise: the next record has the class, before and after; undone, it has its own again.
#[test]
fn a_correction_of_an_operator_holds_over_a_kill_and_trains_a_model() {
    let _alone = crate::alone();
    let http = free_address();
    let mut bessemer = Bessemer::new(templating(http));
    bessemer.start();
    let feedback = |admin, method: &str, path: &str, body: &str| {
        let answer = exchange(admin, method, &format!("/api/v1/feedback{path}"), body).unwrap();
        assert_eq!(answer.0, 200, "{}", answer.1);
        let (_, text) = answer.1.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    };
    let label = |bessemer: &Bessemer, body: &str| {
        send(http, body);
        let mut found = String::new();
        wait_until(WITHIN, "stored", || {
            let path = format!("/api/v1/events?limit=1&text={}", body.rsplit(' ').next().unwrap());
            let (_, page) = get(bessemer.admin, &path).unwrap();
            let page: serde_json::Value = serde_json::from_str(&page).unwrap();
            found = page["events"][0]["classification"].as_str().unwrap_or_default().to_owned();
            !found.is_empty()
        });
        found
    };
    assert_eq!(label(&bessemer, "lift 4 stands on floor 101"), "info");
    let body =
        r#"{"message":"lift 4 stands on floor 9","class":"critical","note":"people inside"}"#;
    let corrected = feedback(bessemer.admin, "POST", "", body);
    let other = r#"{"message":"heartbeat of lift 4 received","class":"info"}"#;
    feedback(bessemer.admin, "POST", "", other);
    assert_eq!(label(&bessemer, "lift 5 stands on floor 102"), "critical");
    bessemer.kill();
    bessemer.start();
    assert_eq!(label(&bessemer, "lift 6 stands on floor 103"), "critical");
    let (_, lines) = get(bessemer.admin, "/api/v1/feedback?format=jsonl").unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let folder = tempfile::tempdir().unwrap();
    let (examples, model) = (folder.path().join("examples.jsonl"), folder.path().join("own.model"));
    std::fs::write(&examples, lines).unwrap();
    let trained = std::process::Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .args(["train", "--text", "message", "--label", "class", "--output"])
        .args([&model, &examples])
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let path = format!("/{}", corrected["template"].as_str().unwrap());
    feedback(bessemer.admin, "DELETE", &path, "");
    assert_eq!(label(&bessemer, "lift 7 stands on floor 104"), "info");
    assert!(bessemer.log().contains("an operator took a correction back"));
}

fn templating(http: SocketAddr) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [bessemer.processor.classify.all.input] }}
}}
bessemer.processor.classify "all" {{
  templates {{
    enabled = true
  }}
  output {{ logs = [bessemer.exporter.store.local.input] }}
}}
bessemer.exporter.store "local" {{}}
"#
    )
}

/// Why a message has its label, by the process and by the command.
fn why_of(bessemer: &Bessemer, message: &str) -> serde_json::Value {
    let path = format!("/api/v1/explain?severity=9&message={}", message.replace(' ', "%20"));
    let (_, why) = get(bessemer.admin, &path).unwrap();
    let why: serde_json::Value = serde_json::from_str(&why).unwrap();
    let admin = bessemer.admin.to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .args(["explain", message, "--severity", "9", "--server", &admin, "--json"])
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said, why);
    why["bessemer.processor.classify.all"].clone()
}

fn classifying(http: SocketAddr, provider: &FakeLlm) -> String {
    let provider = provider.address;
    format!(
        r#"
bessemer.llm.local "judge" {{
  endpoint = "http://{provider}/v1"
  model    = "m"
}}
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [bessemer.processor.classify.all.input] }}
}}
bessemer.processor.classify "all" {{
  llm {{
    providers = [bessemer.llm.local.judge]
    linger    = "50ms"
  }}
  output {{ logs = [bessemer.exporter.store.local.input] }}
}}
bessemer.exporter.store "local" {{}}
"#
    )
}

fn send(http: SocketAddr, body: &str) {
    let record = serde_json::json!({ "severityNumber": 9, "body": { "stringValue": body } });
    let request = serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{
        "logRecords": [record]
    }]}]});
    let kind = "content-type: application/json\r\n";
    let sent = Http::connect(http).unwrap().post("/v1/logs", kind, request.to_string().as_bytes());
    assert_eq!(sent.unwrap().status, 200);
}

/// A graph needs something that records pass.
const PIPELINE: &str = r#"
otelcol.receiver.otlp "in" {
  http { endpoint = "127.0.0.1:0" }
  output { logs = [bessemer.exporter.nop.none.input] }
}
bessemer.exporter.nop "none" {}
"#;

/// Asks until it is over or the budget is spent.
fn ask_on(router: SocketAddr, is_over: &AtomicBool) {
    while !is_over.load(SeqCst) {
        if matches!(ask(router), Ok((429, _))) {
            return;
        }
    }
}

fn ask(router: SocketAddr) -> std::io::Result<(u16, String)> {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"ping"}]}"#;
    exchange(router, "POST", "/v1/chat/completions", body)
}

/// One request with JSON on a connection of its own; the status, and the whole answer.
fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map(|status| (status, answer)).ok_or(std::io::ErrorKind::UnexpectedEof.into())
}
