//! What is read from an ONNX file, and made of it before rten loads it.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::path::{Component, Path};

use rten_onnx::onnx::{
    DataLocation, DataType, Dimension, GraphProto, ModelProto, NodeProto, TensorProto,
    TensorShapeProto, ValueInfoProto,
};

use super::Error;
use super::standard;

/// A model's one input: rows of numbers.
pub(super) struct Input {
    pub(super) features: usize,
    pub(super) kind: Kind,
}

/// What the numbers of the input become before they are scored. Rten works in 32 bits: it takes
/// `double` as `float` and `int64` as `int32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Int32,
    Int8,
    UInt8,
}

/// A model that rten can be tried on.
pub(super) struct Prepared {
    pub(super) bytes: Vec<u8>,
    pub(super) input: Input,
    /// The operators, by the number that each node has as its name.
    pub(super) operators: Vec<String>,
    /// Files beside the model with weights: the name in the model, and the content.
    pub(super) weights: Vec<(String, Vec<u8>)>,
}

/// Reads a file and leaves what the first output needs, in standard operators, for any number of rows.
pub(super) fn prepare(path: &Path) -> Result<Prepared, Error> {
    let unreadable = |reason: String| Error::Read { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut model = ModelProto::parse_file(file).map_err(|error| unreadable(error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| unreadable("it is no ONNX model".to_owned()))?;
    let input =
        open_input(graph).map_err(|reason| Error::Inputs { path: path.to_owned(), reason })?;
    let needed = first_output_only(graph);
    standard::rewrite(graph, &needed).map_err(|lacking| Error::Operators {
        path: path.to_owned(),
        operators: lacking.join(", "),
    })?;
    check_whole_numbers(graph)
        .map_err(|reason| Error::Prepare { path: path.to_owned(), reason })?;
    let weights = weights_beside(graph, path).map_err(unreadable)?;
    let mut operators = Vec::new();
    for node in &mut graph.node {
        node.name = Some(operators.len().to_string());
        operators.push(node.op_type.clone().unwrap_or_default());
    }
    let bytes = model.write_buf().map_err(|error| unreadable(error.to_string()))?;
    Ok(Prepared { bytes, input, operators, weights })
}

/// Checks that there is one input of rows of numbers, and leaves the number of rows open.
fn open_input(graph: &mut GraphProto) -> Result<Input, String> {
    let constants: HashSet<_> =
        graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
    // Old files list the constants among the inputs.
    graph.input.retain(|input| !constants.contains(name_of(input)));
    let [input] = graph.input.as_mut_slice() else {
        let names: Vec<_> = graph.input.iter().map(name_of).collect();
        return Err(format!("it has {} inputs ({})", names.len(), names.join(", ")));
    };
    let tensor = input.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
    let Some(tensor) = tensor else {
        return Err("its input is no tensor".to_owned());
    };
    let given = tensor.elem_type.unwrap_or(DataType::FLOAT);
    let kind = match given {
        DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 => Kind::Float,
        DataType::INT64 | DataType::INT32 => Kind::Int32,
        DataType::INT8 => Kind::Int8,
        DataType::UINT8 => Kind::UInt8,
        _ => return Err(format!("its input is of type {given}")),
    };
    let dims = tensor.shape.as_ref().map(|shape| shape.dim.as_slice()).unwrap_or_default();
    let features = match dims {
        [_, wide] => wide.dim_value.and_then(|features| usize::try_from(features).ok()),
        _ => None,
    };
    let (Some(features), [_, wide]) = (features, dims) else {
        let dims: Vec<_> = dims
            .iter()
            .map(|dim| match (dim.dim_value, &dim.dim_param) {
                (Some(value), _) => value.to_string(),
                (None, Some(name)) => name.clone(),
                (None, None) => "?".to_owned(),
            })
            .collect();
        return Err(format!("its input has the shape [{}], not rows × features", dims.join(", ")));
    };
    let any = Dimension { dim_param: Some("rows".to_owned()), ..Dimension::default() };
    let dim = vec![any, wide.clone()];
    tensor.shape = Some(TensorShapeProto { dim });
    Ok(Input { features, kind })
}

fn name_of(value: &ValueInfoProto) -> &str {
    value.name.as_deref().unwrap_or_default()
}

/// Leaves out what the first output, which is the prediction, does not need: a classifier's
/// probabilities often take an operator that only makes a list of maps. Returns the values that are used.
fn first_output_only(graph: &mut GraphProto) -> HashSet<String> {
    graph.output.truncate(1);
    // What the file says about shapes may hold for its own number of rows only.
    graph.value_info.clear();
    for output in &mut graph.output {
        output.r#type = None;
    }
    let mut needed: HashSet<String> =
        graph.output.iter().map(|output| name_of(output).to_owned()).collect();
    // Nodes stand after those that they need.
    let mut kept = Vec::new();
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            uses(&node, &mut needed);
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    graph
        .initializer
        .retain(|tensor| tensor.name.as_ref().is_some_and(|name| needed.contains(name)));
    needed
}

/// The values that a node takes, and those that the graphs within it may take from outside.
fn uses(node: &NodeProto, values: &mut HashSet<String>) {
    values.extend(node.input.iter().filter(|name| !name.is_empty()).cloned());
    for graph in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        values.extend(graph.output.iter().map(|output| name_of(output).to_owned()));
        for node in &graph.node {
            uses(node, values);
        }
    }
}

/// Rten holds whole numbers in 32 bits, and brings larger ones to the largest. That is right for "to
/// the end", which is written as the largest number of 64 bits, and for no other.
fn check_whole_numbers(graph: &GraphProto) -> Result<(), String> {
    let in_nodes = graph.node.iter().flat_map(|node| &node.attribute);
    let tensors =
        graph.initializer.iter().chain(in_nodes.filter_map(|attribute| attribute.t.as_ref()));
    for tensor in tensors.filter(|tensor| tensor.data_type == Some(DataType::INT64)) {
        let raw = tensor.raw_data.as_ref().map(|raw| raw.borrow());
        let raw = raw.iter().flat_map(|raw| raw.chunks_exact(8));
        let raw = raw.map(|bytes| i64::from_le_bytes(bytes.try_into().expect("8 bytes")));
        let large = raw.chain(tensor.int64_data.iter().copied()).find(|number| {
            i32::try_from(*number).is_err() && number.unsigned_abs() < i64::MAX.unsigned_abs()
        });
        if let Some(large) = large {
            return Err(format!(
                "it holds the whole number {large}, which takes more than 32 bits"
            ));
        }
    }
    Ok(())
}

/// The files beside the model that hold weights of it.
fn weights_beside(graph: &GraphProto, path: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let outside = |tensor: &&TensorProto| tensor.data_location == Some(DataLocation::EXTERNAL);
    let names = graph.initializer.iter().filter(outside).flat_map(|tensor| &tensor.external_data);
    let names = names.filter(|entry| entry.key.as_deref() == Some("location"));
    let names: BTreeSet<_> = names.filter_map(|entry| entry.value.as_deref()).collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |name: &str| {
        let within = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !within {
            return Err(format!("its weights are in `{name}`, which is not beside it"));
        }
        let content = std::fs::read(folder.join(name));
        let content = content.map_err(|error| format!("its weights in `{name}`: {error}"))?;
        Ok((name.to_owned(), content))
    };
    names.into_iter().map(read).collect()
}
