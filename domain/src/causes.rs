//! An error with its causes, as one sentence.

use std::error::Error;
use std::iter::from_fn;

use crate::json_words;

/// The error and its causes, the outermost first.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The error and its causes, each only where it says something new: `cannot connect: refused`.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let words = |cause: &(dyn Error + 'static)| match cause.downcast_ref::<serde_json::Error>() {
        Some(error) => json_words(error),
        None => cause.to_string(),
    };
    causes(error).fold(String::new(), |text, cause| match words(cause) {
        part if text.contains(&part) => text,
        part if text.is_empty() => part,
        part => format!("{text}: {part}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_are_told_once() {
        let deepest = Link("refused", None);
        let middle = Link("cannot connect: refused", Some(Box::new(deepest)));
        let outer = Link("the endpoint failed", Some(Box::new(middle)));
        assert_eq!(with_causes(&outer), "the endpoint failed: cannot connect: refused");
        assert_eq!(causes(&outer).count(), 3);
    }
}
