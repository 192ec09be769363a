//! Log lines on stderr, as text or JSON, printed without breaking the progress bars.

use std::io::{self, Write};

use env_logger::{Builder, Target};
use indicatif::MultiProgress;
use log::LevelFilter;

use super::options::LogFormat;
use crate::formats::shown::{json_line, plain, without_tokens};

/// Starts logging. `verbose` counts the `-v` flags.
pub fn init(format: LogFormat, verbose: u8, bars: &MultiProgress) {
    let level = match verbose {
        0 | 1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let mut builder = Builder::new();
    builder.filter_level(level);
    // These libraries trace what they send, such as a password. What fails in them is logged by the intake.
    for library in
        ["lapin", "amq_protocol", "tcp_stream", "async_rs", "rustls_connector", "async_nats", "tracing"]
    {
        builder.filter_module(library, LevelFilter::Off);
    }
    builder.target(Target::Pipe(Box::new(Beside(bars.clone()))));
    match format {
        LogFormat::Text => builder.format(|out, record| {
            writeln!(
                out,
                "{} {:5} {}",
                out.timestamp_seconds(),
                record.level(),
                plain(&record.args().to_string())
            )
        }),
        LogFormat::Json => builder.format(|out, record| {
            let line = serde_json::json!({
                "time": out.timestamp_millis().to_string(),
                "level": record.level().as_str().to_lowercase(),
                "target": record.target(),
                "message": without_tokens(&record.args().to_string()),
            });
            writeln!(out, "{}", json_line(&line))
        }),
    };
    // This fails only if a logger is set already, as in tests that run several commands in one process.
    let _ = builder.try_init();
}

/// Standard error. The progress bars are hidden while it is written to.
struct Beside(MultiProgress);

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
