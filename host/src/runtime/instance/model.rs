//! An ONNX model that takes rows of numbers, scored by rten.
//!
//! One input of shape *rows × features*; the first output is the prediction. The number of rows is
//! left open. What cannot be run is refused when the model is loaded, by the operator's name; what
//! scikit-learn's exporter writes in operators of its own is put into standard ones first.
//!
//! Numbers have 32 bits: a model in double precision is worked in single precision, which agrees to
//! about seven digits, and whole numbers beyond 32 bits are refused.

mod file;
mod standard;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_domain::json_words;
use rten::{ModelOptions, RunOptions, ThreadPool, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use serde::Deserialize;
use serde_json::Value as Json;

use file::{Input, Kind, Prepared};

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
    /// It uses operators that are neither rten's nor replaced by such.
    #[error(
        "the ONNX model `{}` uses {operators}, which the builtin runtime does not know; export it without (skl2onnx: `black_op`), or add `code_configuration` with a scoring script that loads it, so that the python runtime serves it",
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
    /// It could not be prepared.
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
    plan: rten::Model,
    input: Input,
    pool: Arc<ThreadPool>,
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Vec<f64>>,
}

impl Model {
    /// Loads a model and prepares it for any number of rows, scored on so many threads together.
    ///
    /// # Errors
    /// What cannot be read or run, by name.
    pub fn load(path: &Path, threads: NonZeroUsize) -> Result<Self, Error> {
        let Prepared { bytes, input, operators, weights } = file::prepare(path)?;
        let mut options = ModelOptions::with_all_ops();
        for (name, content) in weights {
            options.external_data(&name, content);
        }
        let plan = options.load(bytes).map_err(|error| unfit(path, &operators, &error))?;
        let pool = Arc::new(ThreadPool::with_num_threads(threads.get()));
        let model = Self { plan, input, pool };
        model.try_two_rows().map_err(|reason| Error::Prepare { path: path.to_owned(), reason })?;
        Ok(model)
    }

    /// Some operators are known, but not for each type; some models only know one number of rows.
    /// That shows as soon as they are run, and is better said now than with each request.
    fn try_two_rows(&self) -> Result<(), String> {
        let zeros = vec![0.0; 2 * self.input.features];
        match self.run(&zeros, 2) {
            Ok(_) => Ok(()),
            Err(Refusal::Score(reason)) => Err(format!("for two rows of zeros, {reason}")),
            Err(other) => Err(other.to_string()),
        }
    }

    /// The predictions for a request's body, as JSON: one for each row.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn score(&self, body: &[u8]) -> Result<String, Refusal> {
        let Body { data } =
            serde_json::from_slice(body).map_err(|error| Refusal::Form(json_words(&error)))?;
        if data.is_empty() {
            return Ok("[]".to_owned());
        }
        for (index, row) in data.iter().enumerate() {
            if row.len() != self.input.features {
                return Err(Refusal::Width {
                    row: index + 1,
                    width: row.len(),
                    wanted: self.input.features,
                });
            }
        }
        let answer = self.run(&data.concat(), data.len())?;
        Ok(Json::from(answer).to_string())
    }

    /// One prediction for each row.
    fn run(&self, numbers: &[f64], rows: usize) -> Result<Vec<Json>, Refusal> {
        let input = self.tensor(numbers, rows)?;
        // A model can panic on some values. That is the failure of one request, not of the instance;
        // the plan itself is not changed by a run.
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let run = || self.plan.run_one(input.into(), Some(options));
        let output = catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| Refusal::Score("it cannot work on these numbers".to_owned()))?
            .map_err(|error| Refusal::Score(error.to_string()))?;
        predictions(&output, rows)
    }

    fn tensor(&self, numbers: &[f64], rows: usize) -> Result<Value, Refusal> {
        let shape: &[usize] = &[rows, self.input.features];
        Ok(match self.input.kind {
            Kind::Float => {
                let single: Vec<_> = numbers.iter().map(|number| *number as f32).collect();
                Tensor::<f32>::from_data(shape, single).into()
            }
            Kind::Int32 => {
                Tensor::<i32>::from_data(shape, self.whole(numbers, |number| number as i32)?).into()
            }
            Kind::Int8 => {
                Tensor::<i8>::from_data(shape, self.whole(numbers, |number| number as i8)?).into()
            }
            Kind::UInt8 => {
                Tensor::<u8>::from_data(shape, self.whole(numbers, |number| number as u8)?).into()
            }
        })
    }

    /// Nothing is cut off in silence: a number must be the same after the conversion.
    fn whole<T: Copy + Into<f64>>(
        &self,
        numbers: &[f64],
        convert: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, Refusal> {
        let each = numbers.iter().enumerate().map(|(at, number)| {
            let whole = convert(*number);
            #[expect(
                clippy::float_cmp,
                reason = "the conversion keeps a number exactly or not at all"
            )]
            let kept = whole.into() == *number;
            let row = at / self.input.features + 1;
            if kept { Ok(whole) } else { Err(Refusal::Whole { row, number: number.to_string() }) }
        });
        each.collect()
    }
}

/// Names the operator that rten does not take.
fn unfit(path: &Path, operators: &[String], error: &rten::LoadError) -> Error {
    let path = path.to_owned();
    let node = error.node().and_then(|name| name.parse::<usize>().ok());
    let operator = node.and_then(|node| operators.get(node));
    match (error.kind(), operator) {
        (rten::LoadErrorKind::OperatorInvalid, Some(operator)) => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let reason = reason.unwrap_or_default();
            let operators = if reason.contains("not supported or not enabled") {
                format!("`{operator}`")
            } else {
                format!("`{operator}` ({reason})")
            };
            Error::Operators { path, operators }
        }
        _ => Error::Prepare { path, reason: error.to_string() },
    }
}

/// A tensor's shape and its elements in order.
fn each<T>(tensor: &Tensor<T>, json: impl Fn(&T) -> Json) -> (Vec<usize>, Vec<Json>) {
    (tensor.shape().to_vec(), tensor.iter().map(json).collect())
}

/// One number for each row where the output has one; else a list for each row.
fn predictions(output: &Value, rows: usize) -> Result<Vec<Json>, Refusal> {
    // The shortest text that reads back as the same f32, not as the f64 next to it.
    let shortest = |number: &f32| number.to_string().parse::<f64>().map_or(Json::Null, Json::from);
    let (shape, numbers) = match output {
        Value::FloatTensor(output) => each(output, shortest),
        Value::Int32Tensor(output) => each(output, |number| Json::from(*number)),
        Value::Int8Tensor(output) => each(output, |number| Json::from(*number)),
        Value::UInt8Tensor(output) => each(output, |number| Json::from(*number)),
        _ => {
            return Err(Refusal::Score("its first output is no tensor".to_owned()));
        }
    };
    let width = numbers.len() / rows;
    if numbers.is_empty() || width * rows != numbers.len() {
        return Err(Refusal::Score(format!("its output has the shape {shape:?} for {rows} rows")));
    }
    Ok(match width {
        1 => numbers,
        _ => numbers.chunks(width).map(|row| Json::from(row.to_vec())).collect(),
    })
}

#[cfg(test)]
mod tests;
