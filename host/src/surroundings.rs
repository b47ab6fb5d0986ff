//! What an instance sees of the environment that plimsoll was started in.
//!
//! On Azure a container has its image's variables, those that the service injects, and the deployment's own. Here it
//! is a process, and a shell is full of what is nobody else's business: tokens, keys, proxies with passwords, switches
//! of other programs. So an instance gets what a process needs to find programs, libraries, time zone and language, and
//! nothing else; the runtime adds its own, and the deployment's `environment_variables` come last.
//!
//! Limit: the instance runs as the same user, who may look at what other processes were started with.

use std::ffi::{OsStr, OsString};

/// Variables that a process needs; those of a family end in an underscore.
const NEEDED: [&str; 7] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_"];

/// Those of this process that an instance gets.
pub(super) fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| is_needed(name))
}

fn is_needed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let fits = |needed: &str| name == needed || needed.ends_with('_') && name.starts_with(needed);
    NEEDED.iter().any(|needed| fits(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_needs_goes_through_and_secrets_do_not() {
        for needed in ["PATH", "LANG", "LC_ALL", "TZ"] {
            assert!(is_needed(needed.as_ref()), "{needed}");
        }
        let others =
            ["AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "PLIMSOLL_KEY", "HOME", "PATH_TO", "LC"];
        for other in others {
            assert!(!is_needed(other.as_ref()), "{other}");
        }
    }
}
