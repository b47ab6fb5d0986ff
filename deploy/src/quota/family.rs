//! Under which name Azure's usages list the quota of a machine family.
//!
//! A table, because families are spelled irregularly and the names are meant for people. Azure's
//! documentation shows the names of `DSv2`, `DASv4`, `NCASv3_T4` and `NCADSA100v4`; the others
//! follow their pattern. They are compared by letters and digits only.

const NAMES: &[(&str, &str)] = &[
    ("standardDASv4Family", "Standard DASv4 Family Cluster Dedicated vCPUs"),
    ("standardDAv4Family", "Standard DAv4 Family Cluster Dedicated vCPUs"),
    ("standardDSv2Family", "Standard DSv2 Family Cluster Dedicated vCPUs"),
    ("standardESv3Family", "Standard ESv3 Family Cluster Dedicated vCPUs"),
    ("standardFSv2Family", "Standard FSv2 Family Cluster Dedicated vCPUs"),
    ("standardFXMDVSFamily", "Standard FXMDVS Family Cluster Dedicated vCPUs"),
    ("standardLASv3Family", "Standard LASv3 Family Cluster Dedicated vCPUs"),
    ("standardLSv2Family", "Standard LSv2 Family Cluster Dedicated vCPUs"),
    ("standardLSv3Family", "Standard LSv3 Family Cluster Dedicated vCPUs"),
    ("standardNCADSA100v4Family", "Standard NCADSA100v4 Family Cluster Dedicated vCPUs"),
    ("standard NCASv3_T4 Family", "Standard NCASv3_T4 Family Cluster Dedicated vCPUs"),
    ("standardNCSv2Family", "Standard NCSv2 Family Cluster Dedicated vCPUs"),
    ("standardNCSv3Family", "Standard NCSv3 Family Cluster Dedicated vCPUs"),
    ("standardNCADSH100v5Family", "Standard NCADSH100v5 Family Cluster Dedicated vCPUs"),
    ("standard NDAMSv4_A100Family", "Standard NDAMSv4_A100 Family Cluster Dedicated vCPUs"),
    ("standard NDASv4_A100 Family", "Standard NDASv4_A100 Family Cluster Dedicated vCPUs"),
    ("standardNDSv2Family", "Standard NDSv2 Family Cluster Dedicated vCPUs"),
    ("standardNDv5H100Family", "Standard NDv5H100 Family Cluster Dedicated vCPUs"),
    ("standardNVADSA10v5Family", "Standard NVADSA10v5 Family Cluster Dedicated vCPUs"),
];

/// The pool of all families of a region.
pub(super) const REGIONAL: &str = "Total Cluster Dedicated Regional vCPUs";

/// The count of clusters, compute instances and endpoint deployments of a region.
pub(super) const CLUSTERS: &str = "Total Clusters";

/// The pool of a family.
pub(super) fn pool(family: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == family).map_or(family, |(_, name)| name)
}

/// The pools of all families.
pub(super) fn pools() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(_, pool)| *pool)
}

/// Whether two names of a pool mean the same one.
pub(super) fn same(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    // The usages list calls the clusters "Clusters" in places.
    let short = |name: String| if name == "clusters" { plain(CLUSTERS) } else { name };
    short(plain(a)) == short(plain(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sku::Sku;

    #[test]
    fn every_family_of_the_table_has_a_pool() {
        for sku in Sku::all() {
            assert!(
                pool(&sku.family).ends_with("Family Cluster Dedicated vCPUs"),
                "{}",
                sku.family
            );
        }
    }

    #[test]
    fn spelling_of_a_pool_does_not_matter() {
        assert!(same(pool("standardDSv2Family"), "STANDARD_DSV2_FAMILY_Cluster_Dedicated_vCPUs"));
        assert!(same(CLUSTERS, "Clusters"));
        assert!(!same(pool("standardDSv2Family"), pool("standardESv3Family")));
    }
}
