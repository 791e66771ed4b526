//! Any text is read as a configuration in every dialect without a panic, and what could be read can
//! be printed in every dialect and read again as the same graph.
#![no_main]

use bessemer_config::{
    Catalog, Context, FixedEnvironment, Loaded, MemorySources, Role, RowInfo, Source, Stability,
    dialects, load_text,
};
use libfuzzer_sys::fuzz_target;

/// Knows every component that looks like one, and nothing of its settings.
struct Anything;

impl Catalog for Anything {
    fn row(&self, kind: &str) -> Option<RowInfo> {
        let role = match kind.split('.').nth(1)? {
            "receiver" => Role::Receiver,
            "exporter" => Role::Exporter,
            "connector" => Role::Connector,
            "auth" | "extension" => Role::Extension,
            "processor" => Role::Processor,
            _ => return None,
        };
        Some(RowInfo {
            name: kind.to_owned(),
            aliases: Vec::new(),
            role,
            signals: Vec::new(),
            stability: Stability::Stable,
            schema: serde_json::from_str("{}").expect("a schema"),
        })
    }

    fn kinds(&self) -> Vec<String> {
        Vec::new()
    }
}

fn load(name: &str, text: &str) -> Option<Loaded> {
    let environment = FixedEnvironment::default().with("X", "${X}");
    let sources = MemorySources::default().with("x.yaml", "a: {b: ${file:x.yaml}}");
    let context = Context { sources: &sources, environment: &environment, catalog: &Anything };
    load_text(&Source::new(name, text), &context).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let name = ["a.yaml", "a.json", "a.alloy"][usize::from(choice % 3)];
    let Some(loaded) = load(name, text) else { return };
    for dialect in dialects() {
        let printed = dialect.print(&loaded.graph, &Anything);
        let name = format!("again.{}", dialect.extensions()[0]);
        let again = load(&name, &printed).unwrap_or_else(|| panic!("{name}:\n{printed}"));
        assert_eq!(again.graph, loaded.graph, "{name}:\n{printed}");
    }
});
