//! What ARM writes on every resource: its type, its kind, and who made and changed it when.

use jiff::Timestamp;
use plimsoll_deploy::arm::wire::{Resource, SystemData};
use plimsoll_domain::clock;

/// Where types of resources begin.
const PROVIDER: &str = "Microsoft.MachineLearningServices/workspaces";

/// There is one user here, whoever shows the token.
const WHO: &str = "local";
const WHAT: &str = "User";

/// The type of something in a workspace, such as `onlineEndpoints`; of the workspace itself without words.
pub(super) fn type_of(words: &str) -> String {
    if words.is_empty() { PROVIDER.to_owned() } else { format!("{PROVIDER}/{words}") }
}

/// Now, as ARM writes it: `2026-01-01T12:34:56.999Z`.
pub(super) fn now() -> String {
    let now = Timestamp::try_from(clock::wall()).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{now:.3}")
}

/// Stamps a resource that is made, or changed from what `before` was stamped with.
pub(super) fn put<P>(resource: &mut Resource<P>, words: &str, before: Option<&SystemData>) {
    let now = now();
    let by = || (WHO.to_owned(), WHAT.to_owned());
    let (created_at, (created_by, created_by_type)) = match before {
        Some(old) => {
            (old.created_at.clone(), (old.created_by.clone(), old.created_by_type.clone()))
        }
        None => (now.clone(), by()),
    };
    let (last_modified_by, last_modified_by_type) = by();
    resource.resource_type = Some(type_of(words));
    resource.system_data = Some(SystemData {
        created_at,
        created_by,
        created_by_type,
        last_modified_at: now,
        last_modified_by,
        last_modified_by_type,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_who_made_it_and_when() {
        let mut first = Resource::new(());
        put(&mut first, "onlineEndpoints", None);
        let mut made = first.system_data.unwrap();
        assert_eq!((made.created_at.len(), made.created_at.as_bytes()[23]), (24, b'Z'));
        made.created_at = "2020-01-01T00:00:00.000Z".to_owned();
        let mut second = Resource::new(());
        put(&mut second, "onlineEndpoints", Some(&made));
        let changed = second.system_data.unwrap();
        assert_eq!(changed.created_at, made.created_at);
        assert!(changed.last_modified_at > changed.created_at);
    }
}
