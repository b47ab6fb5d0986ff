//! Only what the quota of a deployment depends on: its machine size and its count. The model, the
//! code and the names may be missing, or be given later.

use std::num::NonZeroU32;

use plimsoll_document::{Document, Problems, Wrong};
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::{Reader, Spelling};
use super::resources::{self, RawResources};
use super::settings::{self, RawScaleSettings};
use super::values::{FORMATS, Whole};
use crate::sku::Sku;
use crate::spec::{DeploymentSpec, Kubernetes, Platform};

/// What only managed deployments have.
const MANAGED: &[&str] = &["egress_public_network_access", "private_network_connection"];

/// Azure's limit of instances of a deployment, unless it is raised.
const USUAL_INSTANCES: u32 = 50;

/// The part of a deployment file that is read; further keys are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
struct Raw {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    endpoint_name: Option<String>,
    instance_type: Option<String>,
    instance_count: Option<Whole>,
    scale_settings: Option<RawScaleSettings>,
}

/// Reads what the quota depends on, as a deployment that has nothing else. Without a name it is
/// called by its file.
pub fn read_size(document: &Document, problems: &mut Problems) -> Option<DeploymentSpec> {
    let before = problems.len();
    let raw: Raw = document.read(FORMATS, problems)?;
    let mut reader = Reader { document, problems, base: std::path::Path::new("") };
    for key in ["instance_type", "instance_count"] {
        reader.misspelt(key);
    }
    let kubernetes = is_kubernetes(&mut reader, raw.kind.as_deref());
    let platform = platform(&mut reader, kubernetes, raw.scale_settings, None);
    let instance_type = instance_type(&mut reader, raw.instance_type, kubernetes);
    let count = instance_count(&mut reader, raw.instance_count, &platform);
    let file = std::path::Path::new(document.file()).file_stem();
    let name = raw.name.or_else(|| Some(file?.to_string_lossy().into_owned()));
    let spec = DeploymentSpec {
        platform,
        ..DeploymentSpec::new(
            name.unwrap_or_default(),
            raw.endpoint_name.unwrap_or_default(),
            instance_type?,
            count?,
        )
    };
    (problems.len() == before).then_some(spec)
}

/// `az` looks for the word `kubernetes` as it stands; any other spelling of it makes a managed one.
pub(super) fn is_kubernetes(reader: &mut Reader, kind: Option<&str>) -> bool {
    let kinds = [("managed", false), ("kubernetes", true)];
    let kubernetes = reader.choice("/type", kind, Spelling::Camel, &kinds).unwrap_or(false);
    if kubernetes && kind != Some("kubernetes") {
        let text = format!("`{}` makes a managed deployment", kind.unwrap_or_default());
        let hint = "write `kubernetes` in small letters: az knows no other spelling";
        reader.wrong("/type", Wrong::new(text).hint(hint));
    }
    kubernetes
}

pub(super) fn platform(
    reader: &mut Reader,
    kubernetes: bool,
    scale: Option<RawScaleSettings>,
    resources: Option<RawResources>,
) -> Platform {
    let mut belongs = |key: &str, on: &str, hint: &str| {
        let at = format!("/{key}");
        if reader.has(&at) {
            reader
                .wrong(&at, Wrong::new(format!("`{key}` is for {on} deployments only")).hint(hint));
        }
    };
    if !kubernetes {
        belongs("resources", "Kubernetes", "add `type: kubernetes`, or leave it out");
        if let Some(scale) = scale {
            settings::managed_scale(reader, &scale);
        }
        return Platform::Managed;
    }
    for key in MANAGED {
        belongs(key, "managed", "leave it out");
    }
    let scale = match scale {
        Some(scale) => settings::kubernetes_scale(reader, &scale),
        None if reader.has("/instance_count") => None,
        None => Some(settings::default_target()),
    };
    let (requests, limits) = resources.map(|raw| resources::check(reader, raw)).unwrap_or_default();
    Platform::Kubernetes(Kubernetes { requests, limits, scale })
}

pub(super) fn instance_type(
    reader: &mut Reader,
    raw: Option<String>,
    kubernetes: bool,
) -> Option<String> {
    if kubernetes {
        return Some(raw.unwrap_or_else(|| "defaultinstancetype".to_owned()));
    }
    let Some(name) = raw else {
        if reader.lacks("instance_type") {
            let wrong = Wrong::new("`instance_type` is missing");
            reader.wrong("", wrong.hint("add the machine size, such as `Standard_DS3_v2`"));
        }
        return None;
    };
    if Sku::find(&name).is_some() {
        return Some(name);
    }
    let wrong = Wrong::new(format!("`{name}` is no machine size of managed online endpoints"));
    let hint = Sku::nearest(&name).map_or_else(
        || "a common one is `Standard_DS3_v2`".to_owned(),
        |sku| format!("did you mean `{}`?", sku.name),
    );
    reader.wrong("/instance_type", wrong.hint(hint));
    None
}

/// The count that is given; for an autoscaled deployment that gives none, the least it runs.
pub(super) fn instance_count(
    reader: &mut Reader,
    raw: Option<Whole>,
    platform: &Platform,
) -> Option<NonZeroU32> {
    let at = "/instance_count";
    match platform {
        Platform::Managed => {
            if reader.lacks("instance_count") {
                let wrong = Wrong::new("`instance_count` is missing");
                reader.wrong("", wrong.hint("say how many instances should run, 1 to 50"));
            }
            let count = reader.count(at, raw, u32::MAX, "")?;
            if count.get() > USUAL_INSTANCES {
                let wrong = Wrong::new(format!("{count} instances are more than usual"));
                let hint = "Azure's limit is 50 per deployment, and is raised on request";
                reader.warn(at, wrong.hint(hint));
            }
            Some(count)
        }
        Platform::Kubernetes(Kubernetes { scale: None, .. }) => {
            if reader.lacks("instance_count") {
                let wrong = Wrong::new("`instance_count` is missing");
                reader.wrong("", wrong.hint("`scale_settings: {type: default}` needs it"));
            }
            reader.count(at, raw, u32::MAX, "")
        }
        Platform::Kubernetes(Kubernetes { scale: Some(scale), .. }) => {
            if raw.is_none() && !reader.has(at) {
                return Some(scale.min_instances);
            }
            let (least, most) = (scale.min_instances.get(), scale.max_instances.get());
            let limits = i64::from(least)..=i64::from(most);
            let why = "`scale_settings` sets the bounds";
            let count = reader.number(at, raw, limits, why)?;
            NonZeroU32::new(u32::try_from(count).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> (Option<DeploymentSpec>, Problems) {
        let mut problems = Problems::new();
        let document = Document::parse("blue.yml", text).unwrap();
        (read_size(&document, &mut problems), problems)
    }

    #[test]
    fn nothing_else_is_needed() {
        let (spec, problems) =
            size("model: {path: not/there}\ninstance_type: Standard_DS3_v2\ninstance_count: 60\n");
        assert!(problems.is_empty(), "{problems}");
        let spec = spec.unwrap();
        assert_eq!((spec.name.as_str(), spec.instance_count.get()), ("blue", 60));
        let (spec, _) = size("name: b\ntype: kubernetes\n");
        assert_eq!(spec.unwrap().instance_type, "defaultinstancetype");
    }

    #[test]
    fn what_is_needed_is_asked_for_once() {
        let (spec, problems) = size("name: b\ninstance_typ: Standard_DS3_v2\n");
        assert_eq!(spec, None);
        let text = problems.to_string();
        assert!(text.contains("`instance_count` is missing"), "{text}");
        assert!(text.contains("did you mean `instance_type`?"), "{text}");
        assert_eq!(problems.len(), 2);
    }
}
