//! What a path names. Azure's own words in it are compared without regard to case.

use plimsoll_deploy::workspace::Workspace;

/// Something that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Workspace,
    Endpoints,
    Endpoint(String),
    Keys(String),
    Deployments(String),
    Deployment(String, String),
    Logs(String, String),
    /// `kind/name/version`.
    Asset(String),
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
    let locations = format!(
        "/subscriptions/{}/providers/microsoft.machinelearningservices/locations/",
        workspace.subscription.to_ascii_lowercase()
    );
    let rest = lower.strip_prefix(&locations)?;
    let mut parts = path[path.len() - rest.len()..].split('/').skip(1);
    let (kind, id) = (parts.next()?, parts.next()?.to_owned());
    match kind.to_ascii_lowercase().as_str() {
        "mfeoperationsstatus" => Some(Route::OperationStatus(id)),
        "mfeoperationresults" => Some(Route::OperationResult(id)),
        _ => None,
    }
}

fn within(parts: &[&str]) -> Option<Route> {
    let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    let endpoint = |parts: &[&str]| parts.first().is_some_and(|part| is(part, "onlineEndpoints"));
    Some(match *parts {
        [] => Route::Workspace,
        [_] if endpoint(parts) => Route::Endpoints,
        [_, e] if endpoint(parts) => Route::Endpoint(e.to_owned()),
        [_, e, keys] if endpoint(parts) && is(keys, "listKeys") => Route::Keys(e.to_owned()),
        [_, e, word, ref rest @ ..] if endpoint(parts) && is(word, "deployments") => match *rest {
            [] => Route::Deployments(e.to_owned()),
            [d] => Route::Deployment(e.to_owned(), d.to_owned()),
            [d, logs] if is(logs, "getLogs") => Route::Logs(e.to_owned(), d.to_owned()),
            _ => return None,
        },
        [kind, name, versions, version] if is(versions, "versions") => {
            let kind =
                ["models", "codes", "environments"].into_iter().find(|known| is(kind, known))?;
            Route::Asset(format!("{kind}/{name}/{version}"))
        }
        _ => return None,
    })
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
        assert_eq!(at("/models/m/versions/1"), Some(Route::Asset("models/m/1".into())));
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
        assert_eq!(read("/subscriptions/other", &workspace), None);
    }
}
