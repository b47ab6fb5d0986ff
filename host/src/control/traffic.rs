//! The shares of an endpoint's requests: which deployment gets how much, and which gets a copy.

use std::collections::BTreeMap;

use crate::fault::Fault;

/// Azure's limit of the share that is mirrored.
const MOST_MIRRORED: u8 = 50;

/// Percent by deployment.
pub(super) type Shares = BTreeMap<String, u8>;

/// Live and mirrored shares by the names that the deployments have, without those of 0. The SDK writes all names in
/// small letters.
pub(super) fn check(
    live: &Shares,
    mirrored: &Shares,
    deployments: &[&str],
) -> Result<(Shares, Shares), Fault> {
    let live = named("traffic", live, deployments)?;
    let mirrored = named("mirrorTraffic", mirrored, deployments)?;
    let sum: u32 = live.values().copied().map(u32::from).sum();
    if sum != 0 && sum != 100 {
        return Err(Fault::bad_argument(format!("traffic adds up to {sum}, not to 0 or 100")));
    }
    if mirrored.len() > 1 {
        let message = "mirrorTraffic names more than one deployment; Azure mirrors to one";
        return Err(Fault::bad_argument(message));
    }
    if let Some((name, percent)) = mirrored.first_key_value() {
        if *percent > MOST_MIRRORED {
            return Err(Fault::bad_argument(format!(
                "mirrorTraffic of `{name}` is {percent}, more than Azure's {MOST_MIRRORED} percent"
            )));
        }
        if live.contains_key(name) {
            return Err(Fault::bad_argument(format!(
                "deployment `{name}` has live traffic and cannot have mirrored traffic too; \
                 set one of them to 0"
            )));
        }
    }
    Ok((live, mirrored))
}

fn named(key: &str, shares: &Shares, deployments: &[&str]) -> Result<Shares, Fault> {
    let given = shares.iter().filter(|(_, percent)| **percent > 0);
    let there = |name: &str| {
        let same = deployments.iter().find(|known| **known == name);
        same.or_else(|| deployments.iter().find(|known| known.eq_ignore_ascii_case(name)))
    };
    given
        .map(|(name, percent)| match there(name) {
            Some(name) => Ok(((*name).to_owned(), *percent)),
            None => Err(Fault::bad_argument(format!(
                "{key} names deployment `{name}`, which is not there; create it first"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(pairs: &[(&str, u8)]) -> Shares {
        pairs.iter().map(|(name, percent)| ((*name).to_owned(), *percent)).collect()
    }

    fn checked(live: &[(&str, u8)], mirrored: &[(&str, u8)]) -> Option<(Shares, Shares)> {
        check(&shares(live), &shares(mirrored), &["blue", "Green"]).ok()
    }

    #[test]
    fn live_traffic_adds_up_to_nothing_or_all_of_what_is_there() {
        for good in [&[][..], &[("blue", 60), ("green", 40)], &[("gone", 0)]] {
            assert!(checked(good, &[]).is_some(), "{good:?}");
        }
        for wrong in [&[("blue", 60)][..], &[("blue", 60), ("green", 50)], &[("gone", 100)]] {
            assert!(checked(wrong, &[]).is_none(), "{wrong:?}");
        }
        let (live, _) = checked(&[("BLUE", 0), ("green", 100)], &[]).unwrap();
        assert_eq!(live, shares(&[("Green", 100)]), "by its own name, and without zeros");
    }

    #[test]
    fn mirrored_traffic_goes_to_one_without_live_traffic_up_to_half() {
        let live = [("blue", 100)];
        assert!(checked(&live, &[("green", 50)]).is_some());
        for wrong in [&[("green", 51)][..], &[("blue", 10)], &[("gone", 10)]] {
            assert!(checked(&live, wrong).is_none(), "{wrong:?}");
        }
        assert!(checked(&[], &[("blue", 10), ("green", 10)]).is_none());
    }
}
