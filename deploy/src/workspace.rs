//! Where endpoints live: an Azure ML workspace, or the one that the local host plays.

use std::fmt;

/// A workspace, by the three names that make up its ARM path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group.
    pub resource_group: String,
    /// The workspace's own name.
    pub name: String,
}

impl Workspace {
    /// The one workspace of a local host.
    pub fn local() -> Self {
        Self {
            subscription: "00000000-0000-0000-0000-000000000000".to_owned(),
            resource_group: "local".to_owned(),
            name: "local".to_owned(),
        }
    }

    /// The id of something in the workspace: `path` is for example `onlineEndpoints/e`.
    pub fn id(&self, path: &str) -> String {
        format!("{self}/{path}")
    }
}

impl fmt::Display for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, resource_group, name } = self;
        write!(
            f,
            "/subscriptions/{subscription}/resourceGroups/{resource_group}\
             /providers/Microsoft.MachineLearningServices/workspaces/{name}"
        )
    }
}
