//! Sanitises text from users, files and databases before it is shown.

/// Sanitises text from a user. The result ends at the first address, because it may hold a password, and at the first
/// token. Control
/// characters, which could move the cursor or look like another line, are escaped. Long text is cut.
pub fn shown(text: &str) -> String {
    let (text, cut) = match address(text) {
        Some(at) => (&text[..at], true),
        None => (text, false),
    };
    let mut printable = text.chars().flat_map(printable);
    let mut shown: String = printable.by_ref().take(LONGEST).collect();
    if cut || printable.next().is_some() {
        shown.push_str("..");
    }
    shown
}

/// Sanitises a sentence that contains text from a database or a file. Characters that could move the cursor of a
/// terminal, change its colours or reverse the direction of text are escaped. Tokens are left out.
pub fn plain(text: &str) -> String {
    without_tokens(text).chars().flat_map(printable).collect()
}

/// Leaves out what follows `swt_`, with which every token begins, and `whsec_`, with which the secret of a webhook does: a
/// user may have given one in the wrong place.
pub fn without_tokens(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = in_secret(rest) {
        let (before, token) = rest.split_at(at);
        let end =
            token.find(|c: char| !c.is_ascii_alphanumeric() && !"_+/=".contains(c)).unwrap_or(token.len());
        kept.push_str(before);
        kept.push_str(if end > 0 { ".." } else { "" });
        rest = &token[end..];
    }
    kept + rest
}

/// With what every token and every secret of a webhook begins.
const SECRETS: [&str; 2] = ["swt_", "whsec_"];

/// The position behind the first of them.
fn in_secret(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    SECRETS.iter().filter_map(|begins| text.find(begins).map(|at| at + begins.len())).min()
}

/// As [`plain`], but long text is cut: for a name, or a reason.
pub fn field(text: &str) -> String {
    let mut printable = text.chars().flat_map(printable);
    let mut shown: String = printable.by_ref().take(LONGEST).collect();
    if printable.next().is_some() {
        shown.push_str("..");
    }
    shown
}

/// JSON with all control characters escaped. The serialiser leaves those above ASCII, which a terminal obeys, too.
pub fn json(value: &serde_json::Value) -> String {
    named_in_json(&format!("{value:#}"))
}

/// As [`json`], in one line.
pub fn json_line(value: &serde_json::Value) -> String {
    named_in_json(&value.to_string())
}

fn named_in_json(json: &str) -> String {
    let mut named = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings, only line ends are such characters. All of them are below U+10000: four digits suffice.
        if is_obeyed(c) && c != '\n' {
            named.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            named.push(c);
        }
    }
    named
}

/// Whether a terminal obeys the character instead of showing it.
fn is_obeyed(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The position after the scheme of the first address, after the user in what looks like `user:password@host`, or after
/// the first characters of a token.
fn address(text: &str) -> Option<usize> {
    let behind_scheme = text.find("://").map(|at| at + 3);
    let behind_user = text.find('@').and_then(|at| {
        let word = text[..at].rsplit(char::is_whitespace).next()?;
        let colon = at - word.len() + word.find(':')?;
        Some(if text[colon..].starts_with("://") { colon + 3 } else { colon + 1 })
    });
    behind_scheme.into_iter().chain(behind_user).chain(in_secret(text)).min()
}

const LONGEST: usize = 200;

fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = if is_obeyed(c) { c.escape_default().collect() } else { vec![c] };
    escaped.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_named_in_text_and_in_json() {
        let evil = "a\u{1b}]0;x\u{7}\u{9b}2J\u{7f}\u{202e}\r\nb";
        assert_eq!(plain(evil), "a\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{7f}\\u{202e}\\r\\nb");
        assert_eq!(field(&"\u{1b}".repeat(99)).len(), LONGEST + 2);
        let value = serde_json::json!({ "name": evil, "other": "é" });
        for text in [json(&value), json_line(&value)] {
            assert!(text.chars().all(|c| c == '\n' || !is_obeyed(c)), "{text}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
        assert_eq!(json_line(&value).lines().count(), 1);
    }

    #[test]
    fn tokens_are_left_out_wherever_they_stand() {
        for (text, expected) in [
            ("'swt_abcdefghij_aaaq' cannot be read: swt_b7", "'swt_..' cannot be read: swt_.."),
            (
                "a token begins with swt_ and has 74 characters",
                "a token begins with swt_ and has 74 characters",
            ),
            ("é SWT_ABC.é", "é SWT_...é"),
            ("swt_swt_swt_", "swt_.."),
            ("'whsec_Ab+/9w==' is no name", "'whsec_..' is no name"),
            ("", ""),
        ] {
            assert_eq!(without_tokens(text), expected);
        }
        assert_eq!(plain("swt_a\n"), "swt_..\\n");
    }

    #[test]
    fn addresses_end_control_characters_are_named_and_long_texts_are_cut() {
        for (text, expected) in [
            ("unknown field `a`", "unknown field `a`"),
            (
                "invalid type: string \"postgres://u:secret@h/d\", expected",
                "invalid type: string \"postgres://..",
            ),
            ("a\u{1b}[2J\nb", "a\\u{1b}[2J\\nb"),
            ("'user:secret@host' found", "'user:.."),
            ("invalid type: string \"a@b\"", "invalid type: string \"a@b\""),
            ("secret:\u{2000}user@host", "secret:\u{2000}user@host"),
            ("\u{2000}user:secret@host", "\u{2000}user:.."),
            ("unexpected 'swt_abcdefghij_secret'", "unexpected 'swt_.."),
            ("é", "é"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(shown(&"é".repeat(201)), "é".repeat(200) + "..");
    }
}
