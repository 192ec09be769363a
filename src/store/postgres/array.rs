//! Arrays as texts: one value of a statement stands for many.

/// The text of an array, as PostgreSQL reads it.
pub(super) fn array<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    format!("{{{}}}", values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_written_as_postgresql_reads_it() {
        assert_eq!(array([1, -2]), "{1,-2}");
        assert_eq!(array(Vec::<i64>::new()), "{}");
    }
}
