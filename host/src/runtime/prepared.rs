//! What a deployment's runtime made ready, once for all its instances.

use std::collections::BTreeMap;
use std::path::Path;

use super::launch::{Launch, Program};
use super::{instance, python};

/// A deployment that is ready to be started any number of times.
#[derive(Debug, Clone)]
pub struct Prepared(pub(super) Kind);

/// What is started.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Our own server.
    Own {
        /// What it serves, on how many slots; the port is filled in.
        options: instance::Options,
        /// Set for it.
        env: BTreeMap<String, String>,
    },
    /// The official inference server.
    Python(python::Server),
}

impl Prepared {
    /// The process that serves on `port` of the loopback address. `instance_dir` is a folder of its
    /// own that exists and is removed with the instance. `seed` and `name`, which no other instance
    /// has, make the random stream of a synthetic one.
    pub fn launch(&self, port: u16, instance_dir: &Path, seed: u64, name: &str) -> Launch {
        match &self.0 {
            Kind::Own { options, env } => {
                let options = options.clone().on(port, seed, name);
                Launch {
                    program: Program::Plimsoll,
                    args: vec!["instance".into(), options.to_argument().into()],
                    env: env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
                    cwd: instance_dir.to_owned(),
                }
            }
            Kind::Python(server) => server.launch(port, instance_dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use plimsoll_deploy::spec::{ServiceTime, Synthetic};

    #[test]
    fn a_synthetic_instance_is_told_its_seed_and_its_own_name() {
        let service_time = ServiceTime::Constant { ms: 1.0 };
        let synthetic = Synthetic { service_time, error_rate: 0.0, start_ms: 0.0 };
        let serve = instance::Serve::Synthetic(synthetic);
        let options = instance::Options::new(serve, NonZeroU32::MIN);
        let prepared = Prepared(Kind::Own { options, env: BTreeMap::new() });
        let launch = prepared.launch(4711, Path::new("/run/0"), 42, "blue/0");
        let argument = launch.args[1].to_str().unwrap();
        for part in ["\"seed\":42", "\"name\":\"blue/0\"", "\"port\":4711"] {
            assert!(argument.contains(part), "{part} in {argument}");
        }
    }
}
