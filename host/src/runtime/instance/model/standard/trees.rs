//! Trees: all of them walk one step down at a time, side by side.
//!
//! The nodes of all trees are one table. A row stands at one node of each tree, first at the roots;
//! a step looks up the node's feature and threshold, compares, and goes to one of its two children.
//! A leaf is its own child, so that as many steps as the deepest tree has are right for each. Every
//! step is exact; the leaves' weights are added in single precision, as ONNX Runtime does.

use std::collections::{BTreeSet, HashMap};

use super::{Replacement, int};

/// A forest may not be deeper: each level is a few operators, and scikit-learn's trees end far above.
const MAX_DEPTH: usize = 512;

/// `TreeEnsembleRegressor`: the sum (or average) of the leaves' weights.
pub(super) fn regress(operator: &mut Replacement) -> Result<(), String> {
    let targets = operator.attribute_int("n_targets", 1);
    let targets = usize::try_from(targets).unwrap_or(0);
    let forest = Forest::of(operator, "target", targets)?;
    let average = match operator.attribute_text("aggregate_function", "SUM") {
        "SUM" => None,
        "AVERAGE" => Some(forest.roots.len() as f32),
        other => return operator.refuse(format_args!("with `aggregate_function` {other}")),
    };
    if operator.attribute_text("post_transform", "NONE") != "NONE" {
        return operator.refuse("with a `post_transform`");
    }
    let mut sums = forest.sums(operator)?;
    if let Some(trees) = average {
        let trees = operator.floats(&[1], vec![trees]);
        sums = operator.apply("Div", &[&sums, &trees], Vec::new());
    }
    let base = operator.attribute_floats("base_values");
    if !base.is_empty() && base.len() != targets {
        return operator
            .refuse(format_args!("with {} base values for {targets} targets", base.len()));
    }
    let predictions = add_base(operator, sums, base);
    operator.give(0, &predictions);
    Ok(())
}

/// `TreeEnsembleClassifier`: the label of the largest sum. With two labels whose weights are all for
/// one of them, there is one sum: it decides at one half if no weight is negative, else at 0.
pub(super) fn classify(operator: &mut Replacement) -> Result<(), String> {
    let labels = operator.labels("classlabels_int64s", "classlabels_strings")?;
    let used: BTreeSet<_> = operator.attribute_ints("class_ids").iter().copied().collect();
    let base = operator.attribute_floats("base_values");
    match *labels {
        [negative, positive] if used.len() == 1 && base.len() < 2 => {
            let weights = operator.attribute_floats("class_weights");
            let share = weights.iter().all(|weight| *weight >= 0.0);
            let forest = Forest::of(operator, "class", 1)?;
            let sum = forest.sums(operator)?;
            let sum = add_base(operator, sum, base);
            if operator.wants(0) {
                let bound = if share { 0.5 } else { 0.0 };
                let label = operator.label_above(&sum, bound, [negative, positive]);
                operator.give(0, &label);
            }
            if operator.wants(1) {
                // With weights for the second label, ONNX Runtime gives the first a score of 0.
                if !used.contains(&0) {
                    return operator.refuse("with weights for the second label only");
                }
                let both = both(operator, &sum, share)?;
                operator.give(1, &both);
            }
        }
        _ if labels.len() > 2 && (base.is_empty() || base.len() == labels.len()) => {
            let forest = Forest::of(operator, "class", labels.len())?;
            let sums = forest.sums(operator)?;
            let sums = add_base(operator, sums, base);
            if operator.wants(0) {
                let label = operator.label_of_largest(&sums, labels);
                operator.give(0, &label);
            }
            if operator.wants(1) {
                let transformed = operator.transform(sums)?;
                operator.give(1, &transformed);
            }
        }
        _ => {
            let (labels, classes, base) = (labels.len(), used.len(), base.len());
            return operator.refuse(format_args!(
                "with {labels} labels, weights for {classes} and {base} base values"
            ));
        }
    }
    Ok(())
}

/// Both labels' scores of the one sum that there is.
fn both(operator: &mut Replacement, sum: &str, share: bool) -> Result<String, String> {
    let (first, second) = match (operator.attribute_text("post_transform", "NONE"), share) {
        ("NONE", true) => {
            let one = operator.floats(&[1], vec![1.0]);
            (operator.apply("Sub", &[&one, sum], Vec::new()), sum.to_owned())
        }
        ("NONE", false) => (operator.apply("Neg", &[sum], Vec::new()), sum.to_owned()),
        ("LOGISTIC", _) => {
            let first = operator.apply("Neg", &[sum], Vec::new());
            let first = operator.apply("Sigmoid", &[&first], Vec::new());
            (first, operator.apply("Sigmoid", &[sum], Vec::new()))
        }
        (other, _) => return operator.refuse(format_args!("with `post_transform` {other}")),
    };
    Ok(operator.apply("Concat", &[&first, &second], vec![int("axis", 1)]))
}

fn add_base(operator: &mut Replacement, sums: String, base: &[f32]) -> String {
    if base.is_empty() {
        return sums;
    }
    let base = operator.floats(&[base.len()], base.to_vec());
    operator.apply("Add", &[&sums, &base], Vec::new())
}

/// All nodes of all trees, by place in one table.
struct Forest {
    roots: Vec<usize>,
    features: Vec<i64>,
    thresholds: Vec<f32>,
    /// The standard comparison of a feature with a threshold.
    comparison: &'static str,
    /// The child where the comparison holds, and where it does not.
    children: [Vec<usize>; 2],
    /// 1 where a missing number goes where the comparison holds.
    missing: Vec<i64>,
    /// Nodes × scores.
    weights: Vec<f32>,
    scores: usize,
    depth: usize,
}

impl Forest {
    /// Reads the operator's attributes; `kind` is how those of the leaves begin.
    fn of(operator: &Replacement, kind: &str, scores: usize) -> Result<Self, String> {
        if operator.node.attribute.iter().any(|attribute| attribute.t.is_some()) {
            return operator.refuse("in double precision");
        }
        let trees = operator.attribute_ints("nodes_treeids");
        let ids = operator.attribute_ints("nodes_nodeids");
        let features = operator.attribute_ints("nodes_featureids");
        let thresholds = operator.attribute_floats("nodes_values");
        let modes = operator.attribute_strings("nodes_modes");
        let yes = operator.attribute_ints("nodes_truenodeids");
        let no = operator.attribute_ints("nodes_falsenodeids");
        let count = trees.len();
        let lengths =
            [ids.len(), features.len(), thresholds.len(), modes.len(), yes.len(), no.len()];
        if count == 0 || scores == 0 || lengths.iter().any(|length| *length != count) {
            return operator.refuse("whose nodes are not complete");
        }
        let place: HashMap<_, _> =
            trees.iter().zip(ids).zip(0..).map(|((tree, id), at)| ((*tree, *id), at)).collect();
        let mut children = [(0..count).collect::<Vec<_>>(), (0..count).collect()];
        let mut branches = BTreeSet::new();
        for at in (0..count).filter(|&at| modes[at] != "LEAF") {
            branches.insert(modes[at].as_str());
            for (side, target) in children.iter_mut().zip([yes[at], no[at]]) {
                match place.get(&(trees[at], target)) {
                    Some(child) => side[at] = *child,
                    None => return operator.refuse("whose nodes are not complete"),
                }
            }
        }
        let comparison = match branches.iter().copied().collect::<Vec<_>>().as_slice() {
            [] | ["BRANCH_LEQ"] => "LessOrEqual",
            ["BRANCH_LT"] => "Less",
            ["BRANCH_GTE"] => "GreaterOrEqual",
            ["BRANCH_GT"] => "Greater",
            modes => return operator.refuse(format_args!("with branches {}", modes.join(", "))),
        };
        let Some((roots, depth)) = walk(&children) else {
            return operator.refuse("whose nodes are no trees of a usual depth");
        };
        let missing = operator.attribute_ints("nodes_missing_value_tracks_true");
        let missing = if missing.len() == count { missing.to_vec() } else { Vec::new() };
        let mut forest = Self {
            roots,
            features: features.to_vec(),
            thresholds: thresholds.to_vec(),
            comparison,
            children,
            missing,
            weights: vec![0.0; count * scores],
            scores,
            depth,
        };
        forest.weigh(operator, kind, &place)?;
        Ok(forest)
    }

    fn weigh(
        &mut self,
        operator: &Replacement,
        kind: &str,
        place: &HashMap<(i64, i64), usize>,
    ) -> Result<(), String> {
        let ints = |name: &str| operator.attribute_ints(&format!("{kind}_{name}"));
        let weights = operator.attribute_floats(&format!("{kind}_weights"));
        let leaves = ints("treeids").iter().zip(ints("nodeids"));
        for ((leaf, id), weight) in leaves.zip(ints("ids")).zip(weights) {
            // With one score, its number says which label it is for, not its place.
            let score = if self.scores == 1 { Some(0) } else { usize::try_from(*id).ok() };
            let at = place.get(&(*leaf.0, *leaf.1)).copied();
            match (at, score) {
                (Some(at), Some(score)) if score < self.scores => {
                    self.weights[at * self.scores + score] += weight;
                }
                _ => return operator.refuse("whose leaves are not complete"),
            }
        }
        Ok(())
    }

    /// Rows × scores: what the leaves that the rows come to weigh in all trees together.
    fn sums(self, operator: &mut Replacement) -> Result<String, String> {
        let (count, trees) = (self.features.len(), self.roots.len());
        let rows = operator.float_input()?;
        let features = operator.whole(&[count], self.features);
        let thresholds = operator.floats(&[count], self.thresholds);
        let children = self.children.map(|side| operator.places(&[count], &side));
        let missing = self.missing.contains(&1).then(|| operator.whole(&[count], self.missing));
        let mut at = at_the_roots(operator, &rows, &self.roots);
        let look_up = vec![int("axis", 0)];
        for _ in 0..self.depth {
            let feature = operator.apply("Gather", &[&features, &at], look_up.clone());
            let value = operator.apply("GatherElements", &[&rows, &feature], vec![int("axis", 1)]);
            let threshold = operator.apply("Gather", &[&thresholds, &at], look_up.clone());
            let mut holds = operator.apply(self.comparison, &[&value, &threshold], Vec::new());
            if let Some(missing) = &missing {
                let goes = operator.apply("Gather", &[missing, &at], look_up.clone());
                let gone = operator.apply("IsNaN", &[&value], Vec::new());
                holds = operator.apply("Where", &[&gone, &goes, &holds], Vec::new());
            }
            let [yes, no] = [0, 1]
                .map(|side| operator.apply("Gather", &[&children[side], &at], look_up.clone()));
            at = operator.apply("Where", &[&holds, &yes, &no], Vec::new());
        }
        let weights = operator.floats(&[count, self.scores], self.weights);
        let weights = operator.apply("Gather", &[&weights, &at], look_up);
        if trees == 1 {
            let axis = operator.whole(&[1], vec![1]);
            return Ok(operator.apply("Squeeze", &[&weights, &axis], Vec::new()));
        }
        let axis = operator.whole(&[1], vec![1]);
        Ok(operator.apply("ReduceSum", &[&weights, &axis], vec![int("keepdims", 0)]))
    }
}

/// Rows × trees: each row at the root of each tree.
fn at_the_roots(operator: &mut Replacement, rows: &str, roots: &[usize]) -> String {
    let shape = operator.apply("Shape", &[rows], Vec::new());
    let first = operator.whole(&[1], vec![0]);
    let height = operator.apply("Gather", &[&shape, &first], vec![int("axis", 0)]);
    let width = operator.places(&[1], &[roots.len()]);
    let shape = operator.apply("Concat", &[&height, &width], vec![int("axis", 0)]);
    let roots = operator.places(&[1, roots.len()], roots);
    operator.apply("Expand", &[&roots, &shape], Vec::new())
}

/// The nodes that are no node's child, and how many steps the deepest tree has. `None` if nodes go
/// round in a circle, share children or are too deep.
fn walk(children: &[Vec<usize>; 2]) -> Option<(Vec<usize>, usize)> {
    let count = children[0].len();
    let pair = |at: usize| [children[0][at], children[1][at]];
    let mut parents = vec![0_u32; count];
    for at in 0..count {
        for child in pair(at) {
            if child != at {
                parents[child] += 1;
            }
        }
    }
    if parents.iter().any(|parents| *parents > 1) {
        return None;
    }
    let roots: Vec<usize> = (0..count).filter(|&at| parents[at] == 0).collect();
    let mut level = roots.clone();
    let mut seen = level.len();
    let mut depth = 0;
    loop {
        let mut next = Vec::new();
        for at in level {
            for child in pair(at) {
                if child != at {
                    next.push(child);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        seen += next.len();
        depth += 1;
        level = next;
        if depth > MAX_DEPTH {
            return None;
        }
    }
    (seen == count).then_some((roots, depth))
}
