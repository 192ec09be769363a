//! What people gave, made fit to be shown to them.

/// The text up to the first address in it, which may hold a password; without control characters, which
/// could move the cursor or look like another line; and no longer than anybody reads.
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

/// Behind the scheme of the first address, or behind the first half of what looks like `user:password@host`.
fn address(text: &str) -> Option<usize> {
    let behind_scheme = text.find("://").map(|at| at + 3);
    let behind_user = text.find('@').and_then(|at| {
        let word = text[..at].rsplit(char::is_whitespace).next()?;
        let colon = at - word.len() + word.find(':')?;
        Some(if text[colon..].starts_with("://") { colon + 3 } else { colon + 1 })
    });
    behind_scheme.into_iter().chain(behind_user).min()
}

const LONGEST: usize = 200;

fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = if c.is_control() { c.escape_default().collect() } else { vec![c] };
    escaped.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("é", "é"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(shown(&"é".repeat(201)), "é".repeat(200) + "..");
    }
}
