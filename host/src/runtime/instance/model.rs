//! An ONNX model that takes rows of numbers, scored by tract.
//!
//! One input of shape *rows × features* (or *rows* alone); the first output is the prediction. The
//! number of rows is left open. What tract cannot run is refused when the model is loaded, by the
//! operator's name: scikit-learn exports some that it lacks.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

/// Why a model cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, or is not ONNX.
    #[error("cannot read the ONNX model `{}`: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It uses operators that tract lacks.
    #[error(
        "the ONNX model `{}` uses {operators}, which the builtin runtime does not know; add `code_configuration` with a scoring script that loads it, so that the python runtime serves it",
        path.display()
    )]
    Operators {
        /// The file.
        path: PathBuf,
        /// Their names.
        operators: String,
    },
    /// Its inputs are not one matrix of numbers.
    #[error("the ONNX model `{}` cannot be fed with rows of numbers: {reason}", path.display())]
    Inputs {
        /// The file.
        path: PathBuf,
        /// What they are.
        reason: String,
    },
    /// Tract could not prepare it.
    #[error("the ONNX model `{}` cannot be prepared: {reason}; if that cannot be helped, add `code_configuration` with a scoring script that loads it", path.display())]
    Prepare {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What is wrong with a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not JSON of the right form.
    #[error("the body must be JSON of the form {{\"data\": [[…], …]}}: {0}")]
    Form(String),
    /// A row has the wrong width.
    #[error("row {row} has {width} numbers, but the model takes {wanted}")]
    Width {
        /// Counted from 1.
        row: usize,
        /// Its numbers.
        width: usize,
        /// The model's features.
        wanted: usize,
    },
    /// A row has a number that the model's whole-number input cannot hold.
    #[error("row {row} has {number}, but the model takes whole numbers that fit its input")]
    Whole {
        /// Counted from 1.
        row: usize,
        /// As it was given.
        number: String,
    },
    /// The model failed on it.
    #[error("the model failed: {0}")]
    Score(String),
}

/// A model, ready to score.
pub struct Model {
    plan: Arc<TypedRunnableModel>,
    features: usize,
    input: DatumType,
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Vec<f64>>,
}

impl Model {
    /// Loads a model and prepares it for any number of rows.
    ///
    /// # Errors
    /// What cannot be read or run, by name.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let onnx = tract_onnx::onnx();
        let read =
            |error: TractError| Error::Read { path: path.to_owned(), reason: format!("{error:#}") };
        let proto = onnx.proto_model_for_path(path).map_err(read)?;
        let graph = proto.graph.as_ref().ok_or_else(|| Error::Read {
            path: path.to_owned(),
            reason: "it is no ONNX model".to_owned(),
        })?;
        let lacking: BTreeSet<_> = graph
            .node
            .iter()
            .map(|node| node.op_type.as_str())
            .filter(|name| !onnx.op_register.0.contains_key(*name))
            .collect();
        if !lacking.is_empty() {
            let names: Vec<_> = lacking.iter().map(|name| format!("`{name}`")).collect();
            return Err(Error::Operators { path: path.to_owned(), operators: names.join(", ") });
        }
        let model = onnx.model_for_proto_model(&proto).map_err(read)?;
        prepare(model).map_err(|reason| match reason {
            Unfit::Inputs(reason) => Error::Inputs { path: path.to_owned(), reason },
            Unfit::Model(error) => {
                Error::Prepare { path: path.to_owned(), reason: format!("{error:#}") }
            }
        })
    }

    /// The predictions for a request's body, as JSON: one for each row.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn score(&self, body: &[u8]) -> Result<String, Refusal> {
        let Body { data } =
            serde_json::from_slice(body).map_err(|error| Refusal::Form(error.to_string()))?;
        if data.is_empty() {
            return Ok("[]".to_owned());
        }
        for (index, row) in data.iter().enumerate() {
            if row.len() != self.features {
                return Err(Refusal::Width {
                    row: index + 1,
                    width: row.len(),
                    wanted: self.features,
                });
            }
        }
        let failed = |error: TractError| Refusal::Score(format!("{error:#}"));
        let flat: Vec<f64> = data.concat();
        let input = Tensor::from_shape(&[data.len(), self.features], &flat).map_err(failed)?;
        let input = input.cast_to_dt(self.input).map_err(failed)?.into_owned();
        self.check_whole(&input, &flat)?;
        // Tract panics on some values, an index beyond a table for example. That is the failure of
        // one request, not of the instance; the plan itself is not changed by a run.
        let run = || self.plan.run(tvec!(input.into()));
        let output = catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| Refusal::Score("it cannot work on these numbers".to_owned()))?;
        predictions(&output.map_err(failed)?[0], data.len()).map_err(failed)
    }

    /// Nothing is cut off in silence: a number must be the same after the conversion.
    fn check_whole(&self, input: &Tensor, given: &[f64]) -> Result<(), Refusal> {
        if !self.input.is_integer() {
            return Ok(());
        }
        let failed = |error: TractError| Refusal::Score(format!("{error:#}"));
        let back = input.cast_to::<f64>().map_err(failed)?;
        let back = back.try_as_plain_ram().map_err(failed)?;
        let kept = back.as_slice::<f64>().map_err(failed)?;
        #[expect(clippy::float_cmp, reason = "the conversion keeps a number exactly or not at all")]
        let changed = kept.iter().zip(given).position(|(kept, given)| kept != given);
        changed.map_or(Ok(()), |at| {
            Err(Refusal::Whole { row: at / self.features + 1, number: given[at].to_string() })
        })
    }
}

enum Unfit {
    Inputs(String),
    Model(TractError),
}

impl From<TractError> for Unfit {
    fn from(error: TractError) -> Self {
        Self::Model(error)
    }
}

fn prepare(model: InferenceModel) -> Result<Model, Unfit> {
    let inputs = model.input_outlets()?;
    if inputs.len() != 1 {
        let names: Vec<_> =
            inputs.iter().map(|outlet| model.node(outlet.node).name.clone()).collect();
        return Err(Unfit::Inputs(format!(
            "it has {} inputs ({})",
            inputs.len(),
            names.join(", ")
        )));
    }
    let fact = model.input_fact(0)?.clone();
    let input = fact.datum_type.concretize().unwrap_or(DatumType::F32);
    if !(input.is_float() || input.is_integer()) {
        return Err(Unfit::Inputs(format!("its input is of type {input:?}")));
    }
    let dims: Vec<_> = fact.shape.dims().map(Factoid::concretize).collect();
    let features = match dims.as_slice() {
        [_, Some(features)] => features.to_usize().ok(),
        _ => None,
    };
    let Some(features) = features else {
        return Err(Unfit::Inputs(format!(
            "its input has the shape {:?}, not rows × features",
            fact.shape
        )));
    };
    let rows = model.symbols.sym("rows");
    let shape = tvec!(rows.to_dim(), features.to_dim());
    let model = model.with_input_fact(0, InferenceFact::dt_shape(input, shape))?;
    let plan = model.into_optimized()?.into_runnable()?;
    Ok(Model { plan, features, input })
}

/// One number for each row where the output has one; else a list for each row.
fn predictions(output: &Tensor, rows: usize) -> TractResult<String> {
    let whole = output.datum_type().is_integer();
    let numbers: Vec<Value> = if whole {
        let output = output.cast_to::<i64>()?;
        output
            .try_as_plain_ram()?
            .as_slice::<i64>()?
            .iter()
            .map(|number| Value::from(*number))
            .collect()
    } else if output.datum_type() == DatumType::F32 {
        // The shortest text that reads back as the same f32, not as the f64 next to it.
        let shortest =
            |number: &f32| number.to_string().parse::<f64>().map_or(Value::Null, Value::from);
        output.try_as_plain_ram()?.as_slice::<f32>()?.iter().map(shortest).collect()
    } else {
        let output = output.cast_to::<f64>()?;
        output
            .try_as_plain_ram()?
            .as_slice::<f64>()?
            .iter()
            .map(|number| Value::from(*number))
            .collect()
    };
    let width = numbers.len() / rows.max(1);
    let answer: Value = match width {
        0 | 1 => numbers.into(),
        _ => numbers.chunks(width).map(|row| Value::from(row.to_vec())).collect(),
    };
    Ok(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
    }

    fn numbers(text: &str) -> Vec<f64> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn it_predicts_what_scikit_learn_predicts_for_any_number_of_rows() {
        let model = Model::load(&repository("scenarios/quickstart/model/diabetes.onnx")).unwrap();
        let expected = std::fs::read(repository("scenarios/models/expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let wanted: Vec<f64> = serde_json::from_value(expected["predictions"].clone()).unwrap();
        let body = serde_json::json!({ "data": expected["data"] }).to_string();
        let got = numbers(&model.score(body.as_bytes()).unwrap());
        assert_eq!(got.len(), wanted.len());
        for (got, wanted) in got.iter().zip(&wanted) {
            assert!((got - wanted).abs() <= wanted.abs() * 1e-4, "{got} is not {wanted}");
        }
        let one = serde_json::json!({ "data": [expected["data"][1]] }).to_string();
        assert_eq!(numbers(&model.score(one.as_bytes()).unwrap()), got[1..]);
        assert_eq!(model.score(b"{\"data\": []}").unwrap(), "[]");
    }

    #[test]
    fn a_classifier_answers_its_labels() {
        let model = Model::load(&repository("host/tests/data/classifier.onnx")).unwrap();
        let row = vec![0.05; 10];
        let body = serde_json::json!({ "data": [row] }).to_string();
        let answer = model.score(body.as_bytes()).unwrap();
        assert!(["[0]", "[1]"].contains(&answer.as_str()), "{answer}");
    }

    #[test]
    fn an_operator_that_is_lacking_is_named_with_the_way_out() {
        let error =
            Model::load(&repository("host/tests/data/trees.onnx")).err().unwrap().to_string();
        for part in ["trees.onnx", "`TreeEnsembleRegressor`", "code_configuration"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_model_is_refused() {
        let error = Model::load(&repository("README.md"))
            .err()
            .or(Model::load(&repository("Cargo.toml")).err());
        assert!(error.unwrap().to_string().contains("cannot read the ONNX model"));
    }

    #[test]
    fn whole_numbers_are_not_cut_and_a_panic_of_the_model_is_an_answer() {
        let model = Model::load(&repository("host/tests/data/gather.onnx")).unwrap();
        assert_eq!(numbers(&model.score(b"{\"data\": [[1], [2]]}").unwrap()), [2.0, 3.0]);
        let cut = model.score(b"{\"data\": [[1], [1.7]]}").unwrap_err();
        assert_eq!(cut, Refusal::Whole { row: 2, number: "1.7".to_owned() });
        assert!(matches!(model.score(b"{\"data\": [[9]]}"), Err(Refusal::Score(_))));
        assert_eq!(numbers(&model.score(b"{\"data\": [[0]]}").unwrap()), [1.0], "it still works");
    }

    #[test]
    fn a_wrong_request_is_refused_with_what_is_wrong() {
        let model = Model::load(&repository("scenarios/quickstart/model/diabetes.onnx")).unwrap();
        let width = model.score(b"{\"data\": [[1, 2]]}").unwrap_err();
        assert_eq!(width, Refusal::Width { row: 1, width: 2, wanted: 10 });
        for wrong in ["", "[]", "{\"rows\": []}", "{\"data\": [[\"a\"]]}"] {
            assert!(matches!(model.score(wrong.as_bytes()), Err(Refusal::Form(_))), "{wrong}");
        }
    }
}
