//! URLs and paths: their queries may hold keys.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::Deserialize;

/// A URL, or a path with its query; `Debug` leaves out what may be secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Without its query and without a user's name and password.
    pub fn shown(&self) -> String {
        let (address, query) = match self.0.split_once('?') {
            Some((address, _)) => (address, "?…"),
            None => (self.0.as_str(), ""),
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return format!("{address}{query}");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}{query}")
    }
}

impl Deref for Address {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Address {
    fn from(address: String) -> Self {
        Self(address)
    }
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(address: &str) -> Result<Self, Infallible> {
        Ok(Self(address.to_owned()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let shown = |text: &str| Address::from(text.to_owned()).shown();
        assert_eq!(shown("https://u:pa55@host:1/score?code=k3y"), "https://host:1/score?…");
        assert_eq!(shown("/score?code=k3y"), "/score?…");
        assert_eq!(shown("http://host/a@b"), "http://host/a@b");
        assert_eq!(format!("{:?}", Address::from("x://h?k".to_owned())), "\"x://h?…\"");
    }
}
