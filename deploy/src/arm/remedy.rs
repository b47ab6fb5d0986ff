//! What an error of Azure's says beside Azure's own words: the id by which its support finds the request, and what to do.

use std::fmt;

/// The end of an error's text. A local host's errors have none: they say what to do themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace(Option<Box<(String, &'static str)>>);

impl Trace {
    /// None: the error is a local host's.
    pub(super) const fn local() -> Self {
        Self(None)
    }

    /// Of a request, by its id.
    pub(super) fn new(request: String, remedy: &'static str) -> Self {
        Self(Some(Box::new((request, remedy))))
    }

    /// The request's id: Azure's if it answered, else the one that was sent.
    pub fn request(&self) -> Option<&str> {
        self.0.as_ref().map(|trace| trace.0.as_str())
    }

    /// What to do.
    pub fn remedy(&self) -> Option<&'static str> {
        self.0.as_ref().map(|trace| trace.1)
    }

    pub(super) const fn is_azure(&self) -> bool {
        self.0.is_some()
    }

    /// The text without what leads to it, or another one if there is none.
    pub(super) fn or(&self, other: &str) -> String {
        match self.0.as_deref() {
            Some((request, remedy)) => format!("{remedy} (request {request})"),
            None => other.to_owned(),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            Some((request, remedy)) => write!(f, "; {remedy} (request {request})"),
            None => Ok(()),
        }
    }
}

/// What to do where a request was lost on its way, or its answer.
pub(super) const LOST: &str = "look with `show` whether it was done before you try again; if it lasts, check network and proxy";

/// What to do where nobody answers.
pub(super) const UNREACHABLE: &str = "check network, HTTPS_PROXY and the cloud's name";

/// What to do where something takes too long.
pub(super) const OVERDUE: &str = "it goes on in Azure; look at it with `show`, or delete it";

/// What to do about one of Azure's codes, else about the status.
pub(super) fn of(code: &str, status: Option<u16>) -> &'static str {
    match code {
        "AuthorizationFailed" | "LinkedAuthorizationFailed" | "UserError.Authorization" => {
            "give the identity the role `AzureML Data Scientist` on the workspace, or `Contributor`"
        }
        "ResourceGroupNotFound" | "SubscriptionNotFound" | "InvalidSubscriptionId" => {
            "check --subscription, --resource-group and --workspace; `az account show` says what is the default"
        }
        "MissingSubscriptionRegistration" => {
            "`az provider register -n Microsoft.MachineLearningServices` registers the subscription"
        }
        "OutOfQuota" | "InferencingClientCreateDeploymentFailed" | "QuotaExceeded" => {
            "take fewer instances or another size, or ask for quota; `plimsoll quota` says how much is needed"
        }
        "OutOfCapacity" => "the region has no such machines now: take another size, or try later",
        "ImageBuildFailure" | "ImageBuildFailed" => {
            "look at the environment's conda file and base image; `deployment get-logs -c storage-initializer` may tell more"
        }
        "ResourceNotReady"
        | "DeploymentCrashLoopBackOff"
        | "KubernetesCrashLoopBackOff"
        | "UserScriptInitFailed"
        | "UserScriptImportError"
        | "UserScriptFunctionNotFound" => {
            "`plimsoll deployment get-logs` shows why the scoring script does not get ready"
        }
        "OperationCanceled" | "Canceled" => {
            "another operation came before it: wait until that is done, and try again"
        }
        "OperationVanished" => "look at it with `show`, and try again",
        "PreconditionFailed" => "somebody else changed it meanwhile: look at it, and try again",
        _ => by_status(status),
    }
}

fn by_status(status: Option<u16>) -> &'static str {
    match status {
        Some(401) => {
            "sign in again with `az login`, or renew what AZURE_… or PLIMSOLL_AZURE_TOKEN… give"
        }
        Some(403) => {
            "the identity, or the network, may not do this: check roles and the workspace's network rules"
        }
        Some(404) => "check the names, and --subscription, --resource-group and --workspace",
        Some(409) => {
            "another operation has not ended: wait until `show` says Succeeded or Failed, and try again"
        }
        Some(412) => "somebody else changed it meanwhile: look at it, and try again",
        Some(429) => {
            "the subscription is throttled: wait some minutes, and run fewer commands at once"
        }
        Some(500..) => {
            "Azure has a problem: try again later, and tell its support the request if it lasts"
        }
        Some(400..500) => "change what the message names; https://aka.ms/oe-tsg explains codes",
        _ => "`plimsoll deployment get-logs` may tell more; https://aka.ms/oe-tsg explains codes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_more_than_statuses_and_a_local_host_says_it_itself() {
        assert!(of("OutOfQuota", Some(400)).contains("plimsoll quota"));
        assert!(of("Conflict", Some(409)).contains("another operation"));
        assert!(of("Unheard", None).contains("aka.ms/oe-tsg"));
        let trace = Trace::new("7".to_owned(), "do this");
        assert_eq!(
            (trace.to_string(), trace.or("")),
            ("; do this (request 7)".to_owned(), "do this (request 7)".to_owned())
        );
        assert_eq!(Trace::local().to_string() + &Trace::local().or("else"), "else");
    }
}
