//! What must not be shown of what servers say: some repeat in an error what they were asked with.

use std::collections::BTreeMap;

use plimsoll_domain::Class;
use plimsoll_domain::plain::excerpt;
use secrecy::{ExposeSecret, SecretString};

use super::site::Site;
use crate::scenario::Scenario;

/// So much of an example is shown.
const SHOWN: usize = 200;
/// What is shorter is no secret, and would tear words apart.
const SHORTEST: usize = 4;
/// Headers whose values are no secrets, but common words.
const NO_SECRETS: [&str; 4] = ["content-type", "accept", "user-agent", "host"];

/// The key, the values of headers and those in queries.
pub(super) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// What a scenario sends to a site.
    pub(super) fn of(scenario: &Scenario, site: &Site) -> Self {
        let key = site.key.as_ref().map(|key| key.expose_secret().to_owned());
        let headers = scenario.requests.iter().flat_map(|request| request.headers.iter());
        let headers = headers
            .filter(|(name, _)| !NO_SECRETS.contains(&name.to_ascii_lowercase().as_str()))
            .flat_map(|(_, value)| {
                // Of `Bearer KEY` the key alone is a secret, too.
                let bare = value.split_once(' ').map(|(_, rest)| rest.trim().to_owned());
                [Some(value.clone()), bare].into_iter().flatten()
            });
        let paths = scenario.requests.iter().filter_map(|request| request.path.as_deref());
        let queries = paths.chain([site.url.as_str()]).flat_map(|url| {
            let query = url.split_once('?').map_or("", |(_, query)| query);
            let values = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
            values.chain([query]).map(ToOwned::to_owned).collect::<Vec<_>>()
        });
        Self::new(key.into_iter().chain(headers).chain(queries))
    }

    fn new(all: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> =
            all.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        // A secret may be part of another.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all.into_iter().map(SecretString::from).collect())
    }

    /// Hides them in the examples of what went wrong, and makes these as short as they are shown.
    pub(super) fn hide_in(&self, examples: &mut BTreeMap<Class, String>) {
        for example in examples.values_mut() {
            self.hide(example);
            *example = excerpt(example, SHOWN);
        }
    }

    /// Hides them in a text.
    pub(super) fn hide(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.expose_secret()) {
                *text = text.replace(secret.expose_secret(), "…");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_is_hidden_before_it_is_cut() {
        let secrets = ["hush-hush", "Bearer hush-hush", "code=k3y-k3y", "k3y-k3y", "en"];
        let secrets = Secrets::new(secrets.map(ToOwned::to_owned));
        let long = format!("{}hush-hush", "x".repeat(SHOWN - 4));
        let mut examples = BTreeMap::from([
            (Class::Auth, "401: no Bearer hush-hush, when /score?code=k3y-k3y".to_owned()),
            (Class::ServerError, long),
        ]);
        secrets.hide_in(&mut examples);
        assert_eq!(examples[&Class::Auth], "401: no …, when /score?…");
        assert!(!examples[&Class::ServerError].contains("hush"), "{examples:?}");
    }
}
