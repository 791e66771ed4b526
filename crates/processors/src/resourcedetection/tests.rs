//! What is detected on machines that tests make up, and what becomes of it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, through};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A machine by its variables and files.
#[derive(Default)]
struct Imagined {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, String>,
}

impl Facts for Imagined {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn hostname(&self) -> String {
        "web-7d4b9c8f5c-x2k9z".to_owned()
    }

    fn file(&self, path: &str) -> Option<String> {
        self.files.get(path).cloned()
    }

    fn container(&self, id: &str) -> Option<String> {
        assert_eq!(id, ID);
        Some(r#"{"Name":"/front","Config":{"Image":"shop:1"}}"#.to_owned())
    }
}

fn detection(settings: Json, machine: Imagined) -> Result<Detection, SettingsError> {
    Detection::new(&serde_json::from_value(settings).unwrap(), Arc::new(machine))
}

/// What is added to a resource that has nothing yet.
fn detected(settings: Json, machine: Imagined) -> BTreeMap<String, String> {
    let found = detection(settings, machine).unwrap().detected();
    let value = |found: &Found| {
        let mut resource = Vec::new();
        edit::insert(Target::Resource, &[], &found.attribute, &mut resource);
        let view = bessemer_record::view::ResourceView::new(&resource);
        view.attributes().get(&found.key).unwrap().as_str().unwrap().to_owned()
    };
    found.iter().map(|found| (found.key.clone(), value(found))).collect()
}

#[track_caller]
fn check(found: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    assert_eq!(*found, expected.collect());
}

#[test]
fn the_environment_gives_pairs_that_may_be_encoded() {
    for (text, expected) in [
        ("a=1,b.c = x%20y%2Cz ,", &[("a", "1"), ("b.c", "x y,z")][..]),
        ("a=1,b", &[]),
        ("a=%zz", &[]),
        ("", &[]),
    ] {
        let machine = Imagined {
            variables: BTreeMap::from([("OTEL_RESOURCE_ATTRIBUTES", text)]),
            ..Imagined::default()
        };
        check(&detected(json!({ "detectors": ["env"] }), machine), expected);
    }
}

#[test]
fn the_host_gives_its_name_and_what_is_asked_for() {
    let files = BTreeMap::from([
        ("/etc/machine-id", "f00\n".to_owned()),
        ("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Some Linux 12\"\nVERSION_ID=12\n".to_owned()),
    ]);
    let toggles = json!({
        "host.name": { "enabled": false }, "host_id": { "enabled": true },
        "os.description": { "enabled": true }, "os_version": { "enabled": true },
    });
    let settings = json!({ "detectors": ["system"], "system": { "resource_attributes": toggles } });
    let machine = Imagined { files, ..Imagined::default() };
    let os = std::env::consts::OS;
    let expected = [
        ("os.type", os),
        ("host.id", "f00"),
        ("os.description", "Some Linux 12"),
        ("os.version", "12"),
    ];
    check(&detected(settings, machine), &expected);
}

#[test]
fn a_container_is_known_by_its_control_group_or_its_mounts() {
    let toggles = json!({ "container_name": { "enabled": true }, "container_image_name": { "enabled": true } });
    let settings = json!({ "detectors": ["docker"], "docker": { "resource_attributes": toggles } });
    let mounts = format!("1 2 0:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw\n");
    for (path, text) in [
        ("/proc/self/cgroup", format!("0::/system.slice/docker-{ID}.scope\n")),
        ("/proc/self/mountinfo", mounts),
    ] {
        let machine = Imagined { files: BTreeMap::from([(path, text)]), ..Imagined::default() };
        let expected =
            [("container.id", ID), ("container.name", "front"), ("container.image.name", "shop:1")];
        check(&detected(settings.clone(), machine), &expected);
    }
    check(&detected(settings, Imagined::default()), &[]);
}

#[test]
fn a_pod_is_known_only_inside_a_cluster() {
    let toggles =
        json!({ "k8s_deployment_name": { "enabled": true }, "k8s.pod.uid": { "enabled": true } });
    let settings = json!({ "detectors": ["k8s"], "k8s": { "resource_attributes": toggles } });
    check(&detected(settings.clone(), Imagined::default()), &[]);
    let group = "0::/kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice/x\n";
    let machine = Imagined {
        variables: BTreeMap::from([
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("K8S_NODE_NAME", "n1"),
        ]),
        files: BTreeMap::from([
            ("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "shop\n".to_owned()),
            ("/proc/self/cgroup", group.to_owned()),
        ]),
    };
    let expected = [
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "web-7d4b9c8f5c-x2k9z"),
        ("k8s.node.name", "n1"),
        ("k8s.pod.uid", "01234567-89ab-cdef-0123-456789abcdef"),
        ("k8s.deployment.name", "web"),
    ];
    check(&detected(settings, machine), &expected);
}

#[test]
fn the_first_detector_that_knows_an_attribute_counts() {
    let machine = || Imagined {
        variables: BTreeMap::from([("OTEL_RESOURCE_ATTRIBUTES", "host.name=mine")]),
        ..Imagined::default()
    };
    let name = |detectors: Json| {
        detected(json!({ "detectors": detectors }), machine())["host.name"].clone()
    };
    assert_eq!(name(json!(["env", "system"])), "mine");
    assert_eq!(name(json!(["system", "env"])), "web-7d4b9c8f5c-x2k9z");
}

#[test]
fn attributes_of_a_resource_are_replaced_only_where_override_says_so() {
    for (is_override, expected) in [(true, "new"), (false, "old")] {
        let machine = Imagined {
            variables: BTreeMap::from([("OTEL_RESOURCE_ATTRIBUTES", "a=new,b=1")]),
            ..Imagined::default()
        };
        let step =
            detection(json!({ "detectors": ["env"], "override": is_override }), machine).unwrap();
        for signal in JSON_SIGNALS {
            let before = signal.batch(&[("a", "old")], &[("a", "kept")]);
            let after = signal.batch(&[("a", expected), ("b", "1")], &[("a", "kept")]);
            assert_eq!(through(&step, signal.signal, &before), after);
        }
    }
}

#[test]
fn attributes_that_nothing_detects_are_refused() {
    let settings = json!({
        "detectors": ["docker"],
        "docker": { "resource_attributes": { "container_nam": { "enabled": true } } },
    });
    let error = detection(settings, Imagined::default()).err().unwrap();
    assert_eq!(error.path, "docker.resource_attributes");
    assert!(error.remedy.contains("container.name"), "{error}");
    assert!(detection(json!({ "detectors": [] }), Imagined::default()).is_err());
}
