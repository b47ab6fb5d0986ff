//! What is done to features before a model sees them.

use super::{Replacement, int};

/// `Scaler`: minus the offset, times the scale.
pub(super) fn scale(operator: &mut Replacement) -> Result<(), String> {
    let rows = operator.float_input()?;
    let mut value = rows;
    for (attribute, standard) in [("offset", "Sub"), ("scale", "Mul")] {
        let by = operator.attribute_floats(attribute);
        if !by.is_empty() {
            let by = operator.floats(&[by.len()], by.to_vec());
            value = operator.apply(standard, &[&value, &by], Vec::new());
        }
    }
    operator.give(0, &value);
    Ok(())
}

/// `Normalizer`: each row divided by its norm. A row whose norm is 0 stays as it is.
pub(super) fn normalize(operator: &mut Replacement) -> Result<(), String> {
    let norm = match operator.attribute_text("norm", "MAX") {
        "L1" => "ReduceL1",
        "L2" => "ReduceL2",
        "MAX" => "ReduceMax",
        other => return operator.refuse(format_args!("with `norm` {other}")),
    };
    let rows = operator.float_input()?;
    let axis = operator.whole(&[1], vec![1]);
    let norm = operator.apply(norm, &[&rows, &axis], vec![int("keepdims", 1)]);
    let zero = operator.floats(&[1], vec![0.0]);
    let one = operator.floats(&[1], vec![1.0]);
    let none = operator.apply("Equal", &[&norm, &zero], Vec::new());
    let norm = operator.apply("Where", &[&none, &one, &norm], Vec::new());
    let normal = operator.apply("Div", &[&rows, &norm], Vec::new());
    operator.give(0, &normal);
    Ok(())
}

/// `Binarizer`: 1 above the threshold, else 0.
pub(super) fn binarize(operator: &mut Replacement) -> Result<(), String> {
    let threshold = operator.attribute("threshold").and_then(|attribute| attribute.f);
    let rows = operator.float_input()?;
    let threshold = operator.floats(&[1], vec![threshold.unwrap_or(0.0)]);
    let [zero, one] = [0.0, 1.0].map(|value| operator.floats(&[1], vec![value]));
    let above = operator.apply("Greater", &[&rows, &threshold], Vec::new());
    let value = operator.apply("Where", &[&above, &one, &zero], Vec::new());
    operator.give(0, &value);
    Ok(())
}

/// `Imputer`: what stands for a missing number is replaced, column by column.
pub(super) fn impute(operator: &mut Replacement) -> Result<(), String> {
    let floats = operator.attribute_floats("imputed_value_floats");
    let ints = operator.attribute_ints("imputed_value_int64s");
    let rows = operator.input()?;
    let (missing, imputed) = if floats.is_empty() {
        if ints.is_empty() {
            return operator.refuse("without a value to impute");
        }
        let missing = operator.attribute_int("replaced_value_int64", 0);
        let missing = operator.whole(&[1], vec![missing]);
        let missing = operator.apply("Equal", &[&rows, &missing], Vec::new());
        (missing, operator.whole(&[ints.len()], ints.to_vec()))
    } else {
        let missing = operator.attribute("replaced_value_float").and_then(|attribute| attribute.f);
        let missing = missing.unwrap_or(0.0);
        let missing = if missing.is_nan() {
            operator.apply("IsNaN", &[&rows], Vec::new())
        } else {
            let missing = operator.floats(&[1], vec![missing]);
            operator.apply("Equal", &[&rows, &missing], Vec::new())
        };
        (missing, operator.floats(&[floats.len()], floats.to_vec()))
    };
    let value = operator.apply("Where", &[&missing, &imputed, &rows], Vec::new());
    operator.give(0, &value);
    Ok(())
}

/// `ArrayFeatureExtractor`: the columns at these places.
pub(super) fn pick(operator: &mut Replacement) -> Result<(), String> {
    let [rows, places] = operator.node.input.as_slice() else {
        return operator.refuse("without places");
    };
    let (rows, places) = (rows.clone(), places.clone());
    let flat = operator.whole(&[1], vec![-1]);
    let places = operator.apply("Reshape", &[&places, &flat], Vec::new());
    // A list is one row; only constants are, what is computed has rows.
    let list = operator.known.iter().any(|(name, dims)| *name == rows && dims.len() == 1);
    let rows = if list {
        let row = operator.whole(&[2], vec![1, -1]);
        operator.apply("Reshape", &[&rows, &row], Vec::new())
    } else {
        rows
    };
    let picked = operator.apply("Gather", &[&rows, &places], vec![int("axis", -1)]);
    operator.give(0, &picked);
    Ok(())
}
