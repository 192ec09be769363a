//! Clients: one request after the other on a connection that stays, and bodies that never end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, Result, ensure};

/// A connection that stays.
pub struct Connection {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        let answers = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, answers, line: String::new(), body: Vec::new() })
    }

    /// Sends a request, whose head and body are one text, and returns the status and the body of the answer.
    pub fn send(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request)?;
        let (status, length) = self.head()?;
        self.body.resize(length.context("the answer has a length")?, 0);
        self.answers.read_exact(&mut self.body)?;
        Ok((status, &self.body))
    }

    /// The status of the next answer, and the length of its body if it has one.
    fn head(&mut self) -> Result<(u16, Option<usize>)> {
        let (mut status, mut length) = (None, None);
        loop {
            self.line.clear();
            ensure!(self.answers.read_line(&mut self.line)? > 0, "the connection was closed");
            let line = self.line.trim_end();
            match (status, line.split_once(':')) {
                (None, _) => status = Some(line.split(' ').nth(1).context("no status")?.parse()?),
                (Some(status), None) => return Ok((status, length)),
                (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse()?);
                }
                _ => {}
            }
        }
    }

    /// Sends a body in chunks, before anything is read, and returns the status and the last line of the answer.
    pub fn stream(mut self, head: &str, chunks: impl Iterator<Item = String>) -> Result<(u16, String)> {
        self.stream.write_all(head.as_bytes())?;
        for chunk in chunks {
            write!(self.stream, "{:x}\r\n{chunk}\r\n", chunk.len())?;
        }
        self.stream.write_all(b"0\r\n\r\n")?;
        let (status, _) = self.head()?;
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest)?;
        let last = rest.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        Ok((status, last.to_owned()))
    }
}
