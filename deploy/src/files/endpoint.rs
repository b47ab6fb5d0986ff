//! The endpoint file.
//!
//! `compute` makes a Kubernetes endpoint, as it does for `az`; what only managed endpoints have is
//! then refused. Whether the deployments of `traffic` exist is not known here.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_document::{Document, Problems, Wrong};
use schemars::JsonSchema;
use serde::Deserialize;

use super::names::check_name;
use super::reader::{Reader, Spelling};
use super::values::{Anything, FORMATS, Whole};
use crate::limits::EndpointLimits;
use crate::spec::{Access, AuthMode, AzureEndpoint, EndpointSpec, Identity};

/// An online endpoint of Azure ML, as `az ml online-endpoint create -f` takes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Azure ML online endpoint")]
pub(super) struct Raw {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<Anything>,
    /// 3 to 32 letters, digits and hyphens; unique in the region. May be given by `--name`.
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, Anything>>,
    /// Free properties.
    properties: Option<BTreeMap<String, Anything>>,
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
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    id: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    kind: Option<Anything>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    location: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    openapi_uri: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    provisioning_state: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    scoring_uri: Option<String>,
}

/// What `az … show` prints beside what can be given.
const SHOWN: &[&str] =
    &["/id", "/kind", "/location", "/openapi_uri", "/provisioning_state", "/scoring_uri"];

/// Managed identity of an endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    /// `system_assigned`, `user_assigned` or `none`.
    #[serde(rename = "type")]
    #[schemars(required, extend("examples" = ["system_assigned", "user_assigned", "none"]))]
    kind: Option<String>,
    /// At most one.
    user_assigned_identities: Option<Vec<BTreeMap<String, String>>>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    principal_id: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    tenant_id: Option<String>,
}

const AUTH_MODES: &[(&str, AuthMode)] =
    &[("key", AuthMode::Key), ("aml_token", AuthMode::AmlToken), ("aad_token", AuthMode::AadToken)];

pub(super) const ACCESS: &[(&str, Access)] =
    &[("enabled", Access::Enabled), ("disabled", Access::Disabled)];

/// Reads an endpoint file; whatever is wrong is added to `problems`. `None` if it cannot be used.
pub fn read_endpoint(document: &Document, problems: &mut Problems) -> Option<EndpointSpec> {
    let before = problems.len();
    bare_identity(document, problems);
    let raw: Raw = document.read(FORMATS, problems)?;
    let mut reader = Reader { document, problems, base: Path::new("") };
    let spec = endpoint(&mut reader, raw);
    if problems.len() == before { spec } else { None }
}

fn endpoint(reader: &mut Reader, raw: Raw) -> Option<EndpointSpec> {
    match &raw.name {
        Some(name) => drop(reader.keep("/name", check_name("an endpoint", name))),
        None if reader.lacks("name") => {
            let hint = "add it, or give it by `--name` as az takes it";
            reader.wrong("", Wrong::new("`name` is missing").hint(hint));
        }
        None => {}
    }
    reader.ignored(SHOWN, "printed by `az … show`, and ignored");
    let auth_mode =
        reader.choice("/auth_mode", raw.auth_mode.as_deref(), Spelling::Camel, AUTH_MODES);
    let access = raw.public_network_access.as_deref();
    let access = reader.choice("/public_network_access", access, Spelling::Lower, ACCESS);
    if let Some(compute) = &raw.compute {
        kubernetes(reader, compute, auth_mode);
    }
    let traffic = traffic(reader, &raw.traffic.unwrap_or_default());
    let mirror = mirror(reader, &raw.mirror_traffic.unwrap_or_default(), &traffic);
    let identity = raw.identity.and_then(|raw| identity(reader, raw));
    let tags = reader.written("/tags", raw.tags);
    let properties = reader.written("/properties", raw.properties);
    for wrong in EndpointLimits::read(&properties).err().unwrap_or_default() {
        let at = format!("/properties/{}", wrong.key);
        reader.wrong(&at, Wrong::new(wrong.message).hint(wrong.hint));
    }
    Some(EndpointSpec {
        name: raw.name?,
        description: raw.description,
        tags,
        properties,
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
    reader.ignored(
        &["/identity/principal_id", "/identity/tenant_id"],
        "printed by `az … show`, and ignored",
    );
    let kind = reader.choice("/identity/type", raw.kind.as_deref(), Spelling::Camel, &known)?;
    let at = "/identity/user_assigned_identities";
    let given = raw.user_assigned_identities.unwrap_or_default();
    let mut ids = Vec::new();
    for (index, mut assigned) in given.into_iter().enumerate() {
        let id = assigned.remove("resource_id");
        if id.is_none() {
            let wrong = Wrong::new("this identity has no `resource_id`");
            let hint = "az takes it without, but Azure finds an identity by its ARM id";
            reader.warn(&format!("{at}/{index}"), wrong.hint(hint));
        }
        ids.extend(id.or_else(|| assigned.into_values().next()));
    }
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

/// An ARM id alone, as some descriptions of the file have it, is refused by `az`.
fn bare_identity(document: &Document, problems: &mut Problems) {
    let at = "/identity/user_assigned_identities/0";
    if let Some(id) = document.find(at).text().filter(|_| document.has(at)) {
        let message = "an identity is a map, and this is text";
        problems.push(document.problem_at(at, message).hint(format!("write `resource_id: {id}`")));
    }
}
