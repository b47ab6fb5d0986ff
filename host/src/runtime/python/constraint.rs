//! Versions that a conda file allows, told to pip in pip's words.
//!
//! conda's `=` is fuzzy (`=1.21` is any 1.21), its `==` and a bare version are exact. pip knows only
//! `==`, with `.*` for fuzzy. A version of three parts after `=` is taken as exact: it is what people
//! mean who write one. Limit: pip has no "or", so `1.2|1.3` cannot be told to it, nor can a build
//! (`=1.21=py39_0`).

use std::fmt;

/// Clauses that must all hold; none allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Constraint(Vec<Clause>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    operator: &'static str,
    version: String,
    /// Whether longer versions that begin like this one are meant too.
    prefix: bool,
}

impl Constraint {
    /// Reads what follows the name in a conda dependency: `=1.21`, ` >=3.9, <3.14`, or nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let clauses = text.split(',').map(str::trim);
        let said = clauses.filter(|clause| !matches!(*clause, "" | "*" | "=*" | "==*"));
        said.map(clause).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether a release such as `[3, 11, 7]` is allowed. A shorter version stands for all that
    /// begin like it: nobody who writes `==3.11` wants 3.11.0 only, or means 3.11.7 by `>3.11`.
    pub(super) fn allows(&self, release: &[u32]) -> bool {
        self.0.iter().all(|clause| clause.allows(release))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, clause) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let star = if clause.prefix { ".*" } else { "" };
            write!(f, "{comma}{}{}{star}", clause.operator, clause.version)?;
        }
        Ok(())
    }
}

impl Clause {
    fn allows(&self, release: &[u32]) -> bool {
        let wanted = parts(&self.version);
        let same = release.starts_with(&wanted);
        match self.operator {
            "==" => same,
            "!=" => !same,
            ">=" => release >= wanted.as_slice(),
            "<=" => release <= wanted.as_slice() || same,
            ">" => release > wanted.as_slice() && !same,
            "<" => release < wanted.as_slice(),
            // `~=3.9` is 3.9 or later, within 3.
            _ => {
                let head = &wanted[..wanted.len().saturating_sub(1)];
                release >= wanted.as_slice() && release.starts_with(head)
            }
        }
    }
}

fn clause(text: &str) -> Option<Clause> {
    const OPERATORS: [&str; 7] = ["==", "!=", ">=", "<=", "~=", ">", "<"];
    let known = OPERATORS.iter().find_map(|o| Some((*o, text.strip_prefix(o)?)));
    let fuzzy = known.is_none() && text.starts_with('=');
    let (operator, version) = known.unwrap_or(("==", text.trim_start_matches('=')));
    let version = version.trim();
    let bare = version.strip_suffix('*').map_or(version, |v| v.strip_suffix('.').unwrap_or(v));
    let starred = bare.len() < version.len();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '!' | '+' | '_' | '-');
    if !bare.starts_with(|c: char| c.is_ascii_digit()) || !bare.chars().all(legal) {
        return None;
    }
    let equality = matches!(operator, "==" | "!=");
    let prefix = equality && (starred || fuzzy && bare.split('.').count() < 3);
    Some(Clause { operator, version: bare.to_owned(), prefix })
}

/// The numbers of a version, without what makes it a pre-release.
fn parts(version: &str) -> Vec<u32> {
    let number = |part: &str| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().ok()
    };
    version.split('.').map_while(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pip(text: &str) -> Option<String> {
        Constraint::parse(text).map(|constraint| constraint.to_string())
    }

    #[test]
    fn conda_becomes_pip() {
        for (conda, expected) in [
            ("", ""),
            ("=*", ""),
            ("=1.21", "==1.21.*"),
            ("=1.21.2", "==1.21.2"),
            ("=1.21.*", "==1.21.*"),
            ("=1.2*", "==1.2.*"),
            ("==1.21", "==1.21"),
            (" 1.21", "==1.21"),
            (" >=1.2, <2", ">=1.2,<2"),
            (">=1.2.*", ">=1.2"),
            ("!=1.3.*", "!=1.3.*"),
            ("~=1.4", "~=1.4"),
        ] {
            assert_eq!(pip(conda).as_deref(), Some(expected), "{conda}");
        }
    }

    #[test]
    fn what_pip_cannot_be_told_is_refused() {
        for conda in ["=1.21=py39_0", " 1.21 py39_0", "=1.2|1.3", "[version='1']", "=latest", ">="]
        {
            assert_eq!(pip(conda), None, "{conda}");
        }
    }

    #[test]
    fn a_python_is_allowed_or_not() {
        let allows = |text: &str| Constraint::parse(text).unwrap().allows(&[3, 11, 7]);
        for yes in
            ["", "=3.11", "==3.11", "=3", "=3.11.7", ">=3.9,<3.14", "~=3.9", "<=3.11", "!=3.10"]
        {
            assert!(allows(yes), "{yes}");
        }
        for no in ["=3.1", "=3.12", "=3.11.4", ">3.11", "<3.11", "~=3.12", "!=3.11", ">=3.12"] {
            assert!(!allows(no), "{no}");
        }
    }
}
