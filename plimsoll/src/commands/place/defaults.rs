//! What the usual variables and the Azure CLI's own configuration say where nothing is given.
//!
//! The CLI keeps `[defaults]` and `[cloud]` in `config`, and the subscriptions with the default among them in
//! `azureProfile.json`, in the folder that `AZURE_CONFIG_DIR` names, else `~/.azure`; a variable
//! `AZURE_{SECTION}_{OPTION}` is over what the file says. What cannot be read says nothing.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where things are if nobody says it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) subscription: Option<String>,
    pub(super) resource_group: Option<String>,
    pub(super) workspace: Option<String>,
    pub(super) cloud: Option<String>,
}

#[derive(Deserialize)]
struct Profile {
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    #[serde(default)]
    is_default: bool,
}

impl Defaults {
    pub(super) fn read(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let home = || get("HOME").map(|home| Path::new(&home).join(".azure"));
        let folder = get("AZURE_CONFIG_DIR").map(PathBuf::from).or_else(home);
        let text = |name: &str| std::fs::read_to_string(folder.as_ref()?.join(name)).ok();
        let config = text("config").unwrap_or_default();
        let option = |section, key| value(&config, section, key);
        Self {
            subscription: first(&["AZURE_SUBSCRIPTION_ID", "AZUREML_ARM_SUBSCRIPTION"])
                .or_else(|| chosen(&text("azureProfile.json")?)),
            resource_group: first(&["AZURE_DEFAULTS_GROUP", "AZUREML_ARM_RESOURCEGROUP"])
                .or_else(|| option("defaults", "group")),
            workspace: first(&["AZURE_DEFAULTS_WORKSPACE", "AZUREML_ARM_WORKSPACE_NAME"])
                .or_else(|| option("defaults", "workspace")),
            cloud: first(&["AZURE_CLOUD_NAME"]).or_else(|| option("cloud", "name")),
        }
    }
}

/// The default subscription of a profile, which the CLI writes with a byte order mark.
fn chosen(profile: &str) -> Option<String> {
    let profile: Profile = serde_json::from_str(profile.trim_start_matches('\u{feff}')).ok()?;
    profile.subscriptions.into_iter().find(|each| each.is_default).map(|each| each.id)
}

/// The value of a key in a section of an INI file.
fn value(config: &str, section: &str, key: &str) -> Option<String> {
    let lines = config.lines().map(str::trim);
    let mut lines = lines.skip_while(|line| section_of(line) != Some(section)).skip(1);
    let found = lines.by_ref().take_while(|line| section_of(line).is_none()).find_map(|line| {
        let (name, value) = line.split_once(['=', ':'])?;
        (name.trim() == key).then(|| value.trim().to_owned())
    });
    found.filter(|value| !value.is_empty())
}

fn section_of(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_over_what_the_cli_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let config = "[cloud]\nname = AzureUSGovernment\n\n[defaults]\n# mine\ngroup = prices-rg\nworkspace=prices\n[x]\ngroup = no\n";
        std::fs::write(folder.path().join("config"), config).unwrap();
        let profile =
            "\u{feff}{\"subscriptions\": [{\"id\": \"a\"}, {\"id\": \"b\", \"isDefault\": true}]}";
        std::fs::write(folder.path().join("azureProfile.json"), profile).unwrap();
        let at = folder.path().display().to_string();
        let get = |name: &str| (name == "AZURE_CONFIG_DIR").then(|| at.clone());
        let own = |text: &str| Some(text.to_owned());
        let kept = Defaults {
            subscription: own("b"),
            resource_group: own("prices-rg"),
            workspace: own("prices"),
            cloud: own("AzureUSGovernment"),
        };
        assert_eq!(Defaults::read(&get), kept);
        let over = |name: &str| match name {
            "AZURE_DEFAULTS_GROUP" => own("other"),
            "AZURE_SUBSCRIPTION_ID" => own("c"),
            name => get(name),
        };
        let defaults = Defaults { subscription: own("c"), resource_group: own("other"), ..kept };
        assert_eq!(Defaults::read(&over), defaults);
        assert_eq!(Defaults::read(&|_| None), Defaults::default());
    }
}
