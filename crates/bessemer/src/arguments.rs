//! The command line. What stands here is its manual.

use std::path::PathBuf;

use bessemer_runtime::{ByteSize, Span};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

mod holder;

pub(crate) use holder::Holder;
mod ledger;

pub(crate) use ledger::{Form as LedgerForm, Ledger, Reconcile, Show, Source};
mod replay;

pub(crate) use replay::{
    Dlq, DlqReplay, Drop as DlqDrop, Form as DlqForm, How as ReplayHow, Letters,
    List as ListLetters, Records, Replay,
};
mod journal;

pub(crate) use journal::{Dump, Journal, Place};
mod ottl;

pub(crate) use ottl::{Ottl, OttlContext};

/// Takes telemetry in, decides what each record is worth, and delivers it everywhere it belongs
/// without losing one.
#[derive(Debug, Parser)]
#[command(name = "bessemer", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed or not valid, 2 wrong arguments.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a configuration until TERM or INT, then drains.
    Run(Run),
    /// Checks a configuration: text, types, references, files and ports against each other.
    Validate(Validate),
    /// Runs the tests of a configuration: records go in, what leaves where is compared. Nothing
    /// listens, stores or sends.
    Test(Test),
    /// Runs statements of the OpenTelemetry Transformation Language on a record and prints the record,
    /// or asks conditions and prints true or false for each record.
    Ottl(Ottl),
    /// Formats a configuration.
    Fmt(Fmt),
    /// Writes a configuration in another dialect.
    Convert(Convert),
    /// Prints the graph of a configuration.
    Graph(Graph),
    /// Lists the components of this binary.
    Components(Components),
    /// Says where records stand: queued, tried, delivered, refused or dead.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Lists, shows, replays and drops dead letters: what destinations refused for good.
    #[command(subcommand)]
    Dlq(Dlq),
    /// Sends records again that were delivered and that the journal still holds.
    Replay(Replay),
    /// Looks at the journal of a running or a dead process; moves damaged files aside.
    #[command(subcommand)]
    Journal(Journal),
    /// Trains a classification model on labelled messages and writes it with its report.
    Train(Train),
    /// Measures a classification model on labelled messages, by line and by template.
    Eval(Eval),
    /// Says which class a message gets, and which rule or which words speak for it.
    Explain(Explain),
    /// Shows the pipeline at work, with embedded defaults and generated telemetry.
    Demo(Demo),
    /// Prints a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) configs: Configs,
    #[command(flatten)]
    pub(crate) process: Process,
}

/// What a configuration consists of: files in any dialect make one graph.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Configs {
    /// Configuration files in any dialect (.alloy, .yaml, .json) or directories of them, loaded
    /// together; also `env:NAME`, `file:PATH` and `yaml:TEXT`.
    #[arg(required_unless_present = "more", value_name = "CONFIG")]
    files: Vec<PathBuf>,
    /// The same, for those who are used to it; may be repeated.
    #[arg(long = "config", value_name = "CONFIG")]
    more: Vec<PathBuf>,
    /// A setting on top of Collector files, such as processors.batch.timeout=2s; `::` between names
    /// that have dots. May be repeated.
    #[arg(long = "set", value_name = "NAME.NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Configs {
    /// All files in the order they are merged.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.more).cloned().collect()
    }
}

/// How the process runs, whatever its configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct Process {
    /// Where the journal, stores and state live.
    #[arg(long = "storage.path", value_name = "DIR", default_value = "data")]
    pub(crate) storage: PathBuf,
    /// Address of the admin port; loopback only.
    #[arg(
        long = "server.http.listen-addr",
        value_name = "ADDR",
        default_value = "127.0.0.1:12345"
    )]
    pub(crate) admin: String,
    /// Bytes of the journal on disk at most; beyond it clients get 429.
    #[arg(long = "journal.size", value_name = "SIZE", default_value = "10GiB")]
    pub(crate) journal_size: ByteSize,
    /// Share of --journal.size, in percent, at which an alert is raised; 0 for never.
    #[arg(long = "journal.alert", value_name = "PERCENT", default_value_t = 90,
        value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) journal_alert: u8,
    /// Keeps this much of what every destination has received, for replay, as long as the journal
    /// has room.
    #[arg(long = "journal.retain-size", value_name = "SIZE")]
    pub(crate) retain_size: Option<ByteSize>,
    /// Keeps what every destination has received until it is this old, for replay, as long as the
    /// journal has room.
    #[arg(long = "journal.retain-time", value_name = "DURATION")]
    pub(crate) retain_time: Option<Span>,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Memory for request bodies over all receivers; beyond it clients get 429. A quarter of the
    /// machine's or cgroup's memory unless set, at most 1GiB.
    #[arg(long = "memory.bodies", value_name = "SIZE")]
    pub(crate) bodies: Option<ByteSize>,
    /// Bytes of one record at most.
    #[arg(long = "limits.record", value_name = "SIZE", default_value = "10MB")]
    pub(crate) record_size: ByteSize,
    /// How long a drain may take.
    #[arg(long = "drain.timeout", value_name = "DURATION", default_value = "60s")]
    pub(crate) drain: Span,
    /// Least level of the log.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,
    /// Form of the log on standard error.
    #[arg(long = "log.format", value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// What the journal is sealed with.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub(crate) struct Keys {
    /// Seals the journal with the key in this file, or with the last by name in this directory,
    /// whose other keys open what is older. A key is 32 bytes, raw, as base64 or as hexadecimal.
    #[arg(long = "journal.key-file", value_name = "PATH", group = "sealed")]
    pub(crate) key_file: Option<PathBuf>,
    /// Seals the journal with the key in this environment variable; `id=key,id=key` names several.
    #[arg(long = "journal.key-env", value_name = "NAME", group = "sealed")]
    pub(crate) key_variable: Option<String>,
    /// Seals each segment of the journal with a data key of this transit key of Vault, named as
    /// https://HOST:PORT/MOUNT/NAME. The token is in `VAULT_TOKEN` unless a file is given, a
    /// namespace in `VAULT_NAMESPACE`.
    #[arg(long = "journal.key-vault", value_name = "URL", group = "sealed")]
    pub(crate) vault_key: Option<String>,
    /// Reads the token for Vault from this file at each use, as an agent of Vault renews it.
    #[arg(long = "journal.vault-token-file", value_name = "PATH", requires = "vault_key")]
    pub(crate) vault_token_file: Option<PathBuf>,
    /// Trusts the authorities in this PEM file when it asks Vault, instead of those of the system.
    #[arg(long = "journal.vault-ca-file", value_name = "PATH", requires = "vault_key")]
    pub(crate) vault_ca_file: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) configs: Configs,
    /// Also probes that the ports are free.
    #[arg(long)]
    pub(crate) bind: bool,
    /// Also asks each destination, with an export of no records, whether it would take some.
    #[arg(long)]
    pub(crate) connect: bool,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Form of the findings.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: FindingForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingForm {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) configs: Configs,
    /// Files with more tests, in YAML or JSON: a list of objects with the settings of a
    /// bessemer.test block and a name. `NAME.test.yaml`, `.yml` or `.json` beside a configuration
    /// NAME, or in a directory that is given, is found without being named.
    #[arg(long, value_name = "FILE")]
    pub(crate) tests: Vec<PathBuf>,
    /// Also writes the outcome to a file, in the XML of `JUnit`.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Runs only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Form of the outcome.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: TestForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestForm {
    Text,
    Junit,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// The file; `-` or nothing reads standard input.
    pub(crate) file: Option<PathBuf>,
    /// Writes the file instead of printing it.
    #[arg(short, long)]
    pub(crate) write: bool,
    /// Exits with 1 when the file is not formatted, and prints nothing.
    #[arg(short, long, conflicts_with = "write")]
    pub(crate) test: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    pub(crate) configs: Configs,
    /// The dialect of the files; else each file's name says it.
    #[arg(long, value_enum)]
    pub(crate) from: Option<DialectName>,
    /// The dialect that is written.
    #[arg(long, value_enum)]
    pub(crate) to: DialectName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectName {
    /// Alloy syntax.
    Alloy,
    /// Collector files in YAML.
    Yaml,
    /// Integrations, or Collector files, in JSON.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) configs: Configs,
    /// Form of the graph.
    #[arg(long, value_enum, default_value = "mermaid")]
    pub(crate) format: GraphForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphForm {
    Mermaid,
    Dot,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Components {
    /// Form of the list.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: ListForm,
    /// Adds the schema of the settings and an example to the JSON.
    #[arg(long, requires = "output")]
    pub(crate) schemas: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListForm {
    Table,
    Json,
    Ndjson,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// JSON lines, or CSV when the name ends so.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The column of the message.
    #[arg(long, value_name = "COLUMN", default_value = "message")]
    pub(crate) text: String,
    /// The column of the class: critical, warning or info.
    #[arg(long, value_name = "COLUMN", default_value = "class")]
    pub(crate) label: String,
    /// The column of the level, a name or a number, where the model may see it.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) level: Option<String>,
    /// Where the model is written.
    #[arg(short, long, value_name = "FILE", default_value = "bessemer.model")]
    pub(crate) output: PathBuf,
    /// The name of the model.
    #[arg(long, default_value = "own")]
    pub(crate) name: String,
    /// An Ed25519 private key in PEM (PKCS#8) that signs the model; its public key, which
    /// `model.public_key` of a config can demand, is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// A model that is trained further; the one inside the binary unless set.
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// Starts from nothing.
    #[arg(long, conflicts_with = "base")]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// JSON lines, or CSV when the name ends so.
    pub(crate) file: PathBuf,
    /// The column of the message.
    #[arg(long, value_name = "COLUMN", default_value = "message")]
    pub(crate) text: String,
    /// The column of the class: critical, warning or info.
    #[arg(long, value_name = "COLUMN", default_value = "class")]
    pub(crate) label: String,
    /// The column of the template, which has one vote; else messages that differ only in numbers,
    /// identifiers and paths are one template.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// The column of the level, a name or a number, where the model may see it.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) level: Option<String>,
    /// The model; the one inside the binary unless set.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The message.
    pub(crate) message: String,
    /// The severity number of OpenTelemetry; 0 when it is not known.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=24))]
    pub(crate) severity: u8,
    /// A JSON list of rules that come before the default ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// The model; the one inside the binary unless set.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Asks the running process with this admin port instead: each of its classify processors
    /// answers by its own rules and model, and with what an LLM said of the template.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["rules", "model"])]
    pub(crate) server: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Records generated per second; 0 waits for telemetry from outside.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) rate: u32,
    /// Ends by itself after this time.
    #[arg(long, value_name = "DURATION")]
    pub(crate) time: Option<Span>,
    /// Keeps data here instead of a temporary directory.
    #[arg(long = "storage.path", value_name = "DIR")]
    pub(crate) storage: Option<PathBuf>,
    /// Address of the admin port; loopback only.
    #[arg(
        long = "server.http.listen-addr",
        value_name = "ADDR",
        default_value = "127.0.0.1:12345"
    )]
    pub(crate) admin: String,
}
