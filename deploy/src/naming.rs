//! Names of endpoints and deployments, by Azure's rules.

/// Why this cannot be the name of an endpoint or a deployment: these have 3 to 32 letters, digits and
/// hyphens, a letter first, no hyphen last. Two hyphens in a row are allowed, as the command line
/// allows them.
pub fn fault(name: &str) -> Option<String> {
    let length = name.chars().count();
    if !(3..=32).contains(&length) {
        return Some(format!("its length is {length}, and Azure allows 3 to 32"));
    }
    if let Some(odd) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return Some(format!("only letters, digits and hyphens are allowed, not `{odd}`"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Some("it must start with a letter".to_owned());
    }
    name.ends_with('-').then(|| "it must end with a letter or a digit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_azure_does() {
        for good in ["abc", "a1-b", "my-endpoint-2", "a--b"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in ["ab", "1abc", "abc-", "a_b", "a/b", &"a".repeat(33)] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
