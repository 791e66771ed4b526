//! What each code means, for the reference: one page a code, written from this table.

use super::Code;

/// What a code means and what to do.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// A few words.
    pub title: &'static str,
    /// What it means and why it is found.
    pub meaning: &'static str,
    /// Where it is found.
    pub example: &'static str,
    /// How.
    pub found: Found,
    /// What to do.
    pub remedy: &'static str,
}

/// How the finding of an example comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The example is a configuration, and `bessemer validate` finds it.
    ByValidate,
    /// The same with `--connect`.
    ByConnecting,
    /// The example is what is typed into a shell.
    InShell,
}

const fn explain(
    title: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    example: &'static str,
) -> Explanation {
    Explanation { title, meaning, example, found: Found::ByValidate, remedy }
}

impl Code {
    /// What the code means.
    pub fn explanation(self) -> Explanation {
        match self {
            Self::Syntax => SYNTAX,
            Self::Evaluation => EVALUATION,
            Self::Limit => LIMIT,
            Self::File => FILE,
            Self::UnknownComponent => UNKNOWN_COMPONENT,
            Self::UnknownSetting => UNKNOWN_SETTING,
            Self::WrongValue => WRONG_VALUE,
            Self::Missing => MISSING,
            Self::Duplicate => DUPLICATE,
            Self::Dangling => DANGLING,
            Self::Cycle => CYCLE,
            Self::Wiring => WIRING,
            Self::Module => MODULE,
            Self::Misplaced => MISPLACED,
            Self::Later => LATER,
            Self::Unreachable => UNREACHABLE,
            Self::Unwired => UNWIRED,
            Self::Ignored => IGNORED,
            Self::Repaired => REPAIRED,
            Self::Exposed => EXPOSED,
        }
    }
}

const SYNTAX: Explanation = explain(
    "the text does not follow the grammar",
    "The file could not be read as what its name says it is: Alloy syntax, YAML or JSON. The place \
     that is shown is the first that no longer fits; the cause is often a bracket or a quote a line \
     above.",
    "Look at the marked place and the line before it. `bessemer fmt` finds the same places and \
     nothing else.",
    r#"otelcol.exporter.debug "out" {
  verbosity "basic"
}
"#,
);

const EVALUATION: Explanation = explain(
    "an expression has no value",
    "An operator was given types that it does not work on, a function failed, or a name stands for \
     nothing.",
    "Read the message for the operand or function that is meant. Convert where types differ, for \
     example with `string.format`; give a default where a variable may be unset.",
    r#"otelcol.exporter.otlp "out" {
  client { endpoint = "localhost:" + 4317 }
}
"#,
);

const LIMIT: Explanation = explain(
    "a limit on depth, size or count was reached",
    "Configurations may come from others, so how deep they nest, how large a value grows and how many \
     files and components there are is bounded. The message names the bound.",
    "A configuration that people wrote stays far below every bound: look for a loop that generates \
     more than was meant, or a file that is no configuration.",
    r#"foreach "blank" {
  collection = string.split(string.format("%20000d", 1), " ")
  var        = "each"

  template {
    otelcol.exporter.debug "out" { }
  }
}
"#,
);

const FILE: Explanation = explain(
    "a file could not be read",
    "The path does not exist, is no file, may not be read by this user, or holds no UTF-8. Paths \
     are relative to the file that names them.",
    "Check the path and its permissions for the user that the process runs as.",
    r#"import.file "shared" {
  filename = "missing.alloy"
}
"#,
);

const UNKNOWN_COMPONENT: Explanation = explain(
    "no component has that name",
    "The name before the label is not in the catalogue of this binary.",
    "Take the nearest name if one is offered; `bessemer components` lists all.",
    r#"otelcol.exporter.otpl "out" {
  client { endpoint = "localhost:4317" }
}
"#,
);

const UNKNOWN_SETTING: Explanation = explain(
    "a component has no setting of that name",
    "Unknown settings are refused, because a misspelt one would be without effect.",
    "Take the nearest name if one is offered; the page of the component lists all its settings.",
    r#"otelcol.exporter.otlp "out" {
  client { endpiont = "localhost:4317" }
}
"#,
);

const WRONG_VALUE: Explanation = explain(
    "a setting has a value that it cannot have",
    "The value has another type, is out of range, or is no member of a fixed set.",
    "The message says what is expected. Durations are text with a unit (`\"5s\"`), sizes too \
     (`\"64MiB\"`).",
    r#"otelcol.exporter.otlp "out" {
  client {
    endpoint    = "localhost:4317"
    compression = "gzp"
  }
}
"#,
);

const MISSING: Explanation = explain(
    "something required is missing",
    "A setting has no default, or a block has no label.",
    "Add it. The page of the component says which settings are required.",
    "otelcol.exporter.debug { }
",
);

const DUPLICATE: Explanation = explain(
    "something is given twice that may be given once",
    "Two components of one kind have one label, a setting or block is repeated, or two receivers \
     listen on one endpoint.",
    "Remove or rename one of them; the message says where the first is.",
    r#"otelcol.exporter.debug "out" { }

otelcol.exporter.debug "out" { }
"#,
);

const DANGLING: Explanation = explain(
    "a reference names nothing",
    "An output, a routing table or an expression names a component, an export or a pipeline that \
     is not there.",
    "Take the nearest name if one is offered, or declare what is named.",
    r#"otelcol.receiver.otlp "in" {
  http { }
  output { logs = [otelcol.exporter.debug.uot.input] }
}

otelcol.exporter.debug "out" { }
"#,
);

const CYCLE: Explanation = explain(
    "components feed each other in a circle",
    "A record that enters the circle would never leave it. Modules that contain themselves are the \
     same.",
    "The message shows the circle. Remove one of its edges.",
    r#"otelcol.processor.batch "a" {
  output { logs = [otelcol.processor.batch.b.input] }
}

otelcol.processor.batch "b" {
  output { logs = [otelcol.processor.batch.a.input] }
}
"#,
);

const WIRING: Explanation = explain(
    "an output and an input do not fit",
    "The target takes no records, not this signal, or a port that a receiver needs is taken.",
    "Send the signal to a component that takes it; the page of each component names its signals.",
    r#"otelcol.receiver.otlp "in" {
  http { }
  output { logs = [otelcol.receiver.otlp.other.input] }
}

otelcol.receiver.otlp "other" {
  grpc { }
}
"#,
);

const MODULE: Explanation = explain(
    "a module could not be imported or instantiated",
    "The source of an import is of a kind that is not supported, or a `foreach` lacks what it \
     repeats.",
    "Import from a file or from text; give `foreach` an array that is known at load.",
    r#"import.git "shared" {
  repository = "https://example.com/shared.git"
  path       = "shared.alloy"
}
"#,
);

const MISPLACED: Explanation = explain(
    "something stands where it has no meaning",
    "A setting stands outside of a block, or a block where no such block is known.",
    "Move it into the block that it belongs to.",
    r#"endpoint = "localhost:4317"
"#,
);

const LATER: Explanation = explain(
    "a component comes with a later version",
    "The name and the settings are known and checked, so that configurations can be written ahead; \
     this binary cannot run it.",
    "Leave it out until then, or use one of `bessemer components`.",
    r#"otelcol.exporter.kafka "out" {
  brokers = ["localhost:9092"]
}
"#,
);

const UNREACHABLE: Explanation = Explanation {
    found: Found::ByConnecting,
    ..explain(
        "a destination cannot be reached or would not take records",
        "`validate --connect` asks each destination with an export request that holds no records. Its \
         name could not be resolved, nothing took the connection, TLS failed, or it refused. As a \
         warning: it is there and busy. A destination that is away does not keep `run` from \
         starting: what it is owed waits in the journal.",
        "The help of the finding says which setting to look at.",
        r#"otelcol.receiver.otlp "in" {
  http { }
  output { logs = [otelcol.exporter.otlphttp.out.input] }
}

otelcol.exporter.otlphttp "out" {
  client { endpoint = "http://127.0.0.1:1" }
}
"#,
    )
};

const UNWIRED: Explanation = explain(
    "a component takes part in no pipeline",
    "No output names it, or it has none: no record passes through it. The configuration runs.",
    "Name its input in an output, or remove it.",
    r#"otelcol.exporter.debug "out" { }
"#,
);

const IGNORED: Explanation = explain(
    "something is accepted and has no effect",
    "It is known from other programs with the same syntax and means nothing here. The \
     configuration runs.",
    "Remove it if nobody else reads the file.",
    "livedebugging { }
",
);

const REPAIRED: Explanation = explain(
    "something wrong was repaired by inference",
    "The text is not as the reference wants it, and there is one thing that can be meant. That one \
     runs.",
    "Write it as the message says.",
    r#"otelcol.processor.routing "by_class" {
  from_attribute   = "class"
  default_pipeline = "all"
}

bessemer.pipeline "all" {
  to = [otelcol.exporter.debug.out.input]
}

otelcol.exporter.debug "out" { }
"#,
);

const EXPOSED: Explanation = Explanation {
    found: Found::InShell,
    ..explain(
        "a secret can be read by others",
        "The permissions of a file that holds a key let the group or everybody read or write it.",
        "`chmod 600` the file, and give it to the user that the process runs as.",
        "openssl rand -base64 32 > journal.key
chmod 644 journal.key
bessemer validate config.alloy --journal.key-file journal.key
",
    )
};
