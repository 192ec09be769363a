//! CSV (RFC 4180) with a header.

use std::io::BufRead;

use super::{
    fields::{Fields, Found, Limits},
    flaw::Flaw,
    row::{Malformed, Record, Row, Rows, check_external_id, payload},
};

/// A CSV file.
pub struct Csv<R> {
    fields: Fields<R>,
    max_payload: usize,
    /// Known once the header is read.
    columns: Option<Columns>,
}

/// Which column is which.
#[derive(Clone, Copy, Debug)]
struct Columns {
    external_id: Option<usize>,
    plain: Option<usize>,
    base64: Option<usize>,
    count: usize,
}

/// More columns than any header needs, so that the error can name an unknown column.
const HEADER: Limits = Limits { fields: 1000, bytes: 1 << 16 };

impl<R: BufRead> Csv<R> {
    /// Reads `input`.
    pub fn new(input: R, max_payload: usize) -> Self {
        Self { fields: Fields::new(input), max_payload, columns: None }
    }

    fn columns(&mut self) -> Result<Columns, Malformed> {
        if let Some(columns) = self.columns {
            return Ok(columns);
        }
        let line = loop {
            match self.fields.read(HEADER, || TOO_LONG.to_owned())? {
                Found::Row(line) => break line,
                Found::Blank(_) => {}
                Found::End => return Err(Malformed::new(1, NO_PAYLOAD)),
            }
        };
        let columns = Columns::named(self.fields.row()).map_err(|reason| Malformed::new(line, &reason))?;
        Ok(*self.columns.insert(columns))
    }

    /// The next row that is not empty, and its line.
    fn read(&mut self, columns: Columns) -> Result<Option<u64>, Malformed> {
        let max = self.max_payload;
        // The largest payload in base64, and room for the external id.
        let bytes = max.saturating_add(max / 3).saturating_add(1 << 16);
        loop {
            match self
                .fields
                .read(Limits { fields: columns.count, bytes }, || Flaw::TooLarge(max).to_string())?
            {
                Found::Row(line) => return Ok(Some(line)),
                Found::End => return Ok(None),
                Found::Blank(line) if columns.count == 1 => return Err(Malformed::new(line, BLANK)),
                // An empty line has too few fields to be a row.
                Found::Blank(_) => {}
            }
        }
    }

    fn row(&self, columns: Columns, line: u64) -> Result<Row, String> {
        let fields = self.fields.row();
        if fields.len() < columns.count {
            return Err(format!(
                "the row has {} of the header's {} fields: write all, even if they are empty",
                fields.len(),
                columns.count
            ));
        }
        let field = |column: Option<usize>| column.map(|i| fields[i].as_slice());
        let names = (field(columns.external_id), field(columns.plain).or(field(columns.base64)));
        if let (Some(b"external_id"), Some(b"payload" | b"payload_base64")) = names {
            return Err("the row repeats the header, as in joined files: remove the row".to_owned());
        }
        // CSV cannot tell an empty field from none.
        let external_id = match field(columns.external_id).filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => {
                let id = std::str::from_utf8(id).map_err(|_| NOT_UTF8.to_owned())?;
                check_external_id(id).map_err(|flaw| flaw.to_string())?;
                Some(id.to_owned())
            }
        };
        let payload = payload(field(columns.plain), field(columns.base64), self.max_payload);
        let payload = payload.map_err(|flaw| flaw.to_string())?;
        Ok(Row { record: Record { external_id, payload }, line })
    }
}

impl<R: BufRead> Rows for Csv<R> {
    fn next(&mut self) -> Result<Option<Row>, Malformed> {
        let columns = self.columns()?;
        let Some(line) = self.read(columns)? else { return Ok(None) };
        self.row(columns, line).map(Some).map_err(|reason| Malformed::new(line, &reason))
    }
}

const NO_PAYLOAD: &str = "the header must name one of the columns payload and payload_base64";
const BLANK: &str = "an empty line is ambiguous: write \"\" for an empty payload, or remove the line";
const TOO_LONG: &str = "the header is too long: name external_id, and payload or payload_base64";
const NOT_UTF8: &str = "the external_id is not UTF-8 text: convert it to UTF-8 (see iconv)";

impl Columns {
    fn named(header: &[Vec<u8>]) -> Result<Self, String> {
        let mut columns = Self { external_id: None, plain: None, base64: None, count: header.len() };
        for (i, name) in header.iter().enumerate() {
            let column = match name.as_slice() {
                b"external_id" => &mut columns.external_id,
                b"payload" => &mut columns.plain,
                b"payload_base64" => &mut columns.base64,
                name => return Err(unknown(name, header.len())),
            };
            if column.replace(i).is_some() {
                return Err(format!("the header names the column '{}' twice", String::from_utf8_lossy(name)));
            }
        }
        if columns.plain.is_some() == columns.base64.is_some() {
            return Err(NO_PAYLOAD.to_owned());
        }
        Ok(columns)
    }
}

/// The error for an unknown column, with what may be wrong with the file.
fn unknown(name: &[u8], columns: usize) -> String {
    if name.starts_with(b"sep=") {
        return "the line 'sep=' is for Excel only: remove it, and separate the columns by commas".to_owned();
    }
    let separator = [(b';', "semicolon"), (b'\t', "tab"), (b'|', "pipe")];
    if let Some((_, separator)) = separator.iter().find(|(byte, _)| columns == 1 && name.contains(byte)) {
        return format!(
            "the columns are separated by {separator}, not by comma: run 'mlr --csv --ifs {separator} --ofs comma \
             cat FILE | signwave import - --format csv'"
        );
    }
    let name = String::from_utf8_lossy(&name[..name.len().min(64)]);
    format!(
        "the header names the unknown column '{}': use external_id, and payload or payload_base64",
        name.escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<Row>, Malformed> {
        let mut rows = Csv::new(text.as_ref(), 10);
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    #[test]
    fn fields_become_rows_with_their_lines() {
        let row = |id: Option<&str>, payload: &[u8], line| Row {
            record: Record { external_id: id.map(str::to_owned), payload: payload.to_vec() },
            line,
        };
        for end in ["\n", "\r\n"] {
            let lines = [&b"payload,external_id"[..], b"\"a\nb\",x", b"\xff,", b"\"\"\"\",z"];
            let expected = [row(Some("x"), b"a\nb", 2), row(None, b"\xff", 4), row(Some("z"), b"\"", 5)];
            assert_eq!(read(lines.join(end.as_bytes())).unwrap(), expected);
        }
        assert_eq!(read("payload_base64\n/wA=\n").unwrap(), [row(None, b"\xff\0", 2)]);
        assert!(read("payload\n").unwrap().is_empty());
        let skipped = read("\n\npayload,external_id\n\na,\n\n\n").unwrap();
        assert_eq!(skipped, [row(None, b"a", 5)]);
    }

    #[test]
    fn each_malformed_row_says_what_is_wrong() {
        for (text, line, reason) in [
            ("", 1, "must name one"),
            ("external_id\na\n", 1, "must name one"),
            ("payload,payload_base64\na,YQ==\n", 1, "must name one"),
            ("payload,payload\n", 1, "twice"),
            ("payload,externalid\n", 1, "'externalid'"),
            ("external_id;payload\n1;a\n", 1, "mlr --csv --ifs semicolon"),
            ("external_id\tpayload\n", 1, "mlr --csv --ifs tab"),
            ("sep=;\npayload\n", 1, "'sep='"),
            ("sep=,\npayload\n", 1, "'sep='"),
            (" payload\n", 1, "' payload'"),
            ("payload\na\nb,c\n", 3, "more fields than the 1"),
            ("payload,external_id\na\n", 2, "1 of the header's 2 fields"),
            ("payload\na\n\nb\n", 3, "an empty line"),
            ("payload_base64\nYQ\n", 2, "not base64"),
            ("payload\n12345678901\n", 2, "larger than 10 bytes"),
        ] {
            let malformed = read(text).unwrap_err();
            assert!(malformed.reason.contains(reason), "{text}: {}", malformed.reason);
            assert_eq!(malformed.line, line, "{text}");
        }
        assert!(read(b"payload,external_id\na,\xff\n").unwrap_err().reason.contains("UTF-8"));
    }

    #[test]
    fn an_endless_row_does_not_fill_the_memory() {
        for (quote, advice) in [("", ""), ("\"", ", or close the quote that opens here")] {
            let begun = format!("payload\n{quote}");
            let endless = begun.as_bytes().chain(std::io::BufReader::new(std::io::repeat(b'x')));
            let reason = Flaw::TooLarge(1000).to_string() + advice;
            assert_eq!(Csv::new(endless, 1000).next().unwrap_err(), Malformed { line: 2, reason });
        }
    }
}
