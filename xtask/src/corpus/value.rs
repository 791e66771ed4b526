//! Values that stand in messages: numbers, addresses, names. Drawn alike for every class.

/// A value for a name in braces; a number for a name that is not known.
pub(super) fn value(name: &str, random: &mut Random) -> String {
    let size = random.pick(&[10, 100, 1000, 100_000]);
    let number = random.below(size) + 1;
    match name {
        "ip" => format!("10.{}.{}.{}", random.below(250), random.below(250), random.below(250)),
        "port" => (random.below(60_000) + 1000).to_string(),
        "host" => host(random, number),
        "user" => user(random),
        "path" => format!("/{}/{}/{}{number}", word(random), word(random), word(random)),
        "url" => format!("/{}/{}", word(random), word(random)),
        "hex" => format!("0x{:08x}", random.next() >> 32),
        "id" => format!("{:x}{:x}", random.next() >> 40, random.next() >> 40),
        "uuid" => format!(
            "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
            random.next() >> 32,
            random.below(65_536),
            random.below(4096),
            random.below(4096),
            random.next() >> 16
        ),
        "mac" => {
            format!("02:4e:{:02x}:{:02x}:7f:{:02x}", number % 256, random.below(256), number % 100)
        }
        "pct" => (random.below(60) + 40).to_string(),
        "f" => format!("{}.{:03}", random.below(9), random.below(1000)),
        "version" => format!("{}.{}.{}", random.below(9), random.below(30), random.below(99)),
        "dev" => {
            format!("{}{}", random.pick(&["nic", "disk", "vol", "lan", "fl"]), number % 10)
        }
        "drv" => random.pick(&["qnet", "fastio", "bluestor", "vbus", "oxcan", "pcx"]).into(),
        "ok" => random.pick(&["200", "204", "202", "304", "200"]).into(),
        "call" => call(random),
        "time" => time(random),
        "service" => service(random),
        "java" => java(random),
        "word" => word(random),
        _ => number.to_string(),
    }
}

fn host(random: &mut Random, number: u64) -> String {
    let kind = random.pick(&["edge", "app-", "store", "gw", "box.", "unit-", "alder", "m"]);
    format!("{kind}{number}")
}

/// So many names that none of them speaks for a class.
fn user(random: &mut Random) -> String {
    let known = random.pick(&["mira", "tomas", "ops7", "svc-mail", "visitor", "jo.k", "u1002"]);
    let first =
        random.pick(&["an", "bo", "ca", "da", "el", "fe", "ha", "in", "jo", "ka", "li", "mo"]);
    let last = random.pick(&["na", "ris", "bert", "dis", "ka", "line", "ma", "nor", "sha", "ted"]);
    match random.below(12) {
        0 => known.into(),
        1 => format!("{first}{last}{}", random.below(100)),
        2 => format!("{}.{first}{last}", random.pick(&["a", "k", "m", "s"])),
        _ => format!("{first}{last}"),
    }
}

fn time(random: &mut Random) -> String {
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    match random.below(3) {
        0 => format!("2026-0{}-1{} {hour:02}:{minute:02}:{second:02}", second % 9 + 1, minute % 10),
        1 => format!("May {} {hour:02}:{minute:02}:{second:02}", minute % 28 + 1),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

fn service(random: &mut Random) -> String {
    let known = random.pick(&[
        "kernel", "cron", "gateway", "billing", "mailer", "indexer", "login", "agent", "stored",
        "netd", "authd", "web", "queue", "sched", "monitor",
    ]);
    if random.below(2) == 0 { known.into() } else { format!("{}d", word(random)) }
}

/// A name that means nothing, of two or three syllables, or a plain noun.
fn word(random: &mut Random) -> String {
    if random.below(3) == 0 {
        return random
            .pick(&[
                "alpha",
                "buffer",
                "channel",
                "user",
                "device",
                "entry",
                "frame",
                "group",
                "handle",
                "image",
                "key",
                "layer",
                "map",
                "object",
                "region",
                "stream",
                "table",
                "unit",
                "value",
                "zone",
                "file",
                "client",
                "server",
                "data",
                "event",
                "main",
                "default",
                "system",
                "manager",
                "context",
                "index",
                "process",
                "component",
                "core",
                "net",
                "io",
                "app",
                "api",
                "db",
                "log",
            ])
            .into();
    }
    let mut word = String::new();
    for _ in 0..random.below(2) + 2 {
        word.push_str(random.pick(&[
            "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "st", "tr", "pl",
            "qu", "ch", "gr",
        ]));
        word.push_str(
            random.pick(&["a", "e", "i", "o", "u", "an", "el", "ir", "on", "us", "ax", "em", "ot"]),
        );
    }
    word
}

fn camel(random: &mut Random) -> String {
    let first = random.pick(&[
        "Block", "Remote", "Socket", "Task", "Null", "Session", "File", "Map", "Data", "Node",
        "Event", "Cache",
    ]);
    let last = random.pick(&[
        "Manager", "Service", "Handler", "Writer", "State", "Reader", "Monitor", "Store", "Loader",
    ]);
    format!("{first}{last}")
}

fn java(random: &mut Random) -> String {
    let package = match random.below(3) {
        0 => format!("{}.{}.", word(random), word(random)),
        _ => String::new(),
    };
    format!("{package}{}", camel(random))
}

fn call(random: &mut Random) -> String {
    let verb = random.pick(&["get", "set", "on", "handle", "update", "init", "do", "run", "read"]);
    format!("{verb}{}", camel(random))
}

/// Numbers that only depend on the seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end.max(1)
    }

    /// One of several; `None` of none.
    pub(super) fn among<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = self.below(choices.len() as u64);
        usize::try_from(index).ok().and_then(|at| choices.get(at))
    }

    pub(super) fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        self.among(choices).copied().unwrap_or_default()
    }
}
