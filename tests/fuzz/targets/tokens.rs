//! Hardware tokens: which key a row of the database means, and what the process that holds a token answers.

use signwave::signer::token::{
    Location,
    protocol::{Reply, read_line, write_line},
};

/// A location names one key, in one form, and nothing of the token.
pub fn token_location(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let location: Location = match text.parse() {
        Ok(location) => location,
        Err(error) => return super::readable(&signwave::signer::token::LocationError::to_string(&error)),
    };
    let (id, label) = (location.id().unwrap_or_default(), location.label().unwrap_or_default());
    assert!(!id.is_empty() || !label.is_empty(), "{text}");
    assert!(id.len() <= Location::LONGEST && label.len() <= Location::LONGEST, "{text}");
    assert_eq!(Location::new(id, label.as_bytes()).as_ref(), Ok(&location), "{text}");
    let shown = location.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&location), "{text}");
    assert!(shown.is_ascii() && !shown.contains(char::is_control) && !shown.contains('?'), "{text}");
}

/// Answers are bounded, and come out as they went in.
pub fn token_answers(bytes: &[u8]) {
    let mut input = bytes;
    while let Ok(Some(reply)) = read_line::<Reply>(&mut input) {
        let mut line = Vec::new();
        write_line(&mut line, &reply).unwrap();
        let again: Reply = read_line(&mut line.as_slice()).unwrap().unwrap();
        assert_eq!((again.id, again.answer), (reply.id, reply.answer));
    }
}
