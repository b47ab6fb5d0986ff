//! What a path names. Azure's own words in it are compared without regard to case.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use plimsoll_deploy::workspace::Workspace;

use super::metrics::Subject;
use crate::registry::{Key, Kind};

/// Something that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Workspace,
    Endpoints,
    Endpoint(String),
    Keys(String),
    NewKeys(String),
    Token(String),
    /// What its deployments have answered since this was asked last.
    TakeAnswers(String),
    Deployments(String),
    Deployment(String, String),
    Logs(String, String),
    Skus(String, String),
    /// What its instances have used.
    Use(String, String),
    /// All names of a kind.
    Assets(Kind),
    AssetName(Kind, String),
    Versions(Kind, String),
    Asset(Key),
    /// Where the files of a version may be put.
    PendingUpload(Key),
    Metrics(Subject),
    MetricDefinitions(Subject),
    Datastores,
    Datastore(String),
    Secrets(String),
    Usages,
    Quotas,
    UpdateQuotas,
    /// All autoscale settings.
    Autoscales,
    Autoscale(String),
    /// Machine sizes.
    Sizes,
    OperationStatus(String),
    OperationResult(String),
}

/// Reads a path; nothing if there is no such thing in this workspace.
pub(super) fn read(path: &str, workspace: &Workspace) -> Option<Route> {
    let lower = path.to_ascii_lowercase();
    let home = workspace.to_string().to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix(&home) {
        let rest = &path[path.len() - rest.len()..];
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        return within(&rest.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>());
    }
    if let Some(route) = insights(path, &lower, workspace) {
        return Some(route);
    }
    let locations = format!(
        "/subscriptions/{}/providers/microsoft.machinelearningservices/locations/",
        workspace.subscription.to_ascii_lowercase()
    );
    let rest = lower.strip_prefix(&locations)?;
    let mut parts = path[path.len() - rest.len()..].split('/').skip(1);
    let (kind, id) = (parts.next()?, parts.next().map(str::to_owned));
    match (kind.to_ascii_lowercase().as_str(), id) {
        ("mfeoperationsstatus", Some(id)) => Some(Route::OperationStatus(id)),
        ("mfeoperationresults", Some(id)) => Some(Route::OperationResult(id)),
        ("usages", None) => Some(Route::Usages),
        ("quotas", None) => Some(Route::Quotas),
        ("updatequotas", None) => Some(Route::UpdateQuotas),
        ("vmsizes", None) => Some(Route::Sizes),
        _ => None,
    }
}

/// Autoscale settings are in the resource group, not in the workspace; all of the subscription are listed, too.
fn insights(path: &str, lower: &str, workspace: &Workspace) -> Option<Route> {
    let subscription = format!("/subscriptions/{}", workspace.subscription.to_ascii_lowercase());
    let group = format!("/resourcegroups/{}", workspace.resource_group.to_ascii_lowercase());
    let rest = lower.strip_prefix(&subscription)?;
    let in_group = rest.strip_prefix(&group);
    let rest = in_group.unwrap_or(rest);
    let name = rest.strip_prefix("/providers/microsoft.insights/autoscalesettings")?;
    match name.trim_end_matches('/') {
        "" => Some(Route::Autoscales),
        name => {
            let name =
                name.strip_prefix('/').filter(|name| in_group.is_some() && !name.contains('/'))?;
            // As it was written.
            let from = path.trim_end_matches('/').len() - name.len();
            let name = percent_decode_str(path.get(from..from + name.len())?).decode_utf8().ok()?;
            Some(Route::Autoscale(name.into_owned()))
        }
    }
}

fn within(parts: &[&str]) -> Option<Route> {
    let (first, rest) = match *parts {
        [] => return Some(Route::Workspace),
        [first, ref rest @ ..] => (first, rest),
    };
    if first.eq_ignore_ascii_case("onlineEndpoints") {
        return endpoints(rest);
    }
    if first.eq_ignore_ascii_case("datastores") {
        return match *rest {
            [] => Some(Route::Datastores),
            [name] => Some(Route::Datastore(name.to_owned())),
            [name, word] if is(word, "listSecrets") => Some(Route::Secrets(name.to_owned())),
            _ => None,
        };
    }
    assets(Kind::read(first)?, rest)
}

fn endpoints(parts: &[&str]) -> Option<Route> {
    if let [ref of @ .., providers, insights, last] = *parts
        && is(providers, "providers")
        && is(insights, "microsoft.insights")
    {
        let (endpoint, deployment) = match *of {
            [e] => (e.to_owned(), None),
            [e, word, d] if is(word, "deployments") => (e.to_owned(), Some(d.to_owned())),
            _ => return None,
        };
        let subject = Subject { endpoint, deployment };
        return match last.to_ascii_lowercase().as_str() {
            "metrics" => Some(Route::Metrics(subject)),
            "metricdefinitions" => Some(Route::MetricDefinitions(subject)),
            _ => None,
        };
    }
    Some(match *parts {
        [] => Route::Endpoints,
        [e] => Route::Endpoint(e.to_owned()),
        [e, word] if is(word, "listKeys") => Route::Keys(e.to_owned()),
        [e, word] if is(word, "regenerateKeys") => Route::NewKeys(e.to_owned()),
        [e, word] if is(word, "token") => Route::Token(e.to_owned()),
        [e, word] if is(word, "takeAnswers") => Route::TakeAnswers(e.to_owned()),
        [e, word, ref rest @ ..] if is(word, "deployments") => match *rest {
            [] => Route::Deployments(e.to_owned()),
            [d] => Route::Deployment(e.to_owned(), d.to_owned()),
            [d, word] if is(word, "getLogs") => Route::Logs(e.to_owned(), d.to_owned()),
            [d, word] if is(word, "skus") => Route::Skus(e.to_owned(), d.to_owned()),
            [d, word] if is(word, "use") => Route::Use(e.to_owned(), d.to_owned()),
            _ => return None,
        },
        _ => return None,
    })
}

fn assets(kind: Kind, parts: &[&str]) -> Option<Route> {
    let name = |name: &str| percent_decode_str(name).decode_utf8().map(Cow::into_owned).ok();
    let key = |n: &str, v: &str| Some(Key { kind, name: name(n)?, version: name(v)? });
    Some(match *parts {
        [] => Route::Assets(kind),
        [n] => Route::AssetName(kind, name(n)?),
        [n, word] if is(word, "versions") => Route::Versions(kind, name(n)?),
        [n, word, v] if is(word, "versions") => Route::Asset(key(n, v)?),
        [n, word, v, last] if is(word, "versions") && is(last, "startPendingUpload") => {
            Route::PendingUpload(key(n, v)?)
        }
        _ => return None,
    })
}

fn is(part: &str, word: &str) -> bool {
    part.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rest: &str) -> Option<Route> {
        let workspace = Workspace::local();
        read(&format!("{workspace}{rest}"), &workspace)
    }

    #[test]
    fn paths_of_the_workspace_are_read() {
        assert_eq!(at(""), Some(Route::Workspace));
        assert_eq!(at("/onlineEndpoints"), Some(Route::Endpoints));
        assert_eq!(at("/ONLINEENDPOINTS/My-e"), Some(Route::Endpoint("My-e".into())));
        assert_eq!(at("/onlineEndpoints/e/listKeys"), Some(Route::Keys("e".into())));
        assert_eq!(
            at("/onlineEndpoints/e/deployments/d/getLogs"),
            Some(Route::Logs("e".into(), "d".into()))
        );
        let key = |kind| Key { kind, name: "m".into(), version: "1".into() };
        assert_eq!(at("/models/m/versions/1"), Some(Route::Asset(key(Kind::Model))));
        let upload = Route::PendingUpload(key(Kind::Code));
        assert_eq!(at("/codes/m/versions/1/startPendingUpload"), Some(upload));
        assert_eq!(at("/environments/m"), Some(Route::AssetName(Kind::Environment, "m".into())));
        assert_eq!(at("/onlineEndpoints/e/token"), Some(Route::Token("e".into())));
        assert_eq!(at("/datastores/d/listSecrets"), Some(Route::Secrets("d".into())));
        let subject = Subject { endpoint: "e".into(), deployment: Some("d".into()) };
        let metrics = "/onlineEndpoints/e/deployments/d/providers/microsoft.insights/metrics";
        assert_eq!(at(metrics), Some(Route::Metrics(subject)));
        assert_eq!(at("/batchEndpoints/e"), None);
        assert_eq!(at("x/onlineEndpoints"), None);
    }

    #[test]
    fn operations_are_read_and_other_workspaces_are_not() {
        let workspace = Workspace::local();
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.MachineLearningServices/locations/local\
             /mfeOperationsStatus/oe:1:2",
            workspace.subscription
        );
        assert_eq!(read(&path, &workspace), Some(Route::OperationStatus("oe:1:2".into())));
        let usages = path.split("/mfe").next().unwrap().to_owned() + "/usages";
        assert_eq!(read(&usages, &workspace), Some(Route::Usages));
        let settings = |group: &str, name: &str| {
            let path = format!(
                "/subscriptions/{}{group}/providers/Microsoft.Insights/autoscaleSettings{name}",
                workspace.subscription
            );
            read(&path, &workspace)
        };
        assert_eq!(settings("", ""), Some(Route::Autoscales));
        assert_eq!(settings("/resourcegroups/local", "/"), Some(Route::Autoscales));
        let named = Some(Route::Autoscale("My one".into()));
        assert_eq!(settings("/resourceGroups/LOCAL", "/My%20one"), named);
        assert_eq!(settings("/resourceGroups/other", "/mine"), None);
        assert_eq!(settings("", "/mine"), None);
        assert_eq!(read("/subscriptions/other", &workspace), None);
    }
}
