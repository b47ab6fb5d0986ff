//! A price list: a CSV file with the columns `sku` and `per_hour`. No price is invented.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_deploy::sku::Sku;

/// The price of an hour, by the size's name.
pub(super) type Prices = BTreeMap<&'static str, f64>;

/// Reads a price list.
pub(super) fn read(path: &Path) -> Result<Prices, String> {
    let wrong = |line: u64, what: &str| format!("{}:{line}: {what}", path.display());
    let mut reader = csv::Reader::from_path(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let headers = reader.headers().map_err(|error| wrong(1, &error.to_string()))?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header.trim() == name);
        found.ok_or_else(|| {
            wrong(1, &format!("there is no column `{name}`; the first line is `sku,per_hour`"))
        })
    };
    let (sku, per_hour) = (column("sku")?, column("per_hour")?);
    let mut prices = Prices::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let name = record.get(sku).unwrap_or_default().trim();
        let Some(size) = Sku::find(name) else {
            let near = Sku::nearest(name)
                .map_or(String::new(), |size| format!("; did you mean {}?", size.name));
            return Err(wrong(
                line,
                &format!("managed online endpoints have no size `{name}`{near}"),
            ));
        };
        let price = record.get(per_hour).and_then(|price| price.trim().parse::<f64>().ok());
        let price = price
            .filter(|price| price.is_finite() && *price >= 0.0)
            .ok_or_else(|| wrong(line, "`per_hour` is a number, such as 0.458"))?;
        if prices.insert(&size.name, price).is_some() {
            return Err(wrong(line, &format!("`{name}` has a price already; keep one of them")));
        }
    }
    Ok(prices)
}
