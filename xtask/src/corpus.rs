//! Messages of many kinds of systems with their classes, generated from `xtask/corpus/`.
//!
//! A file of `systems/` is a system; a line is a class (`I`, `W`, `C`) and a pattern. A pattern holds
//! alternatives in parentheses, and in braces names of lists or of values. `lists.txt` holds the
//! lists that all systems share; `strangers.txt` holds messages that no model is trained on. All of
//! it is written for this repository. The same seed gives the same messages.

mod value;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bessemer_classify::Class;
use bessemer_classify::model::train::Example;

use value::{Random, value};

/// Where the patterns are.
pub const FOLDER: &str = "xtask/corpus";
/// Messages made from a pattern.
const MESSAGES_PER_PATTERN: usize = 12;
/// Messages made from a pattern that names lists, which has more to say.
const MESSAGES_PER_WIDE_PATTERN: usize = 36;
/// Lists within lists at most.
const DEPTH_MAX: usize = 6;

/// One system and its messages.
#[derive(Debug)]
pub struct System {
    /// The name of its file.
    pub name: String,
    /// Its messages, many with a header or a level.
    pub examples: Vec<Example>,
    /// Other messages of the same patterns, all with nothing but a severity beside them; and the
    /// number of the pattern.
    pub bare: Vec<(Example, usize)>,
}

impl System {
    /// How many patterns it has.
    pub fn patterns(&self) -> usize {
        self.bare.last().map_or(0, |(_, number)| number + 1)
    }
}

/// The lists that patterns name.
type Lists = BTreeMap<String, Vec<String>>;

/// The messages of all systems, in the order of their names.
pub fn systems(root: &Path, seed: u64) -> Result<Vec<System>> {
    let folder = root.join(FOLDER);
    let lists = lists(&read(&folder.join("lists.txt"))?)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("systems"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let system = |name: &String| {
        let text = read(&folder.join("systems").join(name))?;
        Ok(system(name, &patterns(&text)?, &lists, seed))
    };
    names.iter().map(system).collect()
}

/// Messages of systems that are not in the corpus; the number of each is its template.
pub fn strangers(root: &Path) -> Result<Vec<Example>> {
    let text = read(&root.join(FOLDER).join("strangers.txt"))?;
    let example =
        |(class, text): (Class, &str)| Example { text: text.to_owned(), severity: 0, class };
    Ok(patterns(&text)?.into_iter().map(example).collect())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn lists(text: &str) -> Result<Lists> {
    let mut lists = Lists::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, entries) = line.split_once(": ").with_context(|| line.to_owned())?;
        lists.insert(name.to_owned(), entries.split(" | ").map(str::to_owned).collect());
    }
    Ok(lists)
}

fn patterns(text: &str) -> Result<Vec<(Class, &str)>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.split_once(' ') {
            Some(("I", pattern)) => Ok((Class::Info, pattern)),
            Some(("W", pattern)) => Ok((Class::Warning, pattern)),
            Some(("C", pattern)) => Ok((Class::Critical, pattern)),
            _ => bail!("a line is I, W or C and a pattern: {line}"),
        })
        .collect()
}

fn system(name: &str, patterns: &[(Class, &str)], lists: &Lists, seed: u64) -> System {
    let own = name.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut maker = Maker { lists, random: Random::new(seed ^ own) };
    let (mut examples, mut bare) = (Vec::new(), Vec::new());
    for (number, (class, pattern)) in patterns.iter().enumerate() {
        let is_wide = lists.keys().any(|name| pattern.contains(&format!("{{{name}}}")));
        let count = if is_wide { MESSAGES_PER_WIDE_PATTERN } else { MESSAGES_PER_PATTERN };
        for _ in 0..count {
            examples.push(maker.example(*class, pattern));
        }
        for _ in 0..MESSAGES_PER_PATTERN {
            let (text, severity) = (maker.expand(pattern, 0), maker.severity(*class));
            bare.push((Example { text, severity, class: *class }, number));
        }
    }
    System { name: name.trim_end_matches(".txt").to_owned(), examples, bare }
}

struct Maker<'a> {
    lists: &'a Lists,
    random: Random,
}

impl Maker<'_> {
    /// A message in one of the forms in which programs write them.
    fn example(&mut self, class: Class, pattern: &str) -> Example {
        let body = self.expand(pattern, 0);
        let body = self.cased(body);
        let severity = if self.random.below(3) == 0 { self.severity(class) } else { 0 };
        let level = self.level(class);
        let [time, service, java, word] =
            ["time", "service", "java", "word"].map(|name| value(name, &mut self.random));
        let text = match self.random.below(14) {
            0 => format!("{level} {body}"),
            1 => format!("[{level}] {word}: {body}"),
            2 => format!("{time} {level} {java} {body}"),
            3 => format!("{time} {service}[{}]: {body}", self.random.below(9000)),
            4 => format!("{service}: {body}"),
            5 => format!("level={} msg=\"{body}\" {word}=1", level.to_lowercase()),
            6 => format!("{java}: {body}"),
            7 => format!("{{\"msg\":\"{body}\",\"{word}\":\"{service}\"}}"),
            _ => body,
        };
        Example { text, severity, class }
    }

    fn cased(&mut self, body: String) -> String {
        match self.random.below(10) {
            0 => body.to_uppercase(),
            1..=3 => {
                let mut characters = body.chars();
                let first = characters.next().map(|first| first.to_ascii_uppercase());
                first.into_iter().chain(characters).collect()
            }
            4 => format!("{body}."),
            _ => body,
        }
    }

    /// Levels as programs write them, which do not always agree with what a message is worth.
    fn level(&mut self, class: Class) -> &'static str {
        self.random.pick(match class {
            Class::Info => &["INFO", "INFO", "INFO", "DEBUG", "NOTICE", "TRACE", "INFO", "WARN"],
            Class::Warning => &["WARN", "WARNING", "WARN", "ERROR", "ERROR", "WARN", "INFO"],
            Class::Critical => &["FATAL", "FATAL", "ERROR", "CRITICAL", "SEVERE", "ALERT", "WARN"],
        })
    }

    fn severity(&mut self, class: Class) -> u8 {
        self.random.pick(match class {
            Class::Info => &[9, 9, 9, 5, 1],
            Class::Warning => &[13, 13, 13, 17, 9],
            Class::Critical => &[21, 17, 21, 21, 13],
        })
    }

    /// Chooses alternatives and fills in names; parentheses without alternatives stay.
    fn expand(&mut self, pattern: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = pattern;
        while let Some(at) = rest.find(['(', '{']) {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            let (opening, after) = after.split_at(1);
            let closing = if opening == "(" { ')' } else { '}' };
            let Some((inside, behind)) = after.split_once(closing) else {
                out.push_str(opening);
                rest = after;
                continue;
            };
            out.push_str(&self.inside(opening, inside, depth));
            rest = behind;
        }
        out.push_str(rest);
        out.replace("\\t", "\t")
    }

    fn inside(&mut self, opening: &str, inside: &str, depth: usize) -> String {
        if opening == "{" {
            return match self.lists.get(inside) {
                Some(entries) if depth < DEPTH_MAX => {
                    let entry = self.random.among(entries).cloned().unwrap_or_default();
                    self.expand(&entry, depth + 1)
                }
                _ => value(inside, &mut self.random),
            };
        }
        if !inside.contains('|') {
            return format!("({})", self.expand(inside, depth));
        }
        let choices: Vec<&str> = inside.split('|').collect();
        let chosen = self.random.among(&choices).copied().unwrap_or_default();
        self.expand(chosen, depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn a_seed_gives_the_same_messages_again() {
        let texts = |seed| -> Vec<String> {
            let systems = systems(&root(), seed).unwrap();
            systems.into_iter().flat_map(|system| system.examples).map(|e| e.text).collect()
        };
        assert_eq!(texts(3), texts(3));
        assert_ne!(texts(3), texts(4));
    }

    #[test]
    fn every_system_has_all_classes_and_no_open_pattern() {
        for system in systems(&root(), 1).unwrap() {
            for class in Class::ALL {
                assert!(system.examples.iter().any(|e| e.class == class), "{}", system.name);
            }
            let open = |e: &&(Example, usize)| e.0.text.contains('{') || e.0.text.contains('|');
            assert_eq!(system.bare.iter().find(open), None, "{}", system.name);
        }
    }

    #[test]
    fn strangers_are_of_all_classes_and_stand_in_no_system() {
        let strangers = strangers(&root()).unwrap();
        let systems = systems(&root(), 1).unwrap();
        for class in Class::ALL {
            assert!(strangers.iter().filter(|e| e.class == class).count() >= 25, "{class:?}");
        }
        let known = |text: &str| {
            systems.iter().flat_map(|system| &system.bare).any(|(e, _)| e.text == text)
        };
        assert!(strangers.iter().all(|e| !known(&e.text)));
    }
}
