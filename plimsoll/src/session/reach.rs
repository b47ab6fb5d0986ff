//! What is to be known, before a load begins, about how it reaches its target: things that other
//! clients do otherwise, and things that a user would not see in the results.

use std::net::{IpAddr, SocketAddr};

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
    let is_excepted = |list: String| {
        let mut entries = list.split([',', ' ']);
        entries.any(|entry| covers(entry, &checked.name, checked.port))
    };
    if excepted.is_some_and(is_excepted) {
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

/// Whether an entry of `NO_PROXY` is this host, a domain of it, or a network with it; an entry with
/// a port is about that port alone. As curl and Go read the variable: between commas or blanks, a
/// dot in front is left out, and an IPv6 address may be in brackets.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let (name, wanted) = split_port(&entry);
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Some((network, bits)) = name.split_once('/') {
        let inside =
            || Some(is_inside(host.parse().ok()?, network.parse().ok()?, bits.parse().ok()?));
        return inside().unwrap_or_default();
    }
    if name != "*"
        && let Ok(host) = host.parse::<IpAddr>()
    {
        return name.parse() == Ok(host);
    }
    let name = name.trim_start_matches("*.").trim_matches('.');
    let is_domain = |rest: &str| rest.is_empty() || rest.ends_with('.');
    let host = host.trim_end_matches('.');
    name == "*" || (!name.is_empty() && host.strip_suffix(name).is_some_and(is_domain))
}

/// An entry without its port, and the port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        // Two colons are an IPv6 address.
        Some((name, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Whether the first so many bits of both addresses are the same.
fn is_inside(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0)
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
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
    fn exceptions_are_read_as_curl_and_go_read_them() {
        let covered = [
            ("a.example:8080", "a.example", 8080),
            ("example:8080", "a.example", 8080),
            ("*.example", "a.example", 80),
            ("a.example.", "a.example", 80),
            ("10.0.0.0/8", "10.1.2.3", 80),
            ("10.1.2.3", "10.1.2.3", 80),
            ("10.1.2.3:81", "10.1.2.3", 81),
            ("0.0.0.0/0", "10.1.2.3", 80),
            ("[::1]", "[::1]", 80),
            ("[::1]:443", "::1", 443),
            ("::1", "::1", 443),
            ("fd00::/8", "fd12::1", 443),
            ("*", "a.example", 80),
        ];
        for (entry, host, port) in covered {
            assert!(covers(entry, host, port), "{entry} {host}:{port}");
        }
        let not = [
            ("a.example:8080", "a.example", 80),
            ("10.0.0.0/8", "11.1.2.3", 80),
            ("10.0.0.0/8", "a.example", 80),
            ("10.0.0.0/33", "10.0.0.1", 80),
            ("10.0.0.0/x", "10.0.0.1", 80),
            ("1.2.3", "10.1.2.3", 80),
            ("[::1]:443", "::1", 80),
            ("::1", "::2", 80),
            ("ample", "a.example", 80),
            ("", "a.example", 80),
            (".", "a.example", 80),
        ];
        for (entry, host, port) in not {
            assert!(!covers(entry, host, port), "{entry} {host}:{port}");
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
