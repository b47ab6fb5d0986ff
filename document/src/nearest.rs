//! The nearest known name to one that is not known.

/// The candidate closest to `name`, if it is close enough to be what was meant: at most a third of
/// the letters differ (optimal string alignment distance, so that two swapped letters count once).
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_far_off() {
        let known = ["instance_count", "instance_type", "name"];
        assert_eq!(nearest("instance_cuont", known), Some("instance_count"));
        assert_eq!(nearest("instances", known), None);
        assert_eq!(nearest("Name", known), Some("name"));
        assert_eq!(nearest("zzz", known), None);
    }
}
