//! Conditions on the request: `request["header"] == "value"`, or `!=`.

/// A condition on one header of the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestTest {
    /// In lower case.
    name: String,
    value: String,
    is_equal: bool,
}

impl RequestTest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected request[\"header\"] == \"value\"".to_owned();
        let rest = text.trim().strip_prefix("request").ok_or_else(wrong)?.trim_start();
        let rest = rest.strip_prefix('[').ok_or_else(wrong)?;
        let (name, rest) = quoted(rest).ok_or_else(wrong)?;
        let rest = rest.trim_start().strip_prefix(']').ok_or_else(wrong)?.trim_start();
        let (is_equal, rest) = match (rest.strip_prefix("=="), rest.strip_prefix("!=")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong()),
        };
        let (value, rest) = quoted(rest).ok_or_else(wrong)?;
        if !rest.trim().is_empty() {
            return Err(format!("{:?} is too much", rest.trim()));
        }
        Ok(Self { name: name.to_ascii_lowercase(), value, is_equal })
    }

    /// Whether it holds; of a header that comes several times, one value is enough.
    pub(super) fn holds(&self, headers: &[(String, String)]) -> bool {
        let mut values = headers.iter().filter(|(name, _)| *name == self.name);
        values.any(|(_, value)| (*value == self.value) == self.is_equal)
    }
}

/// The text between quotes at the start, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let rest = text.trim_start().strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, next)) = chars.next() {
        match next {
            '"' => return Some((value, rest.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(next),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_whatever_its_case_and_however_often_it_comes() {
        let headers = [
            ("x-tenant".to_owned(), "other".to_owned()),
            ("x-tenant".to_owned(), "acme".to_owned()),
        ];
        let holds = |text: &str| RequestTest::parse(text).unwrap().holds(&headers);
        assert!(holds("request[\"X-Tenant\"] == \"acme\""));
        assert!(!holds("request[\"X-Tenant\"]==\"none\""));
        assert!(holds("request [ \"x-tenant\" ] != \"acme\" "));
        assert!(!holds("request[\"absent\"] != \"acme\""));
        for text in ["", "request", "request[x] == \"a\"", "request[\"a\"] == \"b\" and true"] {
            assert!(RequestTest::parse(text).is_err(), "{text}");
        }
    }
}
