//! For any text: no panic; formatting is stable; printing a graph is the inverse of reading it.

use bessemer_config::alloy::{self, Strictness};
use bessemer_config::graph::Graph;
use bessemer_config::value::{Field, Form};
use bessemer_config::{
    Data, Edge, Location, Node, Number, Object, Reference, Signal, Source, Value, dialects, format,
};
use proptest::prelude::*;

use crate::catalog::load;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) }
}

/// Words of the language in any order, so that the parser gets past the first.
fn soup() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a",
        "b.c",
        "\"x\"",
        "`r\n`",
        "'q'",
        "1",
        ".5",
        "1.",
        "1e",
        "true",
        "null",
        "=",
        "==",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "^",
        "||",
        "&",
        "<",
        ">=",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "\n",
        "\n",
        " ",
        "// c\n",
        "/* c */",
        "/* d\n */",
        "\"\\d\"",
        "\"",
        "\u{e9}",
        "#",
        "declare",
        "argument",
        "otelcol.processor.batch \"b\" {",
        "output {",
        "import.string \"s\" { content = \"a = 1\" }",
        "string.format(",
        "sys.env(\"X\")",
        "array.concat(",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

/// What may stand behind a word after which a line can not end a statement.
fn gap() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec![
        "",
        "",
        " ",
        "  ",
        "\n",
        "\n\n\n",
        " // c\n",
        "\n// c\n// d\n",
        " /* c */ ",
        "/* c\n c */",
        "\n\n/* c */\n",
    ])
}

/// What may stand behind any other word.
fn blank() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["", " ", "\t", " /* c */ "])
}

/// An expression, with line ends and comments wherever the language takes them.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "2.5",
        "true",
        "null",
        "\"a b\"",
        "`r\n\tr `",
        "name",
        "a.b.c",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 24, 4, |inner| {
        let item = (gap(), inner.clone(), blank())
            .prop_map(|(gap, item, blank)| format!("{gap}{item}{blank}"));
        let items = prop::collection::vec(item, 0..4);
        let field =
            (gap(), word("[a-z]{1,6}|\"[a-z ]{1,6}\""), " ?", gap(), inner.clone(), blank())
                .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}={c}{value}{d}"));
        let close = prop::sample::select(vec!["", ",", ",\n", ", // last\n", ",\n// last\n"]);
        let list = |open: &'static str, end: &'static str| {
            (items.clone(), close.clone(), gap()).prop_map(move |(items, close, gap)| {
                let close = if items.is_empty() { gap } else { close };
                format!("{open}{}{close}{end}", items.join(","))
            })
        };
        prop_oneof![
            list("[", "]"),
            list("f(", ")"),
            (prop::collection::vec(field, 0..4), close.clone()).prop_map(|(fields, close)| {
                let close = if fields.is_empty() { "" } else { close };
                format!("{{{}{close}}}", fields.join(","))
            }),
            (
                inner.clone(),
                blank(),
                prop::sample::select(vec!["+", "*", "==", "||", "^"]),
                gap(),
                inner.clone()
            )
                .prop_map(|(a, b, operator, c, d)| format!("{a}{b}{operator}{c}{d}")),
            (gap(), inner.clone(), blank()).prop_map(|(a, b, c)| format!("({a}{b}{c})")),
            (inner, gap()).prop_map(|(a, b)| format!("-{b}{a}")),
        ]
    })
}

/// A name that is no word of the language.
fn word(pattern: &'static str) -> impl Strategy<Value = String> {
    pattern.prop_filter("a word of the language", |name| {
        !name.split('.').any(|part| matches!(part, "true" | "false" | "null"))
    })
}

/// Statements with blocks in blocks.
fn file() -> impl Strategy<Value = String> {
    let end =
        prop::sample::select(vec!["\n", "\n\n\n", " // e\n", " /* e */\n// f\n", "\n\n// g\n\n"]);
    let attribute = (word("[a-z]{1,8}"), " ?", gap(), expression(), end.clone())
        .prop_map(|(name, b, c, value, end)| format!("{name}{b}={c}{value}{end}"));
    attribute.prop_recursive(3, 24, 5, move |inner| {
        let body = prop::collection::vec(inner, 0..5).prop_map(|body| body.concat());
        let start = gap();
        prop_oneof![
            body.clone(),
            (
                word("[a-z]{1,4}(\\.[a-z]{1,3})?"),
                prop::option::of(word("[a-z]{1,4}")),
                blank(),
                start,
                body,
                end.clone()
            )
                .prop_map(|(name, label, b, start, body, end)| {
                    let label = label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
                    format!("{name}{label}{b}{{{start}{body}}}{end}")
                }),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,6}".prop_filter("a word of the language", |name| {
        !matches!(
            name.as_str(),
            "true" | "false" | "null" | "output" | "label" | "to" | "forward_to"
        )
    })
}

fn data() -> impl Strategy<Value = Data> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Data::Bool),
        any::<i64>().prop_map(|number| Data::Number(Number::Int(number))),
        any::<u64>().prop_map(|number| Data::Number(Number::Uint(number))),
        prop::num::f64::NORMAL.prop_map(|number| Data::Number(Number::Float(number))),
        any::<String>().prop_map(Data::String),
        name().prop_map(|label| Data::Reference(Reference {
            node: format!("otelcol.processor.batch.{}", ["n0", "n1"][label.len() % 2]),
            export: "handler".into(),
        })),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let value = inner.prop_map(|data| Value::new(data, Location::nowhere()));
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Data::Array).prop_filter(
                // Which of block and list of one block is meant, only a schema says.
                "one block",
                |data| {
                    let one = |items: &Vec<Value>| items.len() == 1 && items[0].is_block();
                    !matches!(data, Data::Array(items) if one(items))
                },
            ),
            object(value.clone(), Form::Literal).prop_map(Data::Object),
            object(value, Form::Block).prop_map(Data::Object),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>, form: Form) -> impl Strategy<Value = Object> {
    let fields = prop::collection::btree_map(name(), value, 0..4);
    fields.prop_map(move |fields| {
        let field = |(name, value)| Field { name, name_at: Location::nowhere(), value };
        Object { fields: fields.into_iter().map(field).collect(), form }
    })
}

fn block(fields: Vec<(String, Value)>) -> Object {
    let field = |(name, value)| Field { name, name_at: Location::nowhere(), value };
    Object { fields: fields.into_iter().map(field).collect(), form: Form::Block }
}

/// Two components, which the fake catalogue takes with any settings.
fn graph() -> impl Strategy<Value = Graph> {
    let value = data().prop_map(|data| Value::new(data, Location::nowhere()));
    let settings = object(value, Form::Block);
    (prop::collection::vec(settings, 2), any::<[bool; 3]>()).prop_map(|(settings, wires)| {
        let node = |(number, object): (usize, Object)| {
            let value = Value::new(Data::Object(object), Location::nowhere());
            Node::new("otelcol.processor.batch", &format!("n{number}"), value, Location::nowhere())
        };
        let nodes: Vec<Node> = settings.into_iter().enumerate().map(node).collect();
        let wanted = Signal::ALL.into_iter().zip(wires).filter(|(_, wanted)| *wanted);
        let edges = wanted.map(|(signal, _)| Edge {
            from: nodes[0].id.clone(),
            signal,
            to: nodes[1].id.clone(),
            at: Location::nowhere(),
        });
        let edges = edges.collect();
        Graph { nodes, edges, ..Graph::default() }
    })
}

/// Reads without checking settings against schemas.
fn read(text: &str) -> Graph {
    let environment = crate::catalog::environment();
    let context = bessemer_config::Context {
        sources: &bessemer_config::MemorySources::default(),
        environment: &environment,
        catalog: &crate::catalog::Fake,
    };
    let read = dialects()[0].read(&[Source::new("printed", text)], &context);
    assert!(read.diagnostics.is_empty(), "{:?}\n{text}", read.diagnostics);
    read.graph
}

/// The words of a text without what formatting may add or drop.
fn words(text: &str) -> String {
    text.chars().filter(|next| !next.is_whitespace() && *next != ',').collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        drop(load(&text));
        drop(format("any", &text));
    }

    #[test]
    fn any_soup_of_words_is_read_without_panic(text in soup()) {
        drop(load(&text));
        drop(alloy::check_expression(&Source::new("soup", text.as_str()), Strictness::Alloy));
    }

    #[test]
    fn formatting_is_stable_and_keeps_every_word(text in soup()) {
        if let Ok(formatted) = format("soup", &text) {
            prop_assert_eq!(words(&formatted), words(&text));
            prop_assert_eq!(format("formatted", &formatted).unwrap(), formatted);
        }
    }

    #[test]
    fn formatting_a_valid_text_keeps_it_valid_and_is_stable(text in file()) {
        let formatted = format("file", &text);
        prop_assert!(formatted.is_ok(), "{:?}\n{}", formatted, text);
        let formatted = formatted.unwrap();
        prop_assert_eq!(words(&formatted), words(&text), "{}", formatted);
        let again = format("formatted", &formatted);
        prop_assert!(again.is_ok(), "{:?}\n{}", again, formatted);
        prop_assert_eq!(again.unwrap(), formatted);
    }

    #[test]
    fn any_expression_evaluates_without_panic(text in soup()) {
        let variables = std::collections::BTreeMap::new();
        let environment = crate::catalog::environment();
        drop(alloy::evaluate(&Source::new("soup", text), &variables, &environment));
    }

    #[test]
    fn any_layout_of_string_format_is_shown_without_panic(
        layout in "[%a-zA-Z0-9.*#+\\[\\] -]{0,24}",
    ) {
        let arguments = "1, -2.5, \"x\", [1, null], {a = true}";
        let text = std::format!("string.format(\"{layout}\", {arguments})");
        let variables = std::collections::BTreeMap::new();
        let environment = crate::catalog::environment();
        drop(alloy::evaluate(&Source::new("layout", text), &variables, &environment));
    }

    /// Promise: a list is printed within 100 columns, a tab being eight of them, unless one of its
    /// elements alone is longer; and it is read back as it was.
    #[test]
    fn a_long_list_has_several_lines(
        words in prop::collection::vec("[a-z \"]{0,20}", 0..20),
        depth in 0..4_usize,
    ) {
        let value = |data| Value::new(data, Location::nowhere());
        let words: Vec<Value> = words.into_iter().map(|word| value(Data::String(word))).collect();
        let mut settings = vec![("list".to_owned(), value(Data::Array(words)))];
        for _ in 0..depth {
            let object = block(settings);
            settings = vec![("block".to_owned(), value(Data::Object(object)))];
        }
        let settings = value(Data::Object(block(settings)));
        let node = Node::new("otelcol.processor.batch", "n", settings, Location::nowhere());
        let graph = Graph { nodes: vec![node], ..Graph::default() };
        for dialect in dialects().iter().take(2) {
            let printed = dialect.print(&graph, &crate::catalog::Fake);
            for line in printed.lines() {
                let columns: usize = line.chars().map(|c| if c == '\t' { 8 } else { 1 }).sum();
                prop_assert!(columns <= 100, "{}", printed);
            }
        }
        let printed = dialects()[0].print(&graph, &crate::catalog::Fake);
        prop_assert_eq!(read(&printed), graph, "{}", printed);
    }

    #[test]
    fn reading_what_was_printed_gives_an_equal_graph(graph in graph()) {
        let printed = dialects()[0].print(&graph, &crate::catalog::Fake);
        let mut back = read(&printed);
        // Links follow from the references in the settings and were not part of the input.
        back.links.clear();
        prop_assert_eq!(back, graph, "{}", printed);
    }
}
