//! A generated hour through all rules: what they save, and what they must not touch.

use super::*;

/// Records of one second; the hour has 3,600 such batches.
const RECORDS: u64 = 40;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn record(dice: &mut Dice, second: u64) -> Json {
    let (class, body) = match dice.below(100) {
        0..2 => ("critical", format!("payment {} lost", dice.below(10_000))),
        2..12 => ("warning", format!("retry {} of queue", dice.below(5))),
        12..60 => ("info", format!("health check {} ok", dice.below(4))),
        _ => ("info", format!("request {} took {} ms", dice.below(100_000), dice.below(900))),
    };
    let mut record = log(class, &body);
    record["timeUnixNano"] = json!((second * SECOND).to_string());
    record["traceId"] =
        json!(format!("{:016x}{:016x}", dice.below(u64::MAX), dice.below(u64::MAX)));
    record
}

fn is_critical(record: &Json) -> bool {
    record["attributes"][0]["value"]["stringValue"] == "critical"
}

fn records(batch: &Json) -> Vec<Json> {
    let found = batch.pointer("/resourceLogs/0/scopeLogs/0/logRecords").and_then(Json::as_array);
    found.cloned().unwrap_or_default()
}

#[test]
fn an_hour_keeps_every_critical_record_the_books_and_the_budget() {
    const BUDGET: u64 = 6_000;
    let bench = Bench::new(json!({
        "destination": "datadog",
        "prices": { "datadog": 2.0 },
        "budget": { "records": BUDGET, "period": "1h" },
        "rule": [
            { "action": "dedupe", "window": "60s", "classes": ["info", "warning"] },
            { "action": "aggregate" },
            { "action": "sample", "percentage": 20, "budget_used": 50 },
            { "action": "drop", "classes": ["info", "warning"], "budget_used": 90 },
        ],
    }));
    let mut dice = Dice(0x5eed);
    let (mut came, mut passed, mut critical) = (0, 0, 0);
    for second in 0..3600 {
        bench.watch.set(second);
        let batch: Vec<Json> = (0..RECORDS).map(|_| record(&mut dice, second)).collect();
        let out = records(&bench.run(Signal::Logs, &logs(&batch)));
        let wanted: Vec<&Json> = batch.iter().filter(|record| is_critical(record)).collect();
        let got: Vec<&Json> = out.iter().filter(|record| is_critical(record)).collect();
        assert_eq!(got, wanted, "second {second}");
        came += RECORDS;
        passed += u64::try_from(out.len()).unwrap();
        critical += u64::try_from(wanted.len()).unwrap();
    }
    let report = bench.report();
    let saved = report["saved"]["records"].as_u64().unwrap();
    assert_eq!(report["passed"]["records"], passed);
    assert_eq!(report["critical_records"], critical);
    assert_eq!(passed + saved, came, "every record passed or was saved");
    assert!(passed <= BUDGET * 9 / 10 + critical, "{passed} records passed");
    assert!(saved > came / 2, "{saved} of {came} were saved");
    for action in ["dedupe", "aggregate", "sample"] {
        assert!(report["saved_by_action"][action]["records"].as_u64() > Some(0), "{action}");
    }
    let money = report["saved"]["money"].as_f64().unwrap();
    let bytes = u32::try_from(report["saved"]["bytes"].as_u64().unwrap()).unwrap();
    assert!((money - f64::from(bytes) * 2e-9).abs() < 1e-9);
    let page = bench.context.metrics.render();
    let line = format!(
        "bessemer_cost_passed_records_total{{component=\"cost\",destination=\"datadog\"}} {passed}"
    );
    assert!(page.contains(&line), "{page}");
}
