//! Names of endpoints and deployments, and references to registered assets, by Azure's rules.

use plimsoll_document::Wrong;

use crate::naming;

/// An endpoint or deployment name, and if it cannot be one, one that could.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Wrong> {
    let Some(fault) = naming::fault(name) else { return Ok(()) };
    let wrong = Wrong::new(format!("`{name}` cannot be the name of {what}: {fault}"));
    let better = better_name(name);
    Err(if naming::fault(&better).is_none() {
        wrong.hint(format!("`{better}` would do"))
    } else {
        wrong.hint("3 to 32 letters, digits and hyphens, a letter first")
    })
}

fn better_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(allowed).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let name: String = name.chars().take(32).collect();
    name.trim_end_matches('-').to_owned()
}

/// The kinds of asset that a deployment refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssetKind {
    Model,
    Environment,
    Code,
}

impl AssetKind {
    /// Its key in a deployment file.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Environment => "environment",
            Self::Code => "code",
        }
    }

    /// Its part of a resource id.
    fn collection(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Environment => "environments",
            Self::Code => "codes",
        }
    }
}

/// Whether a text is the id of something registered in a workspace, as `az … show` prints it.
pub(super) fn is_resource_id(text: &str) -> bool {
    text.trim_start_matches('/').starts_with("subscriptions/")
}

/// A reference to a registered asset: `azureml:<name>:<version>`, `azureml:<name>@<label>`,
/// `azureml:` before an ARM id, or the address of a registry's asset.
pub(super) fn check_reference(kind: AssetKind, text: &str) -> Result<(), Wrong> {
    let (key, collection) = (kind.key(), kind.collection());
    let right =
        format!("write `azureml:<name>:<version>`, or a map to describe the {key} in place");
    if let Some(address) = text.strip_prefix("azureml://") {
        let parts: Vec<&str> = address.split('/').collect();
        return match parts.as_slice() {
            ["registries", registry, what, name, "versions" | "labels", version]
                if *what == collection
                    && ![registry, name, version].iter().any(|p| p.is_empty()) =>
            {
                Ok(())
            }
            _ => Err(Wrong::new(format!("`{text}` is no address of a registry's {key}")).hint(
                format!("`azureml://registries/<registry>/{collection}/<name>/versions/<version>`"),
            )),
        };
    }
    let Some(name) = text.strip_prefix("azureml:") else {
        if kind == AssetKind::Code && is_resource_id(text) {
            return Ok(()); // as `az … show` prints it
        }
        let wrong = Wrong::new(format!("`{text}` is no reference to a registered {key}"));
        return Err(match text.split_once([':', '@']) {
            Some((name, version)) if !name.contains(['/', '.']) && !version.contains('/') => {
                wrong.hint(format!("put `azureml:` before it: `azureml:{text}`"))
            }
            _ if text.starts_with("/subscriptions/") => {
                wrong.hint("put `azureml:` before the resource id")
            }
            _ if kind == AssetKind::Model && text.contains(['/', '.']) => {
                wrong.hint(format!("for files on this machine write `model: {{path: {text}}}`"))
            }
            _ => wrong.hint(right),
        });
    };
    if name.starts_with('/') {
        let wanted = format!("/{collection}/");
        return if name.starts_with("/subscriptions/") && name.contains(&wanted) {
            Ok(())
        } else {
            Err(Wrong::new(format!("`{name}` is no resource id of a registered {key}"))
                .hint(format!("it has `/subscriptions/` first and `{wanted}` in it")))
        };
    }
    let parts: Vec<&str> = name.split([':', '@']).collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if parts.len() <= 2 && parts.iter().all(plain) {
        Ok(())
    } else {
        Err(Wrong::new(format!("`{text}` is no reference to a registered {key}")).hint(right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_azure() {
        for good in ["abc", "my-endpoint", "a--b", "A1b2", &"x".repeat(32)] {
            assert_eq!(check_name("an endpoint", good), Ok(()), "{good}");
        }
        for bad in ["ab", "1abc", "a_b_c", "abc-", "-abc", "größe", &"x".repeat(33), ""] {
            assert!(check_name("an endpoint", bad).is_err(), "{bad}");
        }
        let wrong = check_name("an endpoint", "my_endpoint").unwrap_err();
        assert!(wrong.message.contains("not `_`"), "{wrong:?}");
        assert_eq!(wrong.hint.as_deref(), Some("`my-endpoint` would do"));
    }

    #[test]
    fn references_follow_azure() {
        for good in [
            "azureml:my-model:1",
            "azureml:my-model",
            "azureml:my-model@latest",
            "azureml:/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/models/m/versions/1",
            "azureml://registries/azureml/models/m/versions/1",
            "azureml://registries/azureml/models/m/labels/latest",
        ] {
            assert_eq!(check_reference(AssetKind::Model, good), Ok(()), "{good}");
        }
        for bad in [
            "my-model:1",
            "azureml:",
            "azureml:a:b:c",
            "azureml://registries/azureml/environments/m/versions/1",
            "/subscriptions/s/models/m/versions/1",
            "model/model.pkl",
        ] {
            assert!(check_reference(AssetKind::Model, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_name_and_a_bare_path_get_the_right_hint() {
        let hint = |text| check_reference(AssetKind::Model, text).unwrap_err().hint.unwrap();
        assert!(hint("my-model:1").contains("`azureml:my-model:1`"));
        assert!(hint("../model/m.pkl").contains("{path: ../model/m.pkl}"));
    }
}
