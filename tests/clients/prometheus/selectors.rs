//! Selectors: the metrics that an expression of PromQL names, with their labels.

/// Words after which labels are listed.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Other words that name no metric. Functions are known by their parenthesis.
const KEYWORDS: [&str; 10] = ["and", "or", "unless", "bool", "offset", "sum", "min", "max", "avg", "count"];

/// Every selector of an expression, such as `up` or `signwave_keys{state="active"}`.
pub fn selectors(expression: &str) -> Vec<&str> {
    let (mut found, mut rest, mut labels_follow) = (Vec::new(), expression, false);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let mut length = word.len().max(first.len_utf8());
        if first == '[' {
            length = past(rest, ']');
        } else if first == '(' && labels_follow {
            length = past(rest, ')');
        } else if is_metric(word, after) {
            length += if after.starts_with('{') { past(after, '}') } else { 0 };
            found.push(&rest[..length]);
        }
        if !first.is_whitespace() {
            labels_follow = BEFORE_LABELS.contains(&word);
        }
        rest = &rest[length..];
    }
    found
}

/// The metric of a selector.
pub fn metric(selector: &str) -> &str {
    selector.split('{').next().unwrap()
}

fn is_metric(word: &str, after: &str) -> bool {
    let is_known = KEYWORDS.contains(&word) || BEFORE_LABELS.contains(&word);
    word.starts_with(char::is_alphabetic) && !is_known && !after.trim_start().starts_with('(')
}

/// Where the text behind the first `end` begins.
fn past(text: &str, end: char) -> usize {
    text.find(end).unwrap() + end.len_utf8()
}

#[test]
fn the_selectors_of_an_expression_are_found() {
    let expression = r#"sum by (job, le) (rate(a_total{status=~"5..|x (y)"}[5m])) / on (job) max(b) > 0.01 and c - time() < 14"#;
    assert_eq!(selectors(expression), [r#"a_total{status=~"5..|x (y)"}"#, "b", "c"]);
}
