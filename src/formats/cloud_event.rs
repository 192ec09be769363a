//! Events in the structured JSON format of CloudEvents 1.0.

use std::io::{self, Write};

use serde_json::json;

/// What an event says of itself.
pub struct Head<'a> {
    /// What kind of event it is.
    pub kind: &'a str,
    /// Whose event it is. `source` and `id` together are unique.
    pub source: &'a str,
    /// Its id.
    pub id: &'a str,
    /// When it happened (RFC 3339).
    pub time: &'a str,
    /// What it is about.
    pub subject: Option<&'a str>,
    /// Other attributes and their values.
    pub extensions: &'a [(&'a str, &'a str)],
}

/// Writes the beginning of an event, up to its data, which is JSON. The data and a brace must follow.
///
/// # Errors
/// Those of `out`.
pub fn begin(out: &mut impl Write, head: &Head<'_>) -> io::Result<()> {
    let Head { kind, source, id, time, subject, extensions } = head;
    write!(
        out,
        "{{\"specversion\":\"1.0\",\"type\":{},\"source\":{},\"id\":{},\"time\":{},",
        json!(kind),
        json!(source),
        json!(id),
        json!(time)
    )?;
    let subject = subject.map(|subject| ("subject", subject));
    for (name, value) in subject.iter().chain(*extensions) {
        write!(out, "{}:{},", json!(name), json!(value))?;
    }
    out.write_all(b"\"datacontenttype\":\"application/json\",\"data\":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_object_whose_values_are_escaped() {
        let mut out = Vec::new();
        let head = Head {
            kind: "k",
            source: "urn:s",
            id: "1",
            time: "now",
            subject: Some("a\"b"),
            extensions: &[("after", "0")],
        };
        begin(&mut out, &head).unwrap();
        out.extend_from_slice(b"[1]}");
        let event: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            event,
            json!({
                "specversion": "1.0", "type": "k", "source": "urn:s", "id": "1", "time": "now", "subject": "a\"b",
                "after": "0", "datacontenttype": "application/json", "data": [1],
            })
        );
    }
}
