//! Checks a document against a JSON Schema, collecting every problem, and keeps what fits.
//!
//! It knows the part of JSON Schema that our raw forms produce: `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `enum`, `const`, `minimum`, `maximum`, `exclusiveMinimum`,
//! `minItems`, `format`, `$ref`, and `anyOf`/`oneOf` whose branches differ in type or in a key.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::{Document, Format, Node, Problem, Problems, Scalar, Value, nearest, placeholder};

pub(super) struct Checker<'a> {
    document: &'a Document,
    schema: &'a Json,
    formats: &'a [Format],
    problems: &'a mut Problems,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        document: &'a Document,
        schema: &'a Json,
        formats: &'a [Format],
        problems: &'a mut Problems,
    ) -> Self {
        Self { document, schema, formats, problems }
    }

    pub(super) fn run(mut self) -> Option<Json> {
        let (schema, document) = (self.schema, self.document);
        self.value(&document.root, schema, "the file")
    }

    /// The value if it fits, without the members that do not.
    fn value(&mut self, node: &Node, schema: &'a Json, name: &str) -> Option<Json> {
        let schema = self.resolve(schema);
        if node.value == Value::Unreadable || self.unfilled(node, schema, name) {
            return None;
        }
        if let Some(branches) =
            schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array)
        {
            return self.branch(node, branches, name);
        }
        if let Some(known) = choices(schema) {
            return self.choice(node, &known, name);
        }
        let types = types(schema);
        match (&node.value, &types) {
            (_, types) if types.is_empty() => Some(plain(node)),
            (Value::Null, _) if self.format(schema).is_some_and(|format| format.free) => {
                Some(Json::from(""))
            }
            (Value::Map(members), types) if types.contains("object") => {
                Some(self.map(node, members, schema, name))
            }
            (Value::List(items), types) if types.contains("array") => {
                self.list(node, items, schema, name)
            }
            (Value::Text(text), types) if types.contains("string") => self.text(node, text, schema),
            (Value::Float(number), types) if whole(*number, types) => {
                self.number(node, *number, Json::from(*number as i64), schema, name)
            }
            (Value::Bool(_) | Value::Int(_) | Value::Float(_), types)
                if types.contains("string") =>
            {
                let spelling = self.document.written(node).to_owned();
                self.text(node, &spelling, schema)
            }
            (Value::Int(number), types)
                if types.contains("integer") || types.contains("number") =>
            {
                self.integer(node, *number, schema, name)
            }
            (Value::Float(number), types) if types.contains("number") && number.is_finite() => {
                self.number(node, *number, Json::from(*number), schema, name)
            }
            (Value::Bool(value), types) if types.contains("boolean") => Some(Json::Bool(*value)),
            (_, types) => {
                let wanted =
                    types.iter().filter(|t| **t != "null").map(|t| words(t)).collect::<Vec<_>>();
                self.wrong_type(node, name, &wanted.join(" or "))
            }
        }
    }

    fn map(
        &mut self,
        node: &Node,
        members: &[(String, std::ops::Range<usize>, Node)],
        schema: &'a Json,
        name: &str,
    ) -> Json {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties");
        let mut kept = Map::new();
        let mut meant = BTreeSet::new();
        for (key, place, child) in members {
            let member = match (properties.and_then(|known| known.get(key)), others) {
                (None, Some(Json::Bool(false))) => {
                    meant.extend(self.unknown_key(key, place.clone(), child, properties, name));
                    continue;
                }
                (Some(member), _) | (None, Some(member)) => member,
                (None, None) => {
                    kept.insert(key.clone(), plain(child));
                    continue;
                }
            };
            if let Some(value) = self.value(child, member, key) {
                kept.insert(key.clone(), value);
            }
        }
        for required in schema.get("required").and_then(Json::as_array).into_iter().flatten() {
            let Some(required) = required.as_str() else {
                continue;
            };
            if !meant.contains(required) && !members.iter().any(|(key, ..)| key == required) {
                let message = format!("`{required}` is missing");
                let problem = match name {
                    "the file" => self.document.problem(0..0, message),
                    _ => self.document.problem_with(node, message),
                };
                self.push(problem, format!("add `{required}:` to {}", quoted(name)));
            }
        }
        Json::Object(kept)
    }

    /// All of the list or none of it, so that the indices of what is kept are those of the file.
    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Json, name: &str) -> Option<Json> {
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            let problem =
                self.document.problem(node.span.clone(), format!("`{name}` must not be empty"));
            self.push(problem, format!("give at least {least}"));
            return None;
        }
        let Some(item_schema) = schema.get("items") else {
            return Some(plain(node));
        };
        let kept: Vec<_> = items.iter().map(|item| self.value(item, item_schema, name)).collect();
        kept.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Json) -> Option<Json> {
        if let Some(format) = self.format(schema)
            && let Err(wrong) = (format.check)(Scalar { text, plain: node.plain })
        {
            let problem = self.document.problem_with(node, wrong.message);
            self.problems.push(match wrong.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            return None;
        }
        Some(Json::from(text))
    }

    fn format(&self, schema: &Json) -> Option<&'a Format> {
        let name = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        self.formats.iter().find(|format| format.name == name)
    }

    /// Whether a template language has yet to fill this in, where it matters; then it is reported.
    fn unfilled(&mut self, node: &Node, schema: &Json, name: &str) -> bool {
        let Some(text) = node.text() else { return false };
        let Some(found) = placeholder::find(text) else { return false };
        let nested = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array);
        let mut schemas = nested.into_iter().flatten().chain([schema]);
        let free = |schema: &Json| self.format(self.resolved(schema)).is_some_and(|f| f.free);
        if name == "description" || schemas.any(free) {
            return false;
        }
        let (message, hint) = placeholder::words(&text[found]);
        self.problems.push(self.document.problem_with(node, message).hint(hint));
        true
    }

    fn integer(&mut self, node: &Node, number: i128, schema: &Json, name: &str) -> Option<Json> {
        let value = i64::try_from(number).map(Json::from);
        let value = value.or_else(|_| u64::try_from(number).map(Json::from));
        match (value, types(schema).contains("integer")) {
            (Ok(value), _) => self.number(node, number as f64, value, schema, name),
            (Err(_), true) => {
                let message = format!("`{name}` is {number}, which is too large");
                self.problems.push(self.document.problem_with(node, message));
                None
            }
            (Err(_), false) => {
                self.number(node, number as f64, Json::from(number as f64), schema, name)
            }
        }
    }

    fn number(
        &mut self,
        node: &Node,
        number: f64,
        value: Json,
        schema: &Json,
        name: &str,
    ) -> Option<Json> {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        let wrong = [
            bound("minimum")
                .filter(|least| number < *least)
                .map(|least| format!("at least {least}")),
            bound("exclusiveMinimum")
                .filter(|least| number <= *least)
                .map(|least| format!("more than {least}")),
            bound("maximum").filter(|most| number > *most).map(|most| format!("at most {most}")),
            largest(format).filter(|most| number > *most).map(|most| format!("at most {most}")),
            largest(format).filter(|_| number < 0.0).map(|_| "at least 0".to_owned()),
        ];
        match wrong.into_iter().flatten().next() {
            None => Some(value),
            Some(limit) => {
                let message = format!("`{name}` is {number}, but must be {limit}");
                self.problems.push(self.document.problem_with(node, message));
                None
            }
        }
    }

    fn choice(&mut self, node: &Node, known: &[&str], name: &str) -> Option<Json> {
        let spelling = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                self.document.written(node).to_owned()
            }
            _ => return self.wrong_type(node, name, &listed(known)),
        };
        if known.contains(&spelling.as_str()) {
            return Some(Json::from(spelling));
        }
        let message = format!("`{spelling}` is no `{name}`; known: {}", listed(known));
        let problem = self.document.problem_with(node, message);
        match nearest(&spelling, known.iter().copied()) {
            Some(meant) => self.push(problem, format!("did you mean `{meant}`?")),
            None => self.problems.push(problem),
        }
        None
    }

    /// The branch that the value's type, or one of its keys, points to.
    fn branch(&mut self, node: &Node, branches: &'a [Json], name: &str) -> Option<Json> {
        let branches = branches.iter().map(|branch| self.resolve(branch));
        let not_null =
            |branch: &&'a Json| branch.get("type").and_then(Json::as_str) != Some("null");
        let branches: Vec<&'a Json> = branches.filter(not_null).collect();
        if let [only] = branches.as_slice() {
            return self.value(node, only, name);
        }
        if let Some(known) = branches.iter().map(|b| choices(b)).collect::<Option<Vec<_>>>() {
            return self.choice(node, &known.concat(), name);
        }
        let fits = |branch: &&&Json| fits_type(node, branch);
        let typed: Vec<_> = branches.iter().filter(fits).copied().collect();
        let picked = match typed.as_slice() {
            [] => {
                let wanted: BTreeSet<_> =
                    branches.iter().flat_map(|b| types(b)).filter(|t| *t != "null").collect();
                let wanted: Vec<_> = wanted.into_iter().map(words).collect();
                return self.wrong_type(node, name, &wanted.join(" or "));
            }
            [only] => only,
            several => {
                let Some(branch) = several.iter().find(|branch| has_required(node, branch)) else {
                    let keys: Vec<_> = several.iter().flat_map(|b| required(b)).collect();
                    let message = format!("`{name}` needs one of {}", listed(&keys));
                    self.problems.push(self.document.problem_with(node, message));
                    return None;
                };
                branch
            }
        };
        self.value(node, picked, name)
    }

    /// The key that was probably meant.
    fn unknown_key(
        &mut self,
        key: &str,
        place: std::ops::Range<usize>,
        child: &Node,
        known: Option<&'a Map<String, Json>>,
        name: &str,
    ) -> Option<&'a str> {
        if let Some(found) = placeholder::find(key) {
            let (message, hint) = placeholder::words(&key[found]);
            self.problems
                .push(self.document.problem_with_key(key, place, child, message).hint(hint));
            return None;
        }
        let known: Vec<_> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let message = format!("unknown key `{key}` in {}", quoted(name));
        let problem = self.document.problem_with_key(key, place, child, message);
        let meant = nearest(key, known.iter().copied());
        match meant {
            Some(meant) => self.push(problem, format!("did you mean `{meant}`?")),
            None => self.push(problem, format!("known here: {}", known.join(", "))),
        }
        meant
    }

    fn wrong_type(&mut self, node: &Node, name: &str, wanted: &str) -> Option<Json> {
        let message = match node.value {
            Value::Null => format!("`{name}` has no value; it must be {wanted}"),
            _ => format!("`{name}` must be {wanted}, not {}", node.kind()),
        };
        self.problems.push(self.document.problem_with(node, message));
        None
    }

    fn push(&mut self, problem: Problem, hint: String) {
        self.problems.push(problem.hint(hint));
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        self.resolved(schema)
    }

    fn resolved<'s>(&self, schema: &'s Json) -> &'s Json
    where
        'a: 's,
    {
        let Some(target) = schema.get("$ref").and_then(Json::as_str) else {
            return schema;
        };
        self.schema.pointer(target.trim_start_matches('#')).unwrap_or(schema)
    }
}

fn quoted(name: &str) -> String {
    if name == "the file" { name.to_owned() } else { format!("`{name}`") }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn words(json_type: &str) -> &'static str {
    match json_type {
        "object" => "a map",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "a value",
    }
}

/// The strings that an enumeration allows.
fn choices(schema: &Json) -> Option<Vec<&str>> {
    if let Some(only) = schema.get("const").and_then(Json::as_str) {
        return Some(vec![only]);
    }
    schema.get("enum")?.as_array()?.iter().filter(|v| !v.is_null()).map(Json::as_str).collect()
}

fn types(schema: &Json) -> BTreeSet<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => BTreeSet::from([one.as_str()]),
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ if choices(schema).is_some() => BTreeSet::from(["string"]),
        _ => BTreeSet::new(),
    }
}

/// Whether it is a whole number, such as `2.0`, where only a whole number will do.
fn whole(number: f64, types: &BTreeSet<&str>) -> bool {
    let exact = number.fract() == 0.0 && number.abs() < 2f64.powi(53);
    exact && types.contains("integer") && !types.contains("string")
}

/// The largest number of a whole-number format.
fn largest(format: &str) -> Option<f64> {
    match format {
        "uint8" => Some(u8::MAX.into()),
        "uint16" => Some(u16::MAX.into()),
        "uint32" => Some(u32::MAX.into()),
        "uint64" | "uint" => Some(u64::MAX as f64),
        _ => None,
    }
}

fn fits_type(node: &Node, schema: &Json) -> bool {
    let types = types(schema);
    match node.value {
        Value::Null => false,
        Value::Bool(_) => types.contains("boolean") || types.contains("string"),
        Value::Int(_) => {
            types.contains("integer") || types.contains("number") || types.contains("string")
        }
        Value::Float(_) => types.contains("number") || types.contains("string"),
        Value::Text(_) => types.contains("string"),
        Value::List(_) => types.contains("array"),
        Value::Map(_) => types.contains("object") || schema.get("oneOf").is_some(),
        Value::Unreadable => true,
    }
}

fn required(schema: &Json) -> Vec<&str> {
    let listed = schema.get("required").and_then(Json::as_array);
    listed.into_iter().flatten().filter_map(Json::as_str).collect()
}

fn has_required(node: &Node, schema: &Json) -> bool {
    required(schema).iter().any(|key| node.child(key).is_some())
}

/// The value as it is, where the schema asks for nothing.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Unreadable => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(value) => i64::try_from(*value)
            .map(Json::from)
            .or_else(|_| u64::try_from(*value).map(Json::from))
            .unwrap_or_else(|_| Json::from(*value as f64)),
        Value::Float(value) => Json::from(*value),
        Value::Text(value) => Json::from(value.as_str()),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(members) => {
            members.iter().map(|(key, _, value)| (key.clone(), plain(value))).collect()
        }
    }
}
