//! Which index or data stream a record goes to.

use std::borrow::Cow;

use bessemer_record::value::{AnyValue, Map};

use super::settings::{DateFormat, LogstashFormat};
use crate::http::time::write_date;

const DATASET: &str = "data_stream.dataset";
const NAMESPACE: &str = "data_stream.namespace";
pub(super) const KIND: &str = "data_stream.type";
const PREFIX: &str = "elasticsearch.index.prefix";
const SUFFIX: &str = "elasticsearch.index.suffix";
/// Bytes of a part of a data stream's name.
const PART_BYTES_MAX: usize = 100;

/// Names the index of each record of one signal.
#[derive(Debug)]
pub(super) struct Router {
    /// The index of records that name none.
    pub(super) name: String,
    pub(super) is_dynamic: bool,
    pub(super) daily: LogstashFormat,
    /// What a data stream's data set ends with.
    pub(super) dataset_suffix: &'static str,
}

/// A data stream that attributes name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataStream {
    pub(super) kind: &'static str,
    pub(super) dataset: String,
    pub(super) namespace: String,
}

/// Attributes of a record, its scope and its resource.
pub(super) type Attributes<'a> = [Map<'a>; 3];

impl Router {
    /// The index of a record of this time, and the data stream that it is, if attributes name one.
    pub(super) fn index(
        &self,
        kind: &'static str,
        attributes: &Attributes<'_>,
        nanos: u64,
    ) -> (Cow<'_, [u8]>, Option<DataStream>) {
        if !self.is_dynamic && !self.daily.enabled {
            return (Cow::Borrowed(self.name.as_bytes()), None);
        }
        let stream = self.is_dynamic.then(|| self.stream(kind, attributes)).flatten();
        let mut index = match &stream {
            Some(stream) => format!("{kind}-{}-{}", stream.dataset, stream.namespace).into_bytes(),
            None => self.around(kind, attributes).into_bytes(),
        };
        if self.daily.enabled {
            index.extend_from_slice(self.daily.prefix_separator.as_bytes());
            let separator = match self.daily.date_format {
                DateFormat::Dots => b'.',
                DateFormat::Dashes => b'-',
            };
            write_date(nanos, separator, &mut index);
        }
        (Cow::Owned(index), stream)
    }

    fn stream(&self, kind: &'static str, attributes: &Attributes<'_>) -> Option<DataStream> {
        let find = |name| attributes.iter().find_map(|map| text(*map, name));
        let (dataset, namespace) = (find(DATASET), find(NAMESPACE));
        if dataset.is_none() && namespace.is_none() {
            return None;
        }
        let suffix = self.dataset_suffix;
        let dataset = dataset.unwrap_or("generic");
        let dataset =
            dataset.strip_suffix(suffix).filter(|_| !suffix.is_empty()).unwrap_or(dataset);
        let room = PART_BYTES_MAX - suffix.len();
        Some(DataStream {
            kind,
            dataset: format!("{}{suffix}", part(dataset, "\\/*?\"<>| ,#-:", room)),
            namespace: part(namespace.unwrap_or("default"), "\\/*?\"<>| ,#:", PART_BYTES_MAX),
        })
    }

    fn around(&self, kind: &str, attributes: &Attributes<'_>) -> String {
        if !self.is_dynamic {
            return self.name.clone();
        }
        let find = |name| attributes.iter().rev().find_map(|map| text(*map, name));
        match (find(PREFIX), find(SUFFIX)) {
            (None, None) => format!("{kind}-generic{}-default", self.dataset_suffix),
            (prefix, suffix) => {
                format!("{}{}{}", prefix.unwrap_or(""), self.name, suffix.unwrap_or(""))
            }
        }
    }
}

/// Whether a document says elsewhere what this attribute says.
pub(super) fn is_routing(name: &[u8]) -> bool {
    [KIND, DATASET, NAMESPACE].iter().any(|routing| routing.as_bytes() == name)
}

fn text<'a>(map: Map<'a>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(AnyValue::as_str).filter(|text| !text.is_empty())
}

/// Text as a part of a data stream's name: lower case, without what is not allowed there.
fn part(text: &str, forbidden: &str, bytes_max: usize) -> String {
    let mut part = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        let letter = if forbidden.contains(letter) { '_' } else { letter };
        if part.len() + letter.len_utf8() > bytes_max {
            break;
        }
        part.push(letter);
    }
    part
}
