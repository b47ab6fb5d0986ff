//! The endpoint file.
//!
//! `compute` makes a Kubernetes endpoint, as it does for `az`; what only managed endpoints have is
//! then refused. Whether the deployments of `traffic` exist is not known here.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_document::{Document, Problems};
use schemars::JsonSchema;
use serde::Deserialize;

use super::names::{Wrong, check_name};
use super::reader::Reader;
use super::values::{FORMATS, Whole};
use crate::spec::{Access, AuthMode, AzureEndpoint, EndpointSpec, Identity};

/// An online endpoint of Azure ML, as `az ml online-endpoint create -f` takes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Azure ML online endpoint")]
pub(super) struct Raw {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<String>,
    /// 3 to 32 letters, digits and hyphens; unique in the region.
    #[schemars(required)]
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, String>>,
    /// Free properties.
    properties: Option<BTreeMap<String, String>>,
    /// `key` (default), `aml_token` or `aad_token`.
    #[schemars(extend("examples" = ["key", "aml_token", "aad_token"]))]
    auth_mode: Option<String>,
    /// `azureml:<compute>`: makes it a Kubernetes endpoint.
    compute: Option<String>,
    /// Managed identity of the endpoint.
    identity: Option<RawIdentity>,
    /// Percent of the requests per deployment; the sum is 0 or 100.
    traffic: Option<BTreeMap<String, Whole>>,
    /// Percent of the requests, up to 50, copied to one deployment.
    mirror_traffic: Option<BTreeMap<String, Whole>>,
    /// `enabled` (default) or `disabled`.
    #[schemars(extend("examples" = ["enabled", "disabled"]))]
    public_network_access: Option<String>,
}

/// Managed identity of an endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    /// `system_assigned`, `user_assigned` or `none`.
    #[serde(rename = "type")]
    #[schemars(required, extend("examples" = ["system_assigned", "user_assigned", "none"]))]
    kind: Option<String>,
    /// At most one.
    user_assigned_identities: Option<Vec<RawAssigned>>,
}

/// A user-assigned identity: its ARM id, alone or under `resource_id`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawAssigned {
    Id(String),
    Map(RawResource),
}

/// An ARM id.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawResource {
    /// The ARM id of the identity.
    #[schemars(required)]
    resource_id: Option<String>,
}

const AUTH_MODES: &[(&str, AuthMode)] =
    &[("key", AuthMode::Key), ("aml_token", AuthMode::AmlToken), ("aad_token", AuthMode::AadToken)];

pub(super) const ACCESS: &[(&str, Access)] =
    &[("enabled", Access::Enabled), ("disabled", Access::Disabled)];

/// Reads an endpoint file; whatever is wrong is added to `problems`. `None` if it cannot be used.
pub fn read_endpoint(document: &Document, problems: &mut Problems) -> Option<EndpointSpec> {
    let before = problems.len();
    let raw: Raw = document.read(FORMATS, problems)?;
    let mut reader = Reader { document, problems, base: Path::new("") };
    let spec = endpoint(&mut reader, raw);
    if problems.len() == before { spec } else { None }
}

fn endpoint(reader: &mut Reader, raw: Raw) -> Option<EndpointSpec> {
    if let Some(name) = &raw.name {
        reader.keep("/name", check_name("an endpoint", name));
    }
    let auth_mode = reader.choice("/auth_mode", raw.auth_mode.as_deref(), AUTH_MODES);
    let access =
        reader.choice("/public_network_access", raw.public_network_access.as_deref(), ACCESS);
    if let Some(compute) = &raw.compute {
        kubernetes(reader, compute, auth_mode);
    }
    let traffic = traffic(reader, &raw.traffic.unwrap_or_default());
    let mirror = mirror(reader, &raw.mirror_traffic.unwrap_or_default(), &traffic);
    let identity = raw.identity.and_then(|raw| identity(reader, raw));
    Some(EndpointSpec {
        name: raw.name?,
        description: raw.description,
        tags: raw.tags.unwrap_or_default(),
        properties: raw.properties.unwrap_or_default(),
        auth_mode: auth_mode.unwrap_or(AuthMode::Key),
        traffic,
        mirror_traffic: mirror,
        azure: AzureEndpoint { compute: raw.compute, identity, public_network_access: access },
    })
}

/// What a Kubernetes endpoint cannot have.
fn kubernetes(reader: &mut Reader, compute: &str, auth_mode: Option<AuthMode>) {
    let named = compute.strip_prefix("azureml:").is_some_and(|name| !name.is_empty());
    if !named {
        let hint = format!("write `azureml:{compute}`");
        let wrong = Wrong::new(format!("`{compute}` is no reference to a compute"));
        reader.wrong("/compute", wrong.hint(hint));
    }
    let mut only_managed = |at: &str, what: &str| {
        let wrong = Wrong::new(format!("{what} is for managed endpoints only"));
        reader.wrong(at, wrong.hint("with `compute` this is a Kubernetes endpoint"));
    };
    if auth_mode == Some(AuthMode::AadToken) {
        only_managed("/auth_mode", "`aad_token`");
    }
    for key in ["mirror_traffic", "public_network_access"] {
        let at = format!("/{key}");
        if reader.has(&at) {
            let wrong = Wrong::new(format!("`{key}` is for managed endpoints only"));
            reader.wrong(&at, wrong.hint("with `compute` this is a Kubernetes endpoint"));
        }
    }
}

fn traffic(reader: &mut Reader, raw: &BTreeMap<String, Whole>) -> BTreeMap<String, u8> {
    let mut traffic = BTreeMap::new();
    for (name, share) in raw {
        let at = format!("/traffic/{name}");
        reader.keep(&at, check_name("a deployment", name));
        if let Some(share) = reader.number(&at, Some(*share), 0..=100, "in percent") {
            traffic.insert(name.clone(), u8::try_from(share).unwrap_or(u8::MAX));
        }
    }
    let sum: u32 = traffic.values().map(|share| u32::from(*share)).sum();
    if traffic.len() == raw.len() && sum != 0 && sum != 100 {
        let wrong = Wrong::new(format!("the traffic adds up to {sum} %"));
        reader.wrong("/traffic", wrong.hint("Azure takes a sum of 100 or 0"));
    }
    traffic
}

fn mirror(
    reader: &mut Reader,
    raw: &BTreeMap<String, Whole>,
    traffic: &BTreeMap<String, u8>,
) -> BTreeMap<String, u8> {
    let mut mirror = BTreeMap::new();
    if raw.len() > 1 {
        let wrong = Wrong::new(format!("traffic is mirrored to {} deployments", raw.len()));
        reader.wrong("/mirror_traffic", wrong.hint("Azure mirrors to one"));
    }
    for (name, share) in raw {
        let at = format!("/mirror_traffic/{name}");
        reader.keep(&at, check_name("a deployment", name));
        let why = "in percent; Azure mirrors up to half of the traffic";
        let Some(share) = reader.number(&at, Some(*share), 0..=50, why) else { continue };
        if share > 0 && traffic.get(name).is_some_and(|live| *live > 0) {
            let wrong = Wrong::new(format!("`{name}` already has live traffic"));
            reader.wrong(&at, wrong.hint("a deployment takes live or mirrored traffic, not both"));
        }
        mirror.insert(name.clone(), u8::try_from(share).unwrap_or(u8::MAX));
    }
    mirror
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IdentityKind {
    None,
    System,
    User,
}

fn identity(reader: &mut Reader, raw: RawIdentity) -> Option<Identity> {
    let known = [
        ("system_assigned", IdentityKind::System),
        ("user_assigned", IdentityKind::User),
        ("none", IdentityKind::None),
    ];
    let kind = reader.choice("/identity/type", raw.kind.as_deref(), &known)?;
    let at = "/identity/user_assigned_identities";
    let given = raw.user_assigned_identities.unwrap_or_default();
    let ids = given.into_iter().filter_map(|assigned| match assigned {
        RawAssigned::Id(id) => Some(id),
        RawAssigned::Map(map) => map.resource_id,
    });
    let mut ids: Vec<String> = ids.collect();
    match (kind, ids.len()) {
        (IdentityKind::User, 1) => return ids.pop().map(Identity::UserAssigned),
        (IdentityKind::User, count) => {
            let wrong = Wrong::new(format!("{count} user-assigned identities are given"));
            reader.wrong(at, wrong.hint("`type: user_assigned` takes exactly one"));
        }
        (IdentityKind::None, 0) => return Some(Identity::None),
        (IdentityKind::System, 0) => return Some(Identity::SystemAssigned),
        (_, _) => {
            let wrong = Wrong::new("identities are given, but the type takes none");
            reader.wrong(at, wrong.hint("write `type: user_assigned`"));
        }
    }
    None
}
