//! A client that does just what a test says, over a plain socket.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// How long a test waits for a byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request whose body is sent, and whose answer is read, as the test likes.
pub struct Exchange {
    /// Where the request goes.
    pub stream: TcpStream,
}

/// An answer whose body has not been read.
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    body: Body,
}

struct Body {
    from: BufReader<TcpStream>,
    /// Bytes left of this chunk, or of the whole body.
    left: u64,
    is_chunked: bool,
    is_ended: bool,
}

impl Exchange {
    /// Sends the head of a POST, with `headers` besides `Host` and the token.
    pub fn post(to: SocketAddr, token: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {token}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut exchange = Self::connect(to)?;
        exchange.send((head + "\r\n").as_bytes())?;
        Ok(exchange)
    }

    /// Connects, and sends nothing.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Begins a bulk request, the body of which comes in chunks.
    pub fn bulk(to: SocketAddr, token: &str, query: &str) -> io::Result<Self> {
        let headers = [("content-type", "application/x-ndjson"), ("transfer-encoding", "chunked")];
        Self::post(to, token, &format!("/v1/records/bulk{query}"), &headers)
    }

    /// Sends a chunk of the body.
    pub fn chunk(&mut self, text: &str) -> io::Result<()> {
        write!(self.stream, "{:x}\r\n{text}\r\n", text.len())
    }

    /// Ends a body that came in chunks.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    /// Reads the head of the answer. The body can still be sent.
    pub fn answer(&self) -> io::Result<Answer> {
        let mut from = BufReader::new(self.stream.try_clone()?);
        let status_line = line(&mut from)?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = HashMap::new();
        loop {
            let line = line(&mut from)?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let is_chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let left = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let body = Body { from, left, is_chunked, is_ended: false };
        Ok(Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, headers, body })
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.is_chunked && !self.is_ended {
            let size = line(&mut self.from)?;
            self.left = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
            self.is_ended = self.left == 0;
            self.left += 2; // the line end behind the chunk is taken off below
        }
        if self.is_chunked && self.left <= 2 {
            if self.left > 0 {
                line(&mut self.from)?;
                self.left = 0;
            }
            return if self.is_ended { Ok(0) } else { self.read(buffer) };
        }
        let behind = if self.is_chunked { 2 } else { 0 };
        let most = buffer.len().min((self.left - behind) as usize);
        let count = self.from.read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

impl Answer {
    /// The whole body.
    pub fn text(mut self) -> io::Result<String> {
        let mut text = String::new();
        self.body.read_to_string(&mut text)?;
        Ok(text)
    }

    /// The whole body as JSON.
    pub fn json(self) -> Value {
        let text = self.text().unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON: {text}"))
    }

    /// The body's lines of JSON, each as it comes.
    pub fn lines(self) -> impl Iterator<Item = io::Result<Value>> {
        let lines = BufReader::new(self.body).lines();
        lines.map(|line| line.map(|line| serde_json::from_str(&line).expect("a line of JSON")))
    }
}

/// Sends a whole request, and reads the head of the answer.
pub fn post(
    to: SocketAddr,
    token: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let length = body.len().to_string();
    let headers = [&[("content-length", length.as_str()), ("connection", "close")], headers].concat();
    let mut exchange = Exchange::post(to, token, path, &headers)?;
    exchange.stream.write_all(body)?;
    exchange.answer()
}
