//! Autoscale settings of Azure Monitor, as resources: checked, kept, told again. The host does not act on them: it has
//! no evaluation loop, which is said in each answer and in its log.
//!
//! Rules and bounds are those of `plimsoll_autoscale`, so that what is taken here can be tried and simulated too. Beyond
//! them: the target is a deployment of this workspace that is there, and has one setting at most.

use std::sync::Arc;

use hyper::StatusCode;
use plimsoll_autoscale::{Rules, RulesFile};
use plimsoll_deploy::arm::wire::{ArmError, List};
use serde_json::{Map, Value, json};

use super::{Answer, Reply, json};
use crate::fault::Fault;
use crate::store::Store;
use crate::{Host, LOCATION};

/// In each answer, beside what Azure has there.
const NOTE_KEY: &str = "plimsoll.note";
const NOTE: &str = "the local host keeps this setting and does not act on it";

/// What the client does not say, the service does.
const OURS: [&str; 5] = ["id", "name", "type", "systemData", NOTE_KEY];

impl Host {
    pub(super) fn list_autoscale(&self) -> Reply {
        let value = self.store().autoscale.values().map(shown).collect();
        json(StatusCode::OK, &List { value })
    }

    pub(super) fn show_autoscale(&self, name: &str) -> Answer {
        let mut store = self.store();
        Ok(json(StatusCode::OK, &shown(setting(&mut store, name)?)))
    }

    /// Creates the setting, or makes it what the body says.
    pub(super) fn put_autoscale(self: &Arc<Self>, name: &str, body: Map<String, Value>) -> Answer {
        let mut store = self.store();
        let resource = self.checked(&store, name, body)?;
        let found = store.autoscale.insert(name.to_lowercase(), resource.clone());
        drop(store);
        tell(name, &resource);
        let status = if found.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        Ok(json(status, &shown(&resource)))
    }

    /// Changes tags, and those properties that are named.
    pub(super) fn patch_autoscale(&self, name: &str, patch: Map<String, Value>) -> Answer {
        let mut store = self.store();
        let mut body = setting(&mut store, name)?.clone();
        for (key, value) in patch {
            match (key.as_str(), value) {
                ("properties", Value::Object(changed)) => {
                    if let Some(Value::Object(properties)) = body.get_mut("properties") {
                        properties.extend(changed);
                    }
                }
                ("tags" | "properties", value) => drop(body.insert(key, value)),
                _ => {
                    let message = format!("a PATCH changes `tags` and `properties`, not `{key}`");
                    return Err(Fault::bad_argument(message));
                }
            }
        }
        let resource = self.checked(&store, name, body)?;
        store.autoscale.insert(name.to_lowercase(), resource.clone());
        drop(store);
        tell(name, &resource);
        Ok(json(StatusCode::OK, &shown(&resource)))
    }

    pub(super) fn delete_autoscale(&self, name: &str) -> Reply {
        let found = self.store().autoscale.remove(&name.to_lowercase());
        let status = if found.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT };
        json(status, &())
    }

    /// The resource, as it is kept.
    fn checked(
        &self,
        store: &Store,
        name: &str,
        mut body: Map<String, Value>,
    ) -> Result<Map<String, Value>, Fault> {
        for key in OURS {
            body.remove(key);
        }
        body.entry("location").or_insert_with(|| LOCATION.into());
        body.entry("tags").or_insert_with(|| json!({}));
        let target = valid(&body)?;
        let target = target.ok_or_else(|| {
            Fault::bad_argument("`targetResourceUri` is missing: the ARM id of a deployment")
        })?;
        self.check_target(store, name, &target)?;
        if let Some(Value::Object(properties)) = body.get_mut("properties") {
            properties.entry("enabled").or_insert(Value::Bool(false));
            properties.entry("notifications").or_insert_with(|| json!([]));
            properties.insert("name".to_owned(), name.into());
        }
        let Self { workspace, .. } = self;
        let (subscription, group) = (&workspace.subscription, &workspace.resource_group);
        let id = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Insights/autoscaleSettings/{name}"
        );
        body.insert("id".to_owned(), id.into());
        body.insert("name".to_owned(), name.into());
        body.insert("type".to_owned(), "Microsoft.Insights/autoscaleSettings".into());
        Ok(body)
    }

    /// Refuses a target that is no deployment of this workspace, or that another setting has.
    fn check_target(&self, store: &Store, name: &str, target: &str) -> Result<(), Fault> {
        let home = format!("{}/onlineendpoints/", self.workspace).to_lowercase();
        let lower = target.to_lowercase();
        let parts: Vec<_> =
            lower.strip_prefix(&home).map(|rest| rest.split('/').collect()).unwrap_or_default();
        let [endpoint, "deployments", deployment] = parts[..] else {
            return Err(Fault::bad_argument(format!(
                "the target `{target}` is no deployment of this workspace: its id is {}",
                self.workspace.id("onlineEndpoints/ENDPOINT/deployments/DEPLOYMENT")
            )));
        };
        let same = |known: &str, name: &str| known.eq_ignore_ascii_case(name);
        let found = store.endpoints.iter().find(|(known, _)| same(known, endpoint));
        let is_there = found.is_some_and(|(_, found)| {
            found.deployments.keys().any(|known| same(known, deployment))
        });
        if !is_there {
            return Err(Fault::not_found(format!("the target `{target}`")));
        }
        let other = store.autoscale.iter().find(|(known, other)| {
            **known != name.to_lowercase() && target_of(other).is_some_and(|t| same(t, target))
        });
        match other {
            None => Ok(()),
            Some((other, _)) => Err(Fault::new(
                StatusCode::CONFLICT,
                "Conflict",
                format!("the autoscale setting `{other}` has the same target: a resource has one"),
            )),
        }
    }
}

/// Says so once for each change, as the setting looks as if it did something.
fn tell(name: &str, resource: &Map<String, Value>) {
    if resource["properties"]["enabled"] == Value::Bool(true) {
        tracing::warn!(setting = name, "{NOTE}");
    }
}

fn setting<'a>(store: &'a mut Store, name: &str) -> Result<&'a mut Map<String, Value>, Fault> {
    let missing = || Fault::not_found(format!("autoscale setting `{name}`"));
    store.autoscale.get_mut(&name.to_lowercase()).ok_or_else(missing)
}

fn target_of(resource: &Map<String, Value>) -> Option<&str> {
    resource.get("properties")?.get("targetResourceUri")?.as_str()
}

fn shown(resource: &Map<String, Value>) -> Value {
    let mut shown = resource.clone();
    shown.insert(NOTE_KEY.to_owned(), NOTE.into());
    Value::Object(shown)
}

/// The target of a setting that can be evaluated; all that is wrong with another.
fn valid(body: &Map<String, Value>) -> Result<Option<String>, Fault> {
    let text = serde_json::to_string_pretty(body).expect("JSON was read from JSON");
    match RulesFile::parse("the autoscale setting", &text) {
        Ok(RulesFile { rules: Rules::Azure(setting), .. }) => Ok(setting.target),
        Ok(_) => Err(Fault::bad_argument("this is no autoscale setting of Azure Monitor")),
        Err(problems) => {
            let mut fault =
                Fault::new(StatusCode::BAD_REQUEST, "BadRequest", problems.render(false));
            fault.details.extend(problems.iter().map(|problem| ArmError {
                code: "InvalidAutoscaleSetting".to_owned(),
                message: problem.message().to_owned(),
                ..ArmError::default()
            }));
            Err(fault)
        }
    }
}
