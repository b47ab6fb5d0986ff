//! Linear models: one row of coefficients for each score.

use super::{Replacement, int};

/// `LinearRegressor`: the scores are the predictions.
pub(super) fn regress(operator: &mut Replacement) -> Result<(), String> {
    let targets = operator.attribute_int("targets", 1);
    let post_transform = operator.attribute_text("post_transform", "NONE");
    if targets == 1 && post_transform != "NONE" {
        // ONNX Runtime leaves it out, the specification does not: nobody can rely on either.
        return operator.refuse(format_args!("with `post_transform` {post_transform}"));
    }
    let scores = scores(operator, usize::try_from(targets).unwrap_or(0))?;
    let predictions = operator.transform(scores)?;
    operator.give(0, &predictions);
    Ok(())
}

/// `LinearClassifier`: the label of the largest score, and what `post_transform` makes of the scores.
/// With one score for two labels the second one is chosen above 0.
pub(super) fn classify(operator: &mut Replacement) -> Result<(), String> {
    let labels = operator.labels("classlabels_ints", "classlabels_strings")?;
    let count = match operator.attribute_floats("intercepts").len() {
        0 => labels.len(),
        count => count,
    };
    let scores = scores(operator, count)?;
    match (count, labels) {
        (1, &[negative, positive]) => {
            if operator.wants(0) {
                let label = operator.label_above(&scores, 0.0, [negative, positive]);
                operator.give(0, &label);
            }
            if operator.wants(1) {
                let second = match operator.attribute_text("post_transform", "NONE") {
                    "LOGISTIC" => operator.transform(scores)?,
                    "NONE" => scores,
                    other => return operator.refuse(format_args!("with `post_transform` {other}")),
                };
                let one = operator.floats(&[1], vec![1.0]);
                let first = operator.apply("Sub", &[&one, &second], Vec::new());
                let both = operator.apply("Concat", &[&first, &second], vec![int("axis", 1)]);
                operator.give(1, &both);
            }
        }
        (count, labels) if count == labels.len() => {
            if operator.wants(0) {
                let label = operator.label_of_largest(&scores, labels);
                operator.give(0, &label);
            }
            if operator.wants(1) {
                let transformed = operator.transform(scores)?;
                operator.give(1, &transformed);
            }
        }
        (count, labels) => {
            let labels = labels.len();
            return operator.refuse(format_args!("with {count} scores for {labels} labels"));
        }
    }
    Ok(())
}

/// Rows × scores: the rows times the coefficients, plus the intercepts.
fn scores(operator: &mut Replacement, count: usize) -> Result<String, String> {
    let coefficients = operator.attribute_floats("coefficients");
    let intercepts = operator.attribute_floats("intercepts");
    let fits = count > 0
        && !coefficients.is_empty()
        && coefficients.len().is_multiple_of(count)
        && (intercepts.is_empty() || intercepts.len() == count);
    if !fits {
        let (all, more) = (coefficients.len(), intercepts.len());
        return operator.refuse(format_args!(
            "with {all} coefficients and {more} intercepts for {count} scores"
        ));
    }
    let rows = operator.float_input()?;
    let weights = operator.floats(&[count, coefficients.len() / count], coefficients.to_vec());
    let transposed = vec![int("transB", 1)];
    if intercepts.is_empty() {
        return Ok(operator.apply("Gemm", &[&rows, &weights], transposed));
    }
    let intercepts = operator.floats(&[count], intercepts.to_vec());
    Ok(operator.apply("Gemm", &[&rows, &weights, &intercepts], transposed))
}
