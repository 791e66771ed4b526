//! Any graph, in any dialect: printing and reading back is the identity.

use bessemer_config::value::{Field, Form};
use bessemer_config::{
    Data, Edge, Graph, Location, Number, Object, Reference, Signal, Value, dialects,
};
use proptest::prelude::*;

use crate::catalog::{Fake, load_as};

/// Kinds with a rank: edges go from low to high. The last ones take any settings.
const KINDS: [(&str, bool, bool); 8] = [
    ("otelcol.receiver.otlp", false, true),
    ("otelcol.processor.batch", true, true),
    ("otelcol.processor.attributes", true, true),
    ("bessemer.pipeline", true, true),
    ("otelcol.connector.spanmetrics", true, true),
    ("otelcol.exporter.otlp", true, false),
    ("bessemer.exporter.store", true, false),
    ("otelcol.auth.basic", false, false),
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9_.:/$ {}#'\"-]{0,12}",
        any::<String>(),
        prop::sample::select(vec!["true", "null", "1.10", "~", "", "- a", "a: b", "${env:PORT}"])
            .prop_map(str::to_owned),
    ]
}

fn place(data: Data) -> Value {
    Value::new(data, Location::nowhere())
}

fn object(fields: Vec<(&str, Value)>, form: Form) -> Value {
    let field = |(name, value): (&str, Value)| Field {
        name: name.to_owned(),
        name_at: Location::nowhere(),
        value,
    };
    let fields = fields.into_iter().map(field).collect();
    place(Data::Object(Object { fields, form }))
}

/// Any value that a setting without a schema can have.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Data::Bool),
        any::<i64>().prop_map(|number| Data::Number(Number::Int(number))),
        any::<u64>().prop_map(|number| Data::Number(Number::Uint(number))),
        (-1e300..1e300).prop_map(|number| Data::Number(Number::Float(number))),
        text().prop_map(Data::String),
    ];
    let leaf = leaf.prop_map(place);
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| place(Data::Array(items))),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|fields| {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
                object(fields, Form::Literal)
            }),
        ]
    })
}

fn string(text: &str) -> Value {
    place(Data::String(text.to_owned()))
}

/// Settings that the schema of a kind takes.
fn settings(kind: usize, words: &[String; 3], free: &[Value; 2], auth: Option<&str>) -> Value {
    let [first, second, third] = words;
    match kind {
        0 => {
            let grpc = object(vec![("endpoint", string(first))], Form::Block);
            object(vec![("grpc", grpc), ("http", object(vec![], Form::Block))], Form::Block)
        }
        1 => object(vec![("timeout", string("5s"))], Form::Block),
        2 => {
            let action = |key: &str, value: &Value| {
                let fields = vec![
                    ("key", string(key)),
                    ("action", string(second)),
                    ("value", value.clone()),
                ];
                object(fields, Form::Block)
            };
            let actions = free.iter().map(|value| action(first, value)).collect();
            object(vec![("action", place(Data::Array(actions)))], Form::Block)
        }
        5 => {
            let headers = vec![(second.as_str(), string(third))];
            let mut client =
                vec![("endpoint", string(first)), ("headers", object(headers, Form::Literal))];
            if let Some(auth) = auth {
                let reference = Reference { node: auth.to_owned(), export: "handler".to_owned() };
                client.push(("auth", place(Data::Reference(reference))));
            }
            object(vec![("client", object(client, Form::Block))], Form::Block)
        }
        6 => object(vec![("a", free[0].clone()), ("client", free[1].clone())], Form::Block),
        7 => object(vec![("username", string(first)), ("password", string(second))], Form::Block),
        _ => object(vec![], Form::Block),
    }
}

#[derive(Debug, Clone)]
struct Plan {
    nodes: Vec<(usize, [String; 3], [Value; 2])>,
    wires: Vec<(prop::sample::Index, prop::sample::Index, usize)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let node = (0..KINDS.len(), prop::array::uniform3(text()), [any_value(), any_value()]);
    let wire = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3usize);
    (prop::collection::vec(node, 1..9), prop::collection::vec(wire, 0..16))
        .prop_map(|(nodes, wires)| Plan { nodes, wires })
}

fn built(plan: &Plan) -> Graph {
    let mut graph = Graph::default();
    let label =
        |number: usize| if number == 0 { "default".to_owned() } else { format!("n{number}") };
    let id = |number: usize, kind: usize| format!("{}.{}", KINDS[kind].0, label(number));
    let auth = plan.nodes.iter().enumerate().find(|(_, (kind, ..))| *kind == 7);
    let auth = auth.map(|(number, (kind, ..))| id(number, *kind));
    for (number, (kind, words, free)) in plan.nodes.iter().enumerate() {
        let settings = settings(*kind, words, free, auth.as_deref());
        let label = label(number);
        let node =
            bessemer_config::Node::new(KINDS[*kind].0, &label, settings, Location::nowhere());
        graph.nodes.push(node);
    }
    for (a, b, signal) in &plan.wires {
        let (a, b) = (a.index(plan.nodes.len()), b.index(plan.nodes.len()));
        let (from, to) = (a.min(b), a.max(b));
        let (sender, taker) = (plan.nodes[from].0, plan.nodes[to].0);
        if from != to && KINDS[sender].2 && KINDS[taker].1 {
            graph.edges.push(Edge {
                from: graph.nodes[from].id.clone(),
                signal: Signal::ALL[*signal],
                to: graph.nodes[to].id.clone(),
                at: Location::nowhere(),
            });
        }
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_graph_survives_every_dialect(plan in plan()) {
        let dialects = dialects();
        let graph = built(&plan);
        let first = dialects[1].print(&graph, &Fake);
        let loaded = load_as("first.yaml", &first);
        prop_assert!(loaded.is_ok(), "{:?}\n{}", loaded, first);
        let loaded = loaded.unwrap().graph;
        prop_assert_eq!(loaded.nodes.len(), graph.nodes.len());
        for (dialect, name) in dialects.iter().zip(["a.alloy", "b.yaml", "c.json"]) {
            let printed = dialect.print(&loaded, &Fake);
            let back = load_as(name, &printed);
            prop_assert!(back.is_ok(), "{name}: {:?}\n{}", back, printed);
            let back = back.unwrap().graph;
            prop_assert_eq!(&back, &loaded, "{}: {}", name, printed);
            prop_assert_eq!(dialect.print(&back, &Fake), printed, "{}", name);
        }
    }

    #[test]
    fn any_text_is_read_as_yaml_and_json_without_panic(text in any::<String>()) {
        drop(load_as("any.yaml", &text));
        drop(load_as("any.json", &text));
    }

    #[test]
    fn any_soup_of_yaml_is_read_without_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "receivers", "service", "pipelines", "logs", "otlp", "exporters", ":", ": ", "- ",
            "\n", "\n  ", "\n    ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "|", ">", "'", "\"",
            "${env:TOKEN}", "${", "$$", "!!str ", "#", "~", "1.10", "?", "---", "%", ",",
        ]), 0..40),
    ) {
        drop(load_as("soup.yaml", &words.concat()));
    }
}
