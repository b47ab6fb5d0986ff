//! scikit-learn's operators in terms of standard ones.
//!
//! skl2onnx writes operators of the domain `ai.onnx.ml`, which rten lacks. Each of those below means
//! no more than a few standard operators, so they are put in its place before rten sees the graph,
//! and people's files work as they are. What they compute is what ONNX Runtime computes, also where
//! the specification is silent. An operator that is not here is refused by its name.

mod features;
mod linear;
mod mended;
mod trees;

use std::collections::HashSet;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto,
};

/// The domain of the operators that are replaced.
const DOMAIN: &str = "ai.onnx.ml";

/// Puts standard operators in the place of all others, and of those that rten takes differently.
///
/// `needed` holds the values that are used: what only gives others is left out.
///
/// # Errors
/// Each operator that cannot be replaced, as it is to be named to the user.
pub(super) fn rewrite(graph: &mut GraphProto, needed: &HashSet<String>) -> Result<(), Vec<String>> {
    let mut lacking = Vec::new();
    for (index, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        if !is_other(&node) && !mended::differs(&node) {
            graph.node.push(node);
            continue;
        }
        let mut replacement = Replacement::of(&node, index, graph, needed);
        if let Err(operator) = replacement.build()
            && !lacking.contains(&operator)
        {
            lacking.push(operator);
        }
        let Replacement { nodes, constants, .. } = replacement;
        graph.node.extend(nodes);
        graph.initializer.extend(constants);
    }
    if lacking.is_empty() { Ok(()) } else { Err(lacking) }
}

fn is_other(node: &NodeProto) -> bool {
    !matches!(node.domain.as_deref(), None | Some("" | "ai.onnx"))
}

/// What takes the place of one operator.
struct Replacement<'a> {
    node: &'a NodeProto,
    /// Begins the name of each value that is made here: no other graph uses it.
    prefix: String,
    /// The constant of this name, if the graph has one.
    known: Vec<(&'a str, Vec<i64>)>,
    needed: &'a HashSet<String>,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl<'a> Replacement<'a> {
    fn of(
        node: &'a NodeProto,
        index: usize,
        graph: &GraphProto,
        needed: &'a HashSet<String>,
    ) -> Self {
        let known = node.input.iter().filter_map(|input| {
            let constant =
                graph.initializer.iter().find(|tensor| tensor.name.as_ref() == Some(input));
            constant.map(|constant| (input.as_str(), constant.dims.clone()))
        });
        let known = known.collect();
        let prefix = format!("plimsoll/{index}");
        Self { node, prefix, known, needed, nodes: Vec::new(), constants: Vec::new() }
    }

    fn build(&mut self) -> Result<(), String> {
        let operator = self.node.op_type.as_deref().unwrap_or_default();
        if !is_other(self.node) {
            return mended::mend(self);
        }
        if self.node.domain.as_deref() != Some(DOMAIN) {
            return Err(format!("`{operator}`"));
        }
        match operator {
            "ArrayFeatureExtractor" => features::pick(self),
            "Binarizer" => features::binarize(self),
            "Imputer" => features::impute(self),
            "LinearClassifier" => linear::classify(self),
            "LinearRegressor" => linear::regress(self),
            "Normalizer" => features::normalize(self),
            "Scaler" => features::scale(self),
            "TreeEnsembleClassifier" => trees::classify(self),
            "TreeEnsembleRegressor" => trees::regress(self),
            _ => Err(format!("`{operator}`")),
        }
    }

    /// Says that this operator is known, but not in this form.
    fn refuse<T>(&self, form: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("`{}` {form}", self.node.op_type.as_deref().unwrap_or_default()))
    }

    /// Whether an output of the operator is used at all.
    fn wants(&self, output: usize) -> bool {
        self.node.output.get(output).is_some_and(|name| self.needed.contains(name))
    }

    /// Gives a value the name of one of the operator's outputs.
    fn give(&mut self, output: usize, value: &str) {
        let name = self.node.output[output].clone();
        self.push("Identity", &[value], Vec::new(), vec![name]);
    }

    /// The operator's first input as it is.
    fn input(&self) -> Result<String, String> {
        self.node
            .input
            .first()
            .map_or_else(|| self.refuse("without an input"), |name| Ok(name.clone()))
    }

    /// The operator's first input in single precision: these operators also take whole numbers.
    fn float_input(&mut self) -> Result<String, String> {
        let input = self.input()?;
        let to = i64::from(DataType::FLOAT.0);
        Ok(self.apply("Cast", &[&input], vec![int("to", to)]))
    }

    /// The result of a standard operator.
    fn apply(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = self.fresh();
        self.push(operator, inputs, attributes, vec![name.clone()]);
        name
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
        output: Vec<String>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output,
            op_type: Some(operator.to_owned()),
            attribute,
            ..NodeProto::default()
        });
    }

    /// A constant in single precision; its length is the product of `dims`.
    fn floats(&mut self, dims: &[usize], values: Vec<f32>) -> String {
        let name = self.fresh();
        self.constants.push(TensorProto {
            dims: dims.iter().map(|&dim| long(dim)).collect(),
            data_type: Some(DataType::FLOAT),
            float_data: values,
            name: Some(name.clone()),
            ..TensorProto::default()
        });
        name
    }

    /// A constant of whole numbers; its length is the product of `dims`.
    fn whole(&mut self, dims: &[usize], values: Vec<i64>) -> String {
        let name = self.fresh();
        self.constants.push(TensorProto {
            dims: dims.iter().map(|&dim| long(dim)).collect(),
            data_type: Some(DataType::INT64),
            int64_data: values,
            name: Some(name.clone()),
            ..TensorProto::default()
        });
        name
    }

    /// A constant of lengths or of places in a table; its length is the product of `dims`.
    fn places(&mut self, dims: &[usize], values: &[usize]) -> String {
        self.whole(dims, values.iter().map(|&value| long(value)).collect())
    }

    fn fresh(&self) -> String {
        format!("{}/{}", self.prefix, self.nodes.len() + self.constants.len())
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        let node = self.node;
        node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    fn attribute_int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    fn attribute_floats(&self, name: &str) -> &'a [f32] {
        self.attribute(name).map_or(&[], |attribute| &attribute.floats)
    }

    fn attribute_ints(&self, name: &str) -> &'a [i64] {
        self.attribute(name).map_or(&[], |attribute| &attribute.ints)
    }

    fn attribute_strings(&self, name: &str) -> &'a [String] {
        self.attribute(name).map_or(&[], |attribute| &attribute.strings)
    }

    fn attribute_text(&self, name: &str, default: &'a str) -> &'a str {
        self.attribute(name).and_then(|attribute| attribute.s.as_deref()).unwrap_or(default)
    }

    /// A classifier's labels. Texts are no numbers, which is all that the builtin runtime answers.
    fn labels(&self, ints: &str, strings: &str) -> Result<&'a [i64], String> {
        if !self.attribute_strings(strings).is_empty() {
            return self.refuse("whose labels are texts");
        }
        let labels = self.attribute_ints(ints);
        if labels.is_empty() { self.refuse("without labels") } else { Ok(labels) }
    }

    /// The label at each row's largest score, the first of equal ones.
    fn label_of_largest(&mut self, scores: &str, labels: &[i64]) -> String {
        let largest = mended::first(self, scores, true, 1, false);
        let labels = self.whole(&[labels.len()], labels.to_vec());
        self.apply("Gather", &[&labels, &largest], vec![int("axis", 0)])
    }

    /// The label at index 1 for each row whose only score is above the bound, else that at index 0.
    fn label_above(&mut self, score: &str, bound: f32, labels: [i64; 2]) -> String {
        let bound = self.floats(&[1], vec![bound]);
        let above = self.apply("Greater", &[score, &bound], Vec::new());
        let [below, positive] = labels.map(|label| self.whole(&[1], vec![label]));
        let label = self.apply("Where", &[&above, &positive, &below], Vec::new());
        let flat = self.whole(&[1], vec![-1]);
        self.apply("Reshape", &[&label, &flat], Vec::new())
    }

    /// What makes probabilities of scores (rows × at least two).
    fn transform(&mut self, scores: String) -> Result<String, String> {
        match self.attribute_text("post_transform", "NONE") {
            "NONE" => Ok(scores),
            "SOFTMAX" => Ok(self.apply("Softmax", &[&scores], vec![int("axis", 1)])),
            "LOGISTIC" => Ok(self.apply("Sigmoid", &[&scores], Vec::new())),
            other => self.refuse(format_args!("with `post_transform` {other}")),
        }
    }
}

fn long(length: usize) -> i64 {
    i64::try_from(length).expect("a length in memory fits")
}

/// An attribute with one whole number.
fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        i: Some(value),
        r#type: Some(AttributeType::INT),
        ..AttributeProto::default()
    }
}
