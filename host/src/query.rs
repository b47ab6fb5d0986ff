//! The query of an address.

use percent_encoding::percent_decode_str;

/// Names and values, decoded, in their order.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn read(query: Option<&str>) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// The first value by that name, in any case, as Azure reads them.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let query = Query::read(Some("%24orderBy=createdtime%20desc&$top=1&empty&a=b%2Bc+d"));
        assert_eq!(query.get("$orderby"), Some("createdtime desc"));
        assert_eq!(query.get("$TOP"), Some("1"));
        assert_eq!((query.get("empty"), query.get("none")), (Some(""), None));
        assert_eq!(query.get("a"), Some("b+c d"));
        assert_eq!(Query::read(None).get("a"), None);
    }
}
