//! What `az` takes from its command line beside a file: a name, the endpoint's name, and any key.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use plimsoll_deploy::files::FileKind;
use plimsoll_document::{Document, Problem, Problems};

/// Keys of an endpoint or deployment file that are given beside it, as `az ml` takes them.
#[derive(Clone, Default, Args)]
pub struct Given {
    /// Name of the endpoint or deployment, over the one in its file
    #[arg(short, long)]
    pub name: Option<String>,

    /// Name of the endpoint that deployments are behind, over the one in their files
    #[arg(short, long, alias = "endpoint", value_name = "NAME")]
    pub endpoint_name: Option<String>,

    /// Set keys of a file, such as `instance_count=2` or `model.version=3`
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl fmt::Debug for Given {
    /// What is set may be a secret, such as a variable of a deployment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |text: &String| text.split('=').next().unwrap_or_default().to_owned();
        f.debug_struct("Given")
            .field("name", &self.name)
            .field("endpoint_name", &self.endpoint_name)
            .field("set", &self.set.iter().map(key).collect::<Vec<_>>())
            .finish()
    }
}

impl Given {
    /// `--set` takes all that follows it: what is no assignment is one of the files.
    pub(super) fn files_after_set(&mut self, files: &mut Vec<PathBuf>) {
        let set = std::mem::take(&mut self.set);
        let (set, others): (Vec<String>, _) = set.into_iter().partition(|text| text.contains('='));
        self.set = set;
        files.extend(others.into_iter().map(PathBuf::from));
    }

    /// What can only be meant for one file, if there are several.
    pub(super) fn ambiguous(&self, files: usize) -> Option<String> {
        let flag = match self {
            Self { name: Some(_), .. } => "--name",
            Self { set, .. } if !set.is_empty() => "--set",
            _ => return None,
        };
        (files > 1).then(|| format!("{flag} is for one file, and {files} are given"))
    }

    /// Puts the keys into a document of this kind.
    ///
    /// # Errors
    /// Flags that such a file does not take, or that lead nowhere.
    pub(super) fn put(&self, document: &mut Document, kind: FileKind) -> Result<(), Problems> {
        let mut problems = Problems::new();
        let ours = matches!(kind, FileKind::Endpoint | FileKind::Deployment);
        if let Some(name) = &self.name {
            document.set_text("--name", "name", name);
        }
        if let (Some(name), FileKind::Deployment) = (&self.endpoint_name, kind) {
            document.set_text("--endpoint-name", "endpoint_name", name);
        }
        if !ours && (self.name.is_some() || !self.set.is_empty()) {
            let flag = if self.name.is_some() { "--name" } else { "--set" };
            let message = format!(
                "{flag} is for endpoint and deployment files, and this is {}",
                kind.words()
            );
            problems.push(Problem::of_file(document.file(), message));
        }
        for assignment in self.set.iter().filter(|_| ours) {
            let (path, value) = assignment.split_once('=').unwrap_or((assignment, ""));
            if let Err(problem) = document.set("--set", path, value) {
                problems.push(problem);
            }
        }
        problems.or(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(set: &[&str]) -> Given {
        Given { set: set.iter().map(|text| (*text).to_owned()).collect(), ..Given::default() }
    }

    #[test]
    fn files_may_follow_what_is_set() {
        let mut given = given(&["a=1", "blue.yml", "b=x=y"]);
        let mut files = Vec::new();
        given.files_after_set(&mut files);
        assert_eq!((given.set.len(), files), (2, vec![PathBuf::from("blue.yml")]));
    }

    #[test]
    fn only_the_endpoints_name_may_be_meant_for_several() {
        assert!(given(&["a=1"]).ambiguous(2).is_some_and(|text| text.contains("--set")));
        assert_eq!(given(&["a=1"]).ambiguous(1), None);
        let endpoint = Given { endpoint_name: Some("e".to_owned()), ..Given::default() };
        assert_eq!(endpoint.ambiguous(5), None);
    }

    #[test]
    fn other_files_take_no_keys() {
        let mut document = Document::parse("s.yml", "load: {}\n").unwrap();
        let refused = given(&["a=1"]).put(&mut document, FileKind::Scenario).unwrap_err();
        assert!(refused.to_string().contains("--set is for endpoint"), "{refused}");
    }
}
