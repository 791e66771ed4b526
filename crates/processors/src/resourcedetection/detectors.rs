//! What each detector knows and how it finds it out.

use std::collections::BTreeMap;

use bessemer_config::nearest::nearest;
use bessemer_pipeline::SettingsError;
use serde_json::Value as Json;

use super::facts::Facts;
use super::settings::{DetectorName, Settings, Toggle};

/// Attributes with their values.
type Pairs = Vec<(String, String)>;

/// A detector and the attributes it is to add.
#[derive(Debug)]
pub(super) struct Detector {
    name: DetectorName,
    /// None for all that there are.
    attributes: Option<Vec<&'static str>>,
}

/// An attribute that a detector knows, and whether it adds it unless told otherwise.
type Known = (&'static str, bool);

const SYSTEM: [Known; 6] = [
    ("host.name", true),
    ("os.type", true),
    ("host.arch", false),
    ("host.id", false),
    ("os.description", false),
    ("os.version", false),
];
const DOCKER: [Known; 3] =
    [("container.id", true), ("container.name", false), ("container.image.name", false)];
const K8S: [Known; 6] = [
    ("k8s.namespace.name", true),
    ("k8s.pod.name", true),
    ("k8s.node.name", true),
    ("k8s.pod.uid", false),
    ("k8s.deployment.name", false),
    ("container.id", false),
];

/// The detectors that the settings name, in their order.
pub(super) fn chosen(settings: &Settings) -> Result<Vec<Detector>, SettingsError> {
    if settings.detectors.is_empty() {
        let remedy = "name env, system, docker or k8s";
        return Err(SettingsError::new("detectors", "is empty", remedy));
    }
    let one = |name: &DetectorName| {
        let toggles = match name {
            DetectorName::Env => return Ok(Detector { name: *name, attributes: None }),
            DetectorName::System => ("system", &SYSTEM[..], &settings.system.resource_attributes),
            DetectorName::Docker => ("docker", &DOCKER[..], &settings.docker.resource_attributes),
            DetectorName::K8s => ("k8s", &K8S[..], &settings.k8s.resource_attributes),
        };
        let (block, known, toggles) = toggles;
        Ok(Detector { name: *name, attributes: Some(enabled(block, known, toggles)?) })
    };
    settings.detectors.iter().map(one).collect()
}

fn enabled(
    block: &str,
    known: &[Known],
    toggles: &BTreeMap<String, Toggle>,
) -> Result<Vec<&'static str>, SettingsError> {
    let is_same = |name: &str, key: &str| name == key || name == key.replace('.', "_");
    for name in toggles.keys() {
        if !known.iter().any(|(key, _)| is_same(name, key)) {
            let hint = nearest(name, known.iter().map(|(key, _)| *key)).unwrap_or("host.name");
            let problem = format!("{name} is nothing that it detects");
            let path = format!("{block}.resource_attributes");
            return Err(SettingsError::new(&path, problem, format!("write such as {hint}")));
        }
    }
    let is_enabled = |(key, default): &Known| {
        let toggle = toggles.iter().find(|(name, _)| is_same(name, key));
        toggle.map_or(*default, |(_, toggle)| toggle.enabled)
    };
    Ok(known.iter().filter(|known| is_enabled(known)).map(|(key, _)| *key).collect())
}

impl Detector {
    /// The attributes it finds, of those it is to add.
    pub(super) fn detected(&self, facts: &dyn Facts) -> Pairs {
        let Some(attributes) = &self.attributes else { return environment(facts) };
        let value = |key: &str| match self.name {
            DetectorName::Env => None,
            DetectorName::System => system(key, facts),
            DetectorName::Docker => docker(key, facts),
            DetectorName::K8s => k8s(key, facts),
        };
        let is_given = |value: &String| !value.is_empty();
        let found = attributes
            .iter()
            .filter_map(|key| value(key).filter(is_given).map(|value| ((*key).to_owned(), value)));
        found.collect()
    }
}

/// `OTEL_RESOURCE_ATTRIBUTES`: pairs with commas between, values percent-encoded. As its definition
/// says, one pair that is none makes all of it void.
fn environment(facts: &dyn Facts) -> Pairs {
    let text = facts.variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((decoded(key.trim())?, decoded(value.trim())?))
    };
    pairs.map(read).collect::<Option<Pairs>>().unwrap_or_default()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn system(key: &str, facts: &dyn Facts) -> Option<String> {
    match key {
        "host.name" => Some(facts.hostname()),
        "os.type" => Some(std::env::consts::OS.to_owned()),
        "host.arch" => Some(architecture(std::env::consts::ARCH).to_owned()),
        "host.id" => facts.file("/etc/machine-id").map(|id| id.trim().to_owned()),
        "os.description" => release("PRETTY_NAME", facts),
        "os.version" => release("VERSION_ID", facts),
        _ => None,
    }
}

/// What OpenTelemetry calls an architecture.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

fn release(name: &str, facts: &dyn Facts) -> Option<String> {
    let text = facts.file("/etc/os-release")?;
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
}

fn docker(key: &str, facts: &dyn Facts) -> Option<String> {
    let id = container_id(facts)?;
    if key == "container.id" {
        return Some(id);
    }
    let answer: Json = serde_json::from_str(&facts.container(&id)?).ok()?;
    let found = match key {
        "container.name" => answer.get("Name")?.as_str()?.trim_start_matches('/'),
        "container.image.name" => answer.get("Config")?.get("Image")?.as_str()?,
        _ => return None,
    };
    Some(found.to_owned())
}

/// The id of the container that this process runs in: 64 hexadecimal digits in the path of its
/// control group, or, where groups have a namespace of their own, in that of its mounts.
fn container_id(facts: &dyn Facts) -> Option<String> {
    let cgroup = facts.file("/proc/self/cgroup").unwrap_or_default();
    let mounts = facts.file("/proc/self/mountinfo").unwrap_or_default();
    let mounted = mounts.lines().filter(|line| line.contains("/containers/"));
    cgroup.lines().chain(mounted).find_map(hexadecimal_id)
}

fn hexadecimal_id(line: &str) -> Option<String> {
    let mut words = line.split(|next: char| !next.is_ascii_hexdigit());
    words.find(|word| word.len() == 64).map(str::to_owned)
}

fn k8s(key: &str, facts: &dyn Facts) -> Option<String> {
    const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    // Outside of a cluster none of it is true, whatever the host is called.
    facts.variable("KUBERNETES_SERVICE_HOST")?;
    let first = |names: &[&str]| names.iter().find_map(|name| facts.variable(name));
    let pod = || first(&["K8S_POD_NAME", "POD_NAME"]).unwrap_or_else(|| facts.hostname());
    match key {
        "k8s.namespace.name" => first(&["K8S_NAMESPACE", "POD_NAMESPACE"])
            .or_else(|| facts.file(NAMESPACE).map(|name| name.trim().to_owned())),
        "k8s.pod.name" => Some(pod()),
        "k8s.node.name" => first(&["K8S_NODE_NAME", "NODE_NAME"]),
        "k8s.pod.uid" => first(&["K8S_POD_UID", "POD_UID"]).or_else(|| pod_uid(facts)),
        "k8s.deployment.name" => deployment(&pod()),
        "container.id" => container_id(facts),
        _ => None,
    }
}

/// The id of the pod, as the path of the control group has it: `kubepods...-pod<uid>`.
fn pod_uid(facts: &dyn Facts) -> Option<String> {
    const DIGITS: usize = 36;
    let cgroup = facts.file("/proc/self/cgroup")?;
    cgroup.match_indices("pod").find_map(|(at, word)| {
        let id = cgroup.get(at + word.len()..at + word.len() + DIGITS)?.replace('_', "-");
        let is_id = id.char_indices().all(|(index, next)| {
            if matches!(index, 8 | 13 | 18 | 23) { next == '-' } else { next.is_ascii_hexdigit() }
        });
        is_id.then_some(id)
    })
}

/// The deployment of a pod, by the names that deployments give: theirs, the hash of the template
/// and five characters. Other pods have names that look different.
fn deployment(pod: &str) -> Option<String> {
    let is_generated = |part: &str| {
        part.chars().all(|next| next.is_ascii_digit() || "bcdfghjklmnpqrstvwxz".contains(next))
    };
    let (rest, random) = pod.rsplit_once('-')?;
    let (name, template) = rest.rsplit_once('-')?;
    let is_deployment = random.len() == 5
        && is_generated(random)
        && (6..=10).contains(&template.len())
        && is_generated(template);
    is_deployment.then(|| name.to_owned())
}
