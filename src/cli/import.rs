//! `signwave import`: streams records from a file or from standard input into the database.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use clap::Args;

use super::{
    context::Context,
    failure::Usage,
    given::Given,
    options::ImportOptions,
    progress::{ProgressDisplay, Unit},
};
use crate::{
    domain::InsertVerdict,
    formats::{
        rows::{Format, Malformed, Row, Rows, rows},
        shown::shown,
    },
    store::{NewRecord, OnConflict, Store},
};

/// Read records from a file, or from standard input with '-'.
#[derive(Args, Debug)]
#[command(after_help = "\
Formats, chosen by the file's extension unless --format is given:
  jsonl   (.jsonl, .ndjson)  one object a line: {\"external_id\": \"a-1\", \"payload\": \"text\"}
                             or \"payload_base64\" for bytes; external_id is optional
  csv     (.csv)             a header with the columns payload or payload_base64, and external_id;
                             strictly RFC 4180: commas, and \"\" for a quote within quotes
  lines   (.txt)             each line is a payload, without its line end (LF or CR LF)

A byte order mark at the start is removed. UTF-16 and compressed files are refused: convert them
first. NUL bytes are refused, too: give binary payloads as payload_base64.

The payload is signed byte for byte. Rows are stored a thousand at a time, and the rows before an
error stay stored. A row with an external_id can be imported again: it is not added twice, and it
is refused if its payload differs. A row without an external_id is a new record each time.

Examples:
  signwave import records.jsonl
  zcat records.csv.gz | signwave import - --format csv")]
pub struct Import {
    /// The file, or '-' for standard input
    file: PathBuf,
    /// The format of the file
    #[arg(long)]
    format: Option<Format>,
    #[command(flatten)]
    reading: Given<ImportOptions>,
}

/// Rows stored in one transaction, at most.
const CHUNK_ROWS: usize = 1000;
/// Bytes of payload after which a transaction ends, so that large payloads do not fill the memory.
const CHUNK_BYTES: usize = 4 << 20;

impl Import {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let format = self.format()?;
        let store = context.open()?.store;
        let max_payload = max_payload(context, store.as_ref(), &self.reading)?;
        let (name, input, size) = self.open()?;
        let progress = context.progress("importing", size, Unit::Bytes);
        let input = CountingReader { input, progress: &progress };
        let mut tally = Tally::default();
        let result = match rows(format, input, max_payload) {
            Ok(mut rows) => import(rows.as_mut(), store.as_ref(), &name, &mut tally),
            Err(malformed) => Err(in_file(malformed, &name)),
        };
        progress.finish();
        result.map_err(|error| {
            let so_far = format!("{error:#}; imported rows stay stored ({tally})");
            error.context(so_far)
        })?;
        log::info!("{name}: {tally}");
        Ok(())
    }

    fn format(&self) -> Result<Format> {
        let packed = ["gz", "z", "zst", "xz", "bz2", "lz4", "lz", "zip"];
        let extension = match (extension(&self.file), self.file.file_stem()) {
            // A packed file is refused later, with the command that unpacks it for this format.
            (Some(packer), Some(stem)) if packed.contains(&packer.as_str()) => extension(Path::new(stem)),
            (extension, _) => extension,
        };
        match (self.format, extension.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
            (None, Some("csv")) => Ok(Format::Csv),
            (None, Some("txt")) => Ok(Format::Lines),
            (None, _) => bail!(Usage(format!(
                "cannot tell the format of '{}' from its name: add --format jsonl, csv or lines",
                self.file.display()
            ))),
        }
    }

    /// The name for messages, the input, and its size (0 if unknown).
    fn open(&self) -> Result<(String, Box<dyn Read>, u64)> {
        if self.file == Path::new("-") {
            return Ok(("standard input".to_owned(), Box::new(io::stdin()), 0));
        }
        let name = self.file.display().to_string();
        let file = File::open(&self.file)
            .with_context(|| format!("cannot open '{name}': check its name and permissions"))?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            bail!("'{name}' is a folder: import the files in it one by one");
        }
        Ok((name, Box::new(file), metadata.len()))
    }
}

fn extension(file: &Path) -> Option<String> {
    Some(file.extension()?.to_str()?.to_ascii_lowercase())
}

/// The smaller of the requested limit and that of the database.
fn max_payload(context: &Context, store: &dyn Store, reading: &Given<ImportOptions>) -> Result<usize> {
    let asked = context.max_payload(reading);
    let limit = usize::try_from(store.payload_limit()?)?;
    if limit < asked {
        log::info!(
            "the database accepts payloads of at most {limit} bytes: raise its limit with 'signwave migrate \
             --max-payload'"
        );
    }
    Ok(limit.min(asked))
}

/// Stores all rows, a chunk at a time.
fn import(rows: &mut dyn Rows, store: &dyn Store, name: &str, tally: &mut Tally) -> Result<()> {
    loop {
        let mut chunk = Vec::new();
        let ended = fill(rows, &mut chunk);
        store_chunk(&chunk, store, name, tally)?;
        match ended {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(malformed) => return Err(in_file(malformed, name)),
        }
    }
}

fn in_file(malformed: Malformed, name: &str) -> Error {
    anyhow!("{name}:{}: {}", malformed.line, malformed.reason)
}

/// Reads rows until the chunk is full (false) or the input ends (true). After an error, the chunk has the rows
/// before it.
fn fill(rows: &mut dyn Rows, chunk: &mut Vec<Row>) -> Result<bool, Malformed> {
    let mut bytes = 0;
    while chunk.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        let Some(row) = rows.next()? else { return Ok(true) };
        bytes += row.record.payload.len();
        chunk.push(row);
    }
    Ok(false)
}

fn store_chunk(chunk: &[Row], store: &dyn Store, name: &str, tally: &mut Tally) -> Result<()> {
    let records: Vec<_> = chunk
        .iter()
        .map(|Row { record, .. }| NewRecord {
            external_id: record.external_id.as_deref(),
            payload: &record.payload,
        })
        .collect();
    // If we die here, the chunk is stored completely or not at all. Importing again adds what is missing.
    for (verdict, row) in store.insert_records(&records, OnConflict::Stop)?.into_iter().zip(chunk) {
        match verdict {
            InsertVerdict::Inserted(_) => tally.imported += 1,
            InsertVerdict::AlreadyThere(_) => tally.there += 1,
            InsertVerdict::Conflict => bail!(
                "{name}:{}: external_id '{}' is there with another payload, which is never overwritten: give the row \
                 another external_id",
                row.line,
                shown(row.record.external_id.as_deref().unwrap_or_default())
            ),
        }
    }
    Ok(())
}

/// How many rows were imported so far, and how many were stored before.
#[derive(Default)]
struct Tally {
    imported: u64,
    there: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} imported, {} already stored", self.imported, self.there)
    }
}

/// Reports to the progress bar how much was read.
struct CountingReader<'a> {
    input: Box<dyn Read>,
    progress: &'a ProgressDisplay,
}

impl Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}
