//! The arguments of `bessemer dlq` and `bessemer replay`.

use clap::{Args, Subcommand, ValueEnum};

use super::Holder;

/// Where the admin port of the process is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// Address of the admin port of the running process.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:12345")]
    pub(crate) server: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// Lists dead letters, by destination and then the oldest first.
    List(List),
    /// Prints dead letters with their records as OTLP JSON.
    Show(List),
    /// Sends dead letters again. Each goes from its log once its copy is synced to the journal.
    Replay(DlqReplay),
    /// Forgets dead letters for good.
    Drop(Drop),
}

/// Which dead letters are meant; every given option must match.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Letters {
    /// Component id of the destination that refused them.
    #[arg(long, value_name = "ID")]
    pub(crate) destination: Option<String>,
    /// The number of one letter in the log of its destination.
    #[arg(long, value_name = "N", requires = "destination")]
    pub(crate) number: Option<u64>,
    /// Part of the reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// What the destination answered, exactly, such as 400.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) records: Records,
}

/// Which records are meant; every given option must match.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Records {
    /// Refused, or for `bessemer replay` received, not before: RFC 3339, or nanoseconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// The same, before.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The class in the attribute ai.classification, such as critical.
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// A condition in OTTL that holds for the log record, span or metric. Where it cannot be
    /// computed it does not hold.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) letters: Letters,
    #[command(flatten)]
    pub(crate) holder: Holder,
    /// Letters at most, up to 10000.
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) limit: u16,
    /// Form of the list.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Form,
}

#[derive(Debug, Args)]
pub(crate) struct DlqReplay {
    #[command(flatten)]
    pub(crate) letters: Letters,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct Drop {
    #[command(flatten)]
    pub(crate) letters: Letters,
    /// Drops everything there is: needed when nothing selects.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Form,
}

/// Sends records again that were delivered and that the journal still holds, as
/// --journal.retain-size and --journal.retain-time of `bessemer run` let it.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Component id of the destination whose records are meant.
    #[arg(long, value_name = "ID", required_unless_present_any = ["resume", "list"])]
    pub(crate) destination: Option<String>,
    #[command(flatten)]
    pub(crate) records: Records,
    /// Takes a replay up where it stopped, also one of `bessemer dlq replay`.
    #[arg(long, value_name = "ID", conflicts_with = "destination")]
    pub(crate) resume: Option<String>,
    /// Lists the replays that are known.
    #[arg(long, conflicts_with_all = ["destination", "resume"])]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How a replay is done.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct How {
    /// Component id of where the records go; to the destination they were for unless given.
    #[arg(long, value_name = "ID")]
    pub(crate) to: Option<String>,
    /// Records a second at most: 500/s, or 500.
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub(crate) rate: Option<u32>,
    /// Counts the records and changes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Form of the outcome.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Table,
    Json,
}

fn rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    number.filter(|rate| *rate > 0).ok_or_else(|| "write a number such as 500/s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_a_second_and_never_zero() {
        assert_eq!(rate("500/s"), Ok(500));
        assert_eq!(rate("7"), Ok(7));
        for wrong in ["0", "0/s", "-1", "fast", "", "/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
