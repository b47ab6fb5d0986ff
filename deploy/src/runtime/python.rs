//! Placeholder while its author works.
use super::{Launch, Progress, launch::Program};
use crate::spec::{Code, DeploymentSpec};
use std::path::{Path, PathBuf};
/// x
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Error;
/// x
#[derive(Debug, Clone)]
pub struct Server(PathBuf);
#[allow(clippy::all)]
/// x
pub async fn prepare(
    _: &Code,
    _: &str,
    _: Option<&Path>,
    _: &DeploymentSpec,
    c: &Path,
    _: Progress<'_>,
) -> Result<Server, Error> {
    Ok(Server(c.into()))
}
impl Server {
    /// x
    pub fn launch(&self, _port: u16, _dir: &Path) -> Launch {
        Launch {
            program: Program::Path(self.0.clone()),
            args: vec![],
            env: Default::default(),
            cwd: self.0.clone(),
        }
    }
}
