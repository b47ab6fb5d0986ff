//! Standard operators that rten 0.27 takes otherwise than the specification says.
//!
//! `ArgMax` and `ArgMin` give the place of the last of equal ones instead of the first, so that a forest
//! whose trees are divided would answer another label than elsewhere; `TopK` keeps the rule. `Sign` of 0
//! is 1 instead of 0.

use rten_onnx::onnx::NodeProto;

use super::{Replacement, int};

/// Whether this is one of them. The last of equal ones, which may be asked for, is refused by rten.
pub(super) fn differs(node: &NodeProto) -> bool {
    let last = |name: Option<&str>| name == Some("select_last_index");
    match node.op_type.as_deref() {
        Some("ArgMax" | "ArgMin") => {
            !node.attribute.iter().any(|one| last(one.name.as_deref()) && one.i != Some(0))
        }
        Some("Sign") => true,
        _ => false,
    }
}

/// Puts the same in terms of others.
pub(super) fn mend(operator: &mut Replacement) -> Result<(), String> {
    let values = operator.input()?;
    let value = match operator.node.op_type.as_deref() {
        Some("Sign") => sign(operator, &values),
        other => {
            let axis = operator.attribute_int("axis", 0);
            let keep = operator.attribute_int("keepdims", 1) != 0;
            first(operator, &values, other == Some("ArgMax"), axis, keep)
        }
    };
    operator.give(0, &value);
    Ok(())
}

/// The place of the largest (else smallest) value along an axis, which stays with length 1 if it is kept.
pub(super) fn first(
    operator: &mut Replacement,
    values: &str,
    largest: bool,
    axis: i64,
    keep: bool,
) -> String {
    let one = operator.whole(&[1], vec![1]);
    let outputs = ["value", "place"].map(|name| format!("{}/{name}", operator.fresh()));
    let place = outputs[1].clone();
    let attributes = vec![int("axis", axis), int("largest", largest.into())];
    operator.push("TopK", &[values, &one], attributes, outputs.into());
    if keep {
        return place;
    }
    let axis = operator.whole(&[1], vec![axis]);
    operator.apply("Squeeze", &[&place, &axis], Vec::new())
}

/// 1 above 0, -1 below, in the type of the values.
fn sign(operator: &mut Replacement, values: &str) -> String {
    let zero = operator.floats(&[1], vec![0.0]);
    let zero = operator.apply("CastLike", &[&zero, values], Vec::new());
    let [above, below] = ["Greater", "Less"].map(|comparison| {
        let holds = operator.apply(comparison, &[values, &zero], Vec::new());
        operator.apply("CastLike", &[&holds, values], Vec::new())
    });
    operator.apply("Sub", &[&above, &below], Vec::new())
}
