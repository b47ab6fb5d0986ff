//! What is to be known, before a load begins, about how it reaches its target: things that other
//! clients do otherwise, and things that a user would not see in the results.

use std::net::SocketAddr;

use plimsoll_loadgen::{Checked, TlsOptions};

/// Nobody is verified.
pub(super) fn insecure(checked: &Checked, tls: &TlsOptions) -> Option<String> {
    let insecure = checked.secure && tls.insecure;
    insecure.then(|| {
        "the server's certificate is NOT verified (--insecure): whoever answers, also somebody on \
         the way, gets the requests and the key"
            .to_owned()
    })
}

/// The environment names a proxy, which every other client would use. `variable` reads one.
pub(super) fn proxy(
    checked: &Checked,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let set = |name: &&str| variable(name).is_some_and(|value| !value.trim().is_empty());
    let of_scheme = if checked.secure {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    };
    let name = of_scheme.iter().find(|name| set(name))?;
    let excepted = ["no_proxy", "NO_PROXY"].iter().find_map(|name| variable(name));
    if excepted.is_some_and(|list| list.split(',').any(|entry| covers(entry, &checked.name))) {
        return None;
    }
    Some(format!(
        "{name} names a proxy, which is not used: the load goes straight to `{}`; if only the proxy \
         reaches it, load it from a machine that does",
        checked.name
    ))
}

/// The name has several addresses, of which each worker uses one.
pub(super) fn addresses(checked: &Checked, addresses: &[SocketAddr]) -> Option<String> {
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    (list.len() > 1).then(|| {
        format!(
            "`{}` has {} addresses, {}; each worker loads the first that connects, and results name \
             it; name an address in the URL to choose",
            checked.name,
            list.len(),
            list.join(", ")
        )
    })
}

/// Whether an entry of `NO_PROXY` is this host or a domain of it.
fn covers(entry: &str, host: &str) -> bool {
    let entry = entry.trim().trim_start_matches('.').to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let is_domain = |rest: &str| rest.is_empty() || rest.ends_with('.');
    entry == "*" || (!entry.is_empty() && host.strip_suffix(entry.as_str()).is_some_and(is_domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(url: &str) -> Checked {
        plimsoll_loadgen::Target::check(url).unwrap()
    }

    #[test]
    fn a_proxy_that_is_not_used_is_named_unless_the_host_is_excepted() {
        // (URL, variables, the one that is named)
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);
        let table: [Row<'_>; 9] = [
            ("http://a.example/", &[("HTTP_PROXY", "http://u:pa55@p:1")], Some("HTTP_PROXY")),
            ("http://a.example/", &[("HTTPS_PROXY", "http://p:1")], None),
            ("https://a.example/", &[("https_proxy", "http://p:1")], Some("https_proxy")),
            ("https://a.example/", &[("ALL_PROXY", "socks5://p:1")], Some("ALL_PROXY")),
            ("http://a.example/", &[("http_proxy", " ")], None),
            ("http://a.example/", &[("http_proxy", "p"), ("NO_PROXY", "b, example")], None),
            ("http://a.example/", &[("http_proxy", "p"), ("no_proxy", ".A.example")], None),
            ("http://a.example/", &[("http_proxy", "p"), ("no_proxy", "*")], None),
            ("http://ba.example/", &[("http_proxy", "p"), ("no_proxy", "a.example,")], Some("h")),
        ];
        for (url, variables, expected) in table {
            let found = |name: &str| variables.iter().find(|(other, _)| *other == name);
            let told = proxy(&checked(url), |name| found(name).map(|(_, v)| (*v).to_owned()));
            assert_eq!(told.is_some(), expected.is_some(), "{url} {variables:?}: {told:?}");
            let told = told.unwrap_or_default();
            assert!(told.starts_with(expected.unwrap_or_default()) && !told.contains("pa55"));
        }
    }

    #[test]
    fn what_is_not_verified_and_what_is_not_loaded_is_told() {
        let tls = TlsOptions { insecure: true, ..TlsOptions::default() };
        let of = |url: &str, tls: &TlsOptions| insecure(&checked(url), tls);
        assert!(of("https://a.example/", &tls).is_some());
        assert_eq!(of("http://a.example/", &tls), None, "there is no certificate");
        assert_eq!(of("https://a.example/", &TlsOptions::default()), None);
        let both: [SocketAddr; 2] = ["[::1]:80", "127.0.0.1:80"].map(|a| a.parse().unwrap());
        let told = addresses(&checked("http://a.example/"), &both).unwrap();
        assert!(told.contains("[::1]:80, 127.0.0.1:80"), "{told}");
        assert_eq!(addresses(&checked("http://a.example/"), &both[..1]), None);
    }
}
