//! Why a server refuses a connection, by SQLSTATE. libpq passes on only the text, in the server's language, so
//! the start of the refused connection is repeated here, up to the same refusal.
//!
//! Requests for a password are answered as libpq would, but the password is never sent in clear text, and TLS
//! is used wherever libpq uses it.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use bytes::BytesMut;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{Header, Message},
        frontend,
    },
};

use super::{address::Parts, percent::decode};

/// How long each answer may take.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The longest message that is read from a server, in bytes.
const MOST: usize = 64 << 10;

/// Where libpq was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A socket of this host.
    Socket(PathBuf),
    /// A host's name, its address and the port.
    Host(String, String, u16),
}

impl Place {
    /// Parses libpq's text: `on socket "PATH"`, `at "NAME" (ADDRESS), port PORT`, or the latter without the
    /// address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut quoted = text.split('"');
        let (kind, name, rest) = (quoted.next()?, quoted.next()?, quoted.next()?);
        if kind == "on socket " {
            return Some(Self::Socket(name.into()));
        }
        let (address, port) = rest.split_once(", port ")?;
        let address = address.trim().trim_start_matches('(').trim_end_matches(')');
        let address = if address.is_empty() { name } else { address };
        Some(Self::Host(name.to_owned(), address.to_owned(), port.parse().ok()?))
    }
}

/// The SQLSTATE with which the server refuses us, `00000` when it lets us in now, that of a crash when it is
/// gone, `None` when none of these can be told.
pub(super) fn sqlstate(place: &Place, parts: &Parts<'_>) -> Option<String> {
    let account = Account::of(place, parts)?;
    let answer = connect(place, &account).and_then(|stream| match stream {
        Some(stream) => refusal(stream, &account),
        None => Ok(None),
    });
    match answer {
        Ok(state) => state,
        // The server answered libpq a moment ago, so it has gone away since.
        Err(error) if is_gone(error.kind()) => Some("57P02".to_owned()),
        // After any other failure libpq's text is all that is known.
        Err(_) => None,
    }
}

/// Whether an error means that the server is stopping, or has stopped.
fn is_gone(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotFound, TimedOut, UnexpectedEof,
        WouldBlock,
    };
    // NotFound: the server's socket.
    [
        BrokenPipe,
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        NotFound,
        TimedOut,
        UnexpectedEof,
        WouldBlock,
    ]
    .contains(&kind)
}

/// The account, as libpq finds it in the address, the environment and the password file.
struct Account {
    user: String,
    database: String,
    password: Option<String>,
    tls: Tls,
}

struct Tls {
    mode: String,
    authority: Option<String>,
    certificate: Option<(String, String)>,
}

impl Account {
    fn of(place: &Place, parts: &Parts<'_>) -> Option<Self> {
        let setting = |name: &str, variable: &str| {
            parts.parameter(name).or_else(|| env::var(variable).ok()).filter(|value| !value.is_empty())
        };
        if setting("service", "PGSERVICE").is_some() {
            return None; // its file would have to be read as libpq does
        }
        let given = parts.user.unwrap_or_default();
        let (user, password) = given.split_once(':').map_or((given, None), |(user, word)| (user, Some(word)));
        let user = Some(decode(user)).filter(|user| !user.is_empty()).or_else(|| setting("user", "PGUSER"));
        let user = user.or_else(|| env::var("USER").ok())?;
        let database = Some(decode(parts.database)).filter(|database| !database.is_empty());
        let database = database.or_else(|| setting("dbname", "PGDATABASE")).unwrap_or_else(|| user.clone());
        let password = password.map(decode).or_else(|| setting("password", "PGPASSWORD"));
        let password = password.or_else(|| {
            password_in(setting("passfile", "PGPASSFILE").map(PathBuf::from), place, &user, &database)
        });
        let certificate = setting("sslcert", "PGSSLCERT").zip(setting("sslkey", "PGSSLKEY"));
        let mode = setting("sslmode", "PGSSLMODE")
            .or_else(|| parts.parameter("ssl").map(|_| "require".to_owned()))
            .unwrap_or_else(|| "prefer".to_owned());
        let tls = Tls {
            mode,
            authority: setting("sslrootcert", "PGSSLROOTCERT").or_else(own_authority),
            certificate,
        };
        Some(Self { user, database, password, tls })
    }
}

fn own_authority() -> Option<String> {
    let file = env::home_dir()?.join(".postgresql/root.crt");
    file.exists().then(|| file.to_string_lossy().into_owned())
}

/// The password in a line `host:port:database:user:password`, where `*` is any and a backslash takes the
/// next character as it is.
fn password_in(file: Option<PathBuf>, place: &Place, user: &str, database: &str) -> Option<String> {
    let file = file.or_else(|| Some(env::home_dir()?.join(".pgpass")))?;
    let (host, port) = match place {
        Place::Socket(path) => ("localhost", path.to_str()?.rsplit_once('.')?.1.to_owned()),
        Place::Host(name, _, port) => (name.as_str(), port.to_string()),
    };
    let wanted = [host, &port, database, user];
    BufReader::new(File::open(file).ok()?.take(1 << 20)).lines().map_while(Result::ok).find_map(|line| {
        let mut fields = fields(&line);
        let password = (fields.len() == 5).then(|| fields.pop())??;
        let fits = fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then_some(password)
    })
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut characters) = (vec![String::new()], line.chars());
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            ':' => fields.push(String::new()),
            '\\' => fields[last].extend(characters.next()),
            other => fields[last].push(other),
        }
    }
    fields
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(place: &Place, account: &Account) -> io::Result<Option<Box<dyn Stream>>> {
    match place {
        Place::Socket(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Some(Box::new(stream)))
        }
        Place::Host(name, address, port) => {
            let address: IpAddr = address.parse().map_err(io::Error::other)?;
            let stream = TcpStream::connect_timeout(&SocketAddr::new(address, *port), TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            secured(stream, name, &account.tls)
        }
    }
}

/// Starts TLS where libpq uses it; `None` where libpq would give up.
fn secured(mut stream: TcpStream, name: &str, tls: &Tls) -> io::Result<Option<Box<dyn Stream>>> {
    if ["disable", "allow"].contains(&tls.mode.as_str()) {
        return Ok(Some(Box::new(stream)));
    }
    let (mut request, mut answer) = (BytesMut::new(), [0]);
    frontend::ssl_request(&mut request);
    stream.write_all(&request)?;
    stream.read_exact(&mut answer)?;
    if answer != *b"S" {
        return Ok((tls.mode == "prefer").then(|| Box::new(stream) as _));
    }
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    match &tls.authority {
        Some(file) if file == "system" => {}
        Some(file) if tls.mode != "prefer" => builder.set_ca_file(file)?,
        // As libpq does without a certificate authority: any server is accepted.
        _ if !tls.mode.starts_with("verify") => builder.set_verify(SslVerifyMode::NONE),
        _ => return Ok(None),
    }
    if let Some((certificate, key)) = &tls.certificate {
        builder.set_certificate_chain_file(certificate)?;
        builder.set_private_key_file(key, SslFiletype::PEM)?;
    }
    let checks_name = tls.mode == "verify-full" || tls.authority.as_deref() == Some("system");
    let connector = builder.build().configure()?.verify_hostname(checks_name);
    Ok(Some(Box::new(connector.connect(name, stream).map_err(io::Error::other)?)))
}

/// Sends the account, and answers authentication requests, until the server refuses us or lets us in.
fn refusal(mut stream: Box<dyn Stream>, account: &Account) -> io::Result<Option<String>> {
    let (mut out, mut scram) = (BytesMut::new(), None);
    frontend::startup_message([("user", account.user.as_str()), ("database", &account.database)], &mut out)?;
    loop {
        stream.write_all(&out.split())?;
        let mut message = read(&mut stream)?;
        if message.starts_with(b"E") {
            return Ok(code(&message[HEADER..]));
        }
        match Message::parse(&mut message)?.ok_or(io::ErrorKind::InvalidData)? {
            Message::ReadyForQuery(_) => return Ok(Some("00000".to_owned())),
            Message::AuthenticationMd5Password(body) => {
                let Some(password) = &account.password else { return Ok(None) };
                let hash = md5_hash(account.user.as_bytes(), password.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), &mut out)?;
            }
            Message::AuthenticationSasl(_) => {
                let Some(password) = &account.password else { return Ok(None) };
                let begun = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), &mut out)?;
                scram = Some(begun);
            }
            Message::AuthenticationSaslContinue(body) => {
                let Some(scram) = &mut scram else { return Ok(None) };
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), &mut out)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let Some(scram) = &mut scram else { return Ok(None) };
                // A server that does not know the password is not ours.
                scram.finish(body.data())?;
            }
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_) => {}
            _ => return Ok(None),
        }
    }
}

/// Bytes before the body of a message: its type and its length.
const HEADER: usize = 5;

fn read(stream: &mut impl Read) -> io::Result<BytesMut> {
    let mut message = BytesMut::zeroed(HEADER);
    stream.read_exact(&mut message)?;
    let header = Header::parse(&message)?.ok_or(io::ErrorKind::InvalidData)?;
    let length = usize::try_from(header.len()).ok().filter(|length| *length <= MOST);
    message.resize(length.ok_or(io::ErrorKind::InvalidData)? + 1, 0);
    stream.read_exact(&mut message[HEADER..])?;
    Ok(message)
}

/// The field `C` of an error: fields are a letter and a text, and end with a zero.
fn code(body: &[u8]) -> Option<String> {
    let field = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"))?;
    String::from_utf8(field.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_says_where_it_was_refused() {
        let host =
            |name: &str, address: &str, port| Some(Place::Host(name.to_owned(), address.to_owned(), port));
        for (text, place) in [
            ("on socket \"/run/.s.PGSQL.5432\"", Some(Place::Socket("/run/.s.PGSQL.5432".into()))),
            ("at \"h\" (1.2.3.4), port 5432", host("h", "1.2.3.4", 5432)),
            ("at \"::1\", port 1", host("::1", "::1", 1)),
            ("at \"h\", port x", None),
            ("elsewhere", None),
        ] {
            assert_eq!(Place::parse(text), place, "{text}");
        }
    }

    #[test]
    fn a_line_of_the_file_of_passwords_fits_or_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "#x\nh:1:d:u:one\n*:*:a\\:b:u:t\\:wo:\n*:*:a\\:b:u:t\\:wo\n").unwrap();
        let place = Place::parse("at \"h\", port 1").unwrap();
        let of = |database: &str| password_in(Some(file.path().into()), &place, "u", database);
        assert_eq!((of("d").as_deref(), of("a:b").as_deref(), of("x")), (Some("one"), Some("t:wo"), None));
    }

    #[test]
    fn the_code_of_an_error_is_its_field_c() {
        assert_eq!(code(b"SFATAL\0VFATAL\0C53300\0Mzu viele\0\0").as_deref(), Some("53300"));
        assert_eq!(code(b"SFATAL\0\0"), None);
    }
}
