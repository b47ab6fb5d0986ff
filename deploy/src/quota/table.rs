//! A quota plan as text: aligned columns, sums, and what does not fit.

use std::fmt;

use super::plan::{Assessment, QuotaPlan};

impl fmt::Display for QuotaPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.demands(f)?;
        let mut rows = vec![row(["pool", "needed"])];
        rows.extend(self.pools.iter().map(|pool| vec![pool.name.clone(), pool.needed.to_string()]));
        if !self.deployments.is_empty() {
            writeln!(f)?;
            columns(f, &rows, 1)?;
        }
        Ok(())
    }
}

impl QuotaPlan {
    fn demands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Quota needed in {}", self.region)?;
        let scaling = self.deployments.iter().any(|demand| demand.running > 0);
        let instances = if scaling { "from → to" } else { "instances" };
        let head =
            ["deployment", "instance type", "family", "vCPUs", instances, "+ reserve", "cores"];
        let mut rows = vec![row(head)];
        for demand in &self.deployments {
            let count = if scaling {
                format!("{} → {}", demand.running, demand.instances)
            } else {
                demand.instances.to_string()
            };
            rows.push(vec![
                demand.deployment.clone(),
                demand.instance_type.clone(),
                demand.family.clone(),
                demand.vcpus.to_string(),
                count,
                demand.instances_with_reserve.to_string(),
                demand.cores.to_string(),
            ]);
        }
        if rows.len() > 1 {
            writeln!(f)?;
            columns(f, &rows, 3)?;
        }
        for name in &self.without_quota {
            writeln!(f, "{name}: runs on Kubernetes and needs no quota")?;
        }
        for unknown in &self.unknown {
            let (name, size) = (&unknown.deployment, &unknown.instance_type);
            writeln!(f, "{name}: {size} is no machine size of managed online endpoints")?;
        }
        Ok(())
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.demands(f)?;
        let mut rows = vec![row(["pool", "used", "limit", "needed", "fits"])];
        for pool in &self.plan.pools {
            let usage =
                self.usages.iter().find(|usage| super::family::same(&usage.pool, &pool.name));
            let limit = match usage.map(|usage| usage.limit) {
                Some(Some(limit)) => limit.to_string(),
                Some(None) => "none".to_owned(),
                None => "not listed".to_owned(),
            };
            let used = usage.map_or("-".to_owned(), |usage| usage.used.to_string());
            let refused = self.refusals.iter().any(|refusal| refusal.pool == pool.name);
            let full = usage.is_some_and(|usage| {
                usage.limit.is_some_and(|limit| usage.used + pool.needed > limit)
            });
            let fits = match usage {
                _ if refused || full => "no",
                None => "not checked",
                Some(_) => "yes",
            };
            let needed = pool.needed.to_string();
            rows.push(vec![pool.name.clone(), used, limit, needed, fits.to_owned()]);
        }
        if rows.len() > 1 {
            writeln!(f)?;
            columns(f, &rows, 1)?;
        }
        for refusal in &self.refusals {
            writeln!(f, "\n{refusal}")?;
        }
        Ok(())
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Writes rows in columns; the first `left` of them start at the left, the others end at the right.
fn columns(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>], left: usize) -> fmt::Result {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
