//! As much of PostgreSQL's protocol (version 3) as it takes to see a COMMIT and the answer to it.

use std::collections::HashMap;

/// What passes over one connection.
#[derive(Default)]
pub struct Conversation {
    sent: Vec<u8>,
    answered: Vec<u8>,
    started: bool,
    /// The client asked for encryption: the server answers with one byte, without a header.
    asked_for_encryption: bool,
    /// It is encrypted: nothing can be seen any more.
    opaque: bool,
    statements: HashMap<Vec<u8>, Vec<u8>>,
    portals: HashMap<Vec<u8>, Vec<u8>>,
    /// What this connection's transaction has said so far.
    transaction: Vec<Vec<u8>>,
    /// Whether a transaction was begun: otherwise each statement commits itself.
    begun: bool,
    withheld: bool,
    committed: bool,
}

/// What an answer is to the one who waits for it.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// He may have it.
    Public,
    /// He may not, and it goes on.
    Unfinished,
    /// He may not, and it is complete.
    Withheld {
        /// Whether the server says that the transaction is committed.
        committed: bool,
    },
}

/// The requests that come without a type: SSLRequest and GSSENCRequest, before StartupMessage.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

impl Conversation {
    /// Notes what the client sends; returns whether the end of it commits a transaction in which
    /// `about` was said, be it by a COMMIT or as an INSERT outside of transactions.
    pub fn sent(&mut self, bytes: &[u8], about: &str) -> bool {
        if self.opaque {
            return false;
        }
        self.sent.extend_from_slice(bytes);
        let mut commits = false;
        while let Some((kind, body)) = take_message(&mut self.sent, self.started) {
            match kind {
                None => {
                    let code = u32::from_be_bytes(body[..4].try_into().unwrap());
                    self.asked_for_encryption = ENCRYPTION_REQUESTS.contains(&code);
                    self.started = !self.asked_for_encryption;
                }
                Some(kind) => commits |= self.message(kind, &body, about),
            }
        }
        commits
    }

    fn message(&mut self, kind: u8, body: &[u8], about: &str) -> bool {
        let mut texts = body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let mut next = || texts.next().unwrap_or_default();
        match kind {
            b'Q' => return self.runs(next(), about),
            b'P' => {
                let name = next();
                self.statements.insert(name, next());
            }
            b'B' => {
                let portal = next();
                let sql = self.statements.get(&next()).cloned().unwrap_or_default();
                self.portals.insert(portal, sql);
            }
            b'E' => {
                let sql = self.portals.get(&next()).cloned().unwrap_or_default();
                return self.runs(sql, about);
            }
            _ => {}
        }
        false
    }

    fn runs(&mut self, sql: Vec<u8>, about: &str) -> bool {
        let text = String::from_utf8_lossy(&sql).trim().trim_end_matches(';').to_ascii_uppercase();
        if text == "COMMIT" || text == "END" {
            let said = |sql: &Vec<u8>| String::from_utf8_lossy(sql).contains(about);
            let matters = about.is_empty() || self.transaction.iter().any(said);
            self.transaction.clear();
            self.begun = false;
            return matters;
        }
        if text.starts_with("BEGIN") || text.starts_with("ROLLBACK") {
            self.transaction.clear();
            self.begun = text.starts_with("BEGIN");
        }
        let commits_itself = !self.begun && !about.is_empty() && text.starts_with("INSERT");
        let matters = commits_itself && String::from_utf8_lossy(&sql).contains(about);
        self.transaction.push(sql);
        matters
    }

    /// From now on the client gets no answer.
    pub fn withhold(&mut self) {
        self.withheld = true;
    }

    /// Notes what the server answers.
    pub fn answered(&mut self, mut bytes: &[u8]) -> Answer {
        if self.opaque {
            return Answer::Public;
        }
        if self.asked_for_encryption && !bytes.is_empty() {
            self.asked_for_encryption = false;
            self.opaque = bytes[0] != b'N';
            bytes = &bytes[1..];
        }
        self.answered.extend_from_slice(bytes);
        let mut complete = false;
        while let Some((kind, body)) = take_message(&mut self.answered, true) {
            match kind {
                Some(b'C') if self.withheld => {
                    self.committed |= body == b"COMMIT\0" || !self.begun && body.starts_with(b"INSERT ");
                }
                Some(b'Z') => complete = true,
                _ => {}
            }
        }
        match (self.withheld, complete) {
            (false, _) => Answer::Public,
            (true, false) => Answer::Unfinished,
            (true, true) => Answer::Withheld { committed: self.committed },
        }
    }
}

/// Takes the first message off, if all of it is there: its type, if messages have one, and its body.
fn take_message(bytes: &mut Vec<u8>, typed: bool) -> Option<(Option<u8>, Vec<u8>)> {
    let header = usize::from(typed);
    let length = bytes.get(header..header + 4)?;
    let end = header + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    if bytes.len() < end {
        return None;
    }
    let message: Vec<u8> = bytes.drain(..end).collect();
    Some((typed.then(|| message[0]), message[header + 4..].to_vec()))
}
