//! The machine sizes (SKUs) of managed online endpoints: `data/skus.csv`, parsed once.

use std::sync::LazyLock;

use plimsoll_document::nearest;
use serde::{Deserialize, Deserializer, Serialize};

/// A machine size.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Sku {
    /// Its name, in Azure's capital letters.
    pub name: String,
    /// The family that its quota is counted in. The spelling is irregular: never take it apart.
    pub family: String,
    /// Virtual cores: the unit of quota.
    pub vcpus: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// GPUs: a number, or a part of one such as `1/6`.
    pub gpus: String,
    /// Their kind; empty without any.
    pub gpu_type: String,
    /// Whether Azure holds back no reserve for it.
    pub reserve_exempt: bool,
}

static SKUS: LazyLock<Vec<Sku>> = LazyLock::new(|| {
    let text = include_str!("../data/skus.csv");
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize::<Row>();
    let skus: Result<Vec<Sku>, _> = rows.map(|row| row.map(Sku::from)).collect();
    skus.expect("the table is part of this program and a test reads it")
});

impl Sku {
    /// The size of that name; upper and lower case are the same.
    pub fn find(name: &str) -> Option<&'static Self> {
        SKUS.iter().find(|sku| sku.name.eq_ignore_ascii_case(name))
    }

    /// The size whose name is nearest to one that is not known.
    pub fn nearest(name: &str) -> Option<&'static Self> {
        Self::find(nearest(name, SKUS.iter().map(|sku| sku.name.as_str()))?)
    }

    /// All of them, by family.
    pub fn all() -> &'static [Self] {
        &SKUS
    }
}

#[derive(Deserialize)]
struct Row {
    sku: String,
    family: String,
    vcpus: u32,
    memory_gib: f64,
    gpus: String,
    gpu_type: String,
    #[serde(deserialize_with = "yes_or_no")]
    reserve_exempt: bool,
}

impl From<Row> for Sku {
    fn from(row: Row) -> Self {
        let Row { sku, family, vcpus, memory_gib, gpus, gpu_type, reserve_exempt } = row;
        Self { name: sku, family, vcpus, memory_gib, gpus, gpu_type, reserve_exempt }
    }
}

fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(serde::de::Error::custom(format!("`{other}` is neither yes nor no"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(Sku::all().len(), 85);
        let exempt = Sku::all().iter().filter(|sku| sku.reserve_exempt).count();
        assert_eq!(exempt, 10);
        assert!(Sku::all().iter().all(|sku| sku.vcpus > 0 && sku.memory_gib > 0.0));
    }

    #[test]
    fn names_are_found_in_any_case() {
        let sku = Sku::find("Standard_DS3_v2").unwrap();
        assert_eq!((sku.vcpus, sku.family.as_str()), (4, "standardDSv2Family"));
        assert_eq!(Sku::find("standard_nv6ads_a10_v5").unwrap().gpus, "1/6");
        assert_eq!(Sku::find("Standard_DS33_v2"), None);
        assert_eq!(Sku::nearest("Standard_DS33_v2").unwrap().name, "STANDARD_DS3_V2");
    }
}
