use std::cell::RefCell;
use std::fs::File;

use rten_onnx::onnx::{
    DataLocation, DataType, Dimension, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};
use serde_json::json;

use super::*;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn load(path: &str) -> Result<Model, Error> {
    Model::load(&repository(path), NonZeroUsize::MIN)
}

fn numbers(text: &str) -> Vec<f64> {
    serde_json::from_str(text).unwrap()
}

/// The quickstart's model, changed and loaded from a folder of its own.
fn changed(change: impl FnOnce(&mut ModelProto, &Path)) -> Result<Model, Error> {
    let file = File::open(repository("scenarios/quickstart/model/diabetes.onnx")).unwrap();
    let mut proto = ModelProto::parse_file(file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    change(&mut proto, folder.path());
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, proto.write_buf().unwrap()).unwrap();
    Model::load(&path, NonZeroUsize::MIN)
}

/// Sets the number of rows that a model says it takes.
fn fix_rows(proto: &mut ModelProto, rows: i64) {
    let input = &mut proto.graph.as_mut().unwrap().input[0];
    let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    tensor.shape.as_mut().unwrap().dim[0] =
        Dimension { dim_value: Some(rows), ..Dimension::default() };
}

/// The model's only operator becomes this one with a constant.
fn only(proto: &mut ModelProto, operator: &str, constant: TensorProto) {
    let graph = proto.graph.as_mut().unwrap();
    graph.node = vec![NodeProto {
        op_type: Some(operator.to_owned()),
        input: vec![graph.input[0].name.clone().unwrap(), constant.name.clone().unwrap()],
        output: vec![graph.output[0].name.clone().unwrap()],
        ..NodeProto::default()
    }];
    graph.initializer = vec![constant];
}

fn shape(values: Vec<i64>) -> TensorProto {
    TensorProto {
        name: Some("shape".to_owned()),
        dims: vec![i64::try_from(values.len()).unwrap()],
        data_type: Some(DataType::INT64),
        int64_data: values,
        ..TensorProto::default()
    }
}

#[track_caller]
fn near(name: &str, got: &Json, wanted: &Json) {
    if let (Json::Array(got), Json::Array(wanted)) = (got, wanted) {
        assert_eq!(got.len(), wanted.len(), "{name}");
        return got.iter().zip(wanted).for_each(|(got, wanted)| near(name, got, wanted));
    }
    let (got, wanted) = (got.as_f64().unwrap(), wanted.as_f64().unwrap());
    assert!((got - wanted).abs() <= wanted.abs().max(1.0) * 1e-5, "{name}: {got}, {wanted}");
}

#[test]
fn it_predicts_what_scikit_learn_predicts_for_any_number_of_rows() {
    let model = load("scenarios/quickstart/model/diabetes.onnx").unwrap();
    let expected = std::fs::read(repository("scenarios/models/expected.json")).unwrap();
    let expected: Json = serde_json::from_slice(&expected).unwrap();
    let wanted: Vec<f64> = serde_json::from_value(expected["predictions"].clone()).unwrap();
    let body = json!({ "data": expected["data"] }).to_string();
    let got = numbers(&model.score(body.as_bytes()).unwrap());
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(&wanted) {
        assert!((got - wanted).abs() <= wanted.abs() * 1e-4, "{got} is not {wanted}");
    }
    let one = json!({ "data": [expected["data"][1]] }).to_string();
    assert_eq!(numbers(&model.score(one.as_bytes()).unwrap()), got[1..]);
    assert_eq!(model.score(b"{\"data\": []}").unwrap(), "[]");
}

#[test]
fn every_model_predicts_what_onnx_runtime_predicts() {
    let expected = std::fs::read(repository("host/tests/data/expected.json")).unwrap();
    let expected: serde_json::Map<String, Json> = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 11);
    for (name, case) in &expected {
        let model = load(&format!("host/tests/data/{name}.onnx")).unwrap();
        let score = |data: &Json| -> Json {
            let answer = model.score(json!({ "data": data }).to_string().as_bytes()).unwrap();
            serde_json::from_str(&answer).unwrap()
        };
        near(name, &score(&case["data"]), &case["predictions"]);
        let last = case["data"].as_array().unwrap().len() - 1;
        near(name, &score(&json!([case["data"][last]])), &json!([case["predictions"][last]]));
    }
}

#[test]
fn a_classifier_answers_its_labels() {
    let model = load("host/tests/data/classifier.onnx").unwrap();
    let row = vec![0.05; 10];
    let answer = model.score(json!({ "data": [row] }).to_string().as_bytes()).unwrap();
    assert!(["[0]", "[1]"].contains(&answer.as_str()), "{answer}");
}

#[test]
fn an_operator_that_is_lacking_is_named_with_both_ways_out() {
    let unknown = |proto: &mut ModelProto, _: &Path| only(proto, "Frobnicate", shape(vec![1]));
    let cases = [
        (load("host/tests/data/vectors.onnx"), "uses `SVMRegressor`, which"),
        (
            load("host/tests/data/texts.onnx"),
            "uses `LinearClassifier` whose labels are texts, which",
        ),
        (changed(unknown), "uses `Frobnicate`, which"),
    ];
    for (loaded, operator) in cases {
        let error = loaded.err().unwrap().to_string();
        for part in [".onnx", operator, "`black_op`", "code_configuration"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    for file in ["README.md", "Cargo.toml", "host/tests/data/missing.onnx"] {
        let error = load(file).err().unwrap().to_string();
        assert!(error.contains("cannot read the ONNX model"), "{error}");
    }
}

#[test]
fn whole_numbers_are_not_cut_and_a_failure_of_the_model_is_an_answer() {
    let model = load("host/tests/data/gather.onnx").unwrap();
    assert_eq!(numbers(&model.score(b"{\"data\": [[1], [2]]}").unwrap()), [2.0, 3.0]);
    for number in ["1.7", "4294967296", "-2147483649"] {
        let cut = model.score(format!("{{\"data\": [[1], [{number}]]}}").as_bytes()).unwrap_err();
        assert_eq!(cut, Refusal::Whole { row: 2, number: number.to_owned() });
    }
    assert!(matches!(model.score(b"{\"data\": [[9]]}"), Err(Refusal::Score(_))));
    assert_eq!(numbers(&model.score(b"{\"data\": [[0]]}").unwrap()), [1.0], "it still works");
}

#[test]
fn whole_numbers_of_a_model_that_would_be_cut_are_refused() {
    let cut = |number| changed(move |proto, _| only(proto, "Reshape", shape(vec![-1, number])));
    let error = cut(1 << 40).err().unwrap().to_string();
    assert!(error.contains("1099511627776") && error.contains("32 bits"), "{error}");
    assert!(cut(10).is_ok());
}

#[test]
fn the_number_of_rows_is_open_also_where_the_file_says_one() {
    let model = changed(|proto, _| fix_rows(proto, 1)).unwrap();
    let body = json!({ "data": vec![vec![0.0; 10]; 3] }).to_string();
    assert_eq!(numbers(&model.score(body.as_bytes()).unwrap()).len(), 3);
    let stubborn = changed(|proto, _| {
        fix_rows(proto, 1);
        only(proto, "Reshape", shape(vec![1, 10]));
    });
    let error = stubborn.err().unwrap().to_string();
    assert!(
        error.contains("for two rows of zeros") && error.contains("code_configuration"),
        "{error}"
    );
}

#[test]
fn weights_are_read_from_files_beside_the_model_only() {
    let outside = |file: &str| TensorProto {
        name: Some("weights".to_owned()),
        dims: vec![10, 1],
        data_type: Some(DataType::FLOAT),
        raw_data: None::<RefCell<Vec<u8>>>,
        data_location: Some(DataLocation::EXTERNAL),
        external_data: [("location", file), ("offset", "0"), ("length", "40")]
            .map(|(key, value)| StringStringEntryProto {
                key: Some(key.to_owned()),
                value: Some(value.to_owned()),
            })
            .into(),
        ..TensorProto::default()
    };
    let with = |file: &str| {
        let weights = outside(file);
        changed(|proto, folder| {
            let twos: Vec<u8> = [2_f32; 10].iter().flat_map(|two| two.to_le_bytes()).collect();
            std::fs::write(folder.join("model.data"), twos).unwrap();
            only(proto, "MatMul", weights);
        })
    };
    let body = json!({ "data": [vec![1.0; 10]] }).to_string();
    let answer = with("model.data").unwrap().score(body.as_bytes()).unwrap();
    assert_eq!(numbers(&answer), [20.0]);
    for (file, word) in [("../model.data", "not beside it"), ("other.data", "`other.data`")] {
        let error = with(file).err().unwrap().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_wrong_request_is_refused_with_what_is_wrong() {
    let model = load("scenarios/quickstart/model/diabetes.onnx").unwrap();
    let width = model.score(b"{\"data\": [[1, 2]]}").unwrap_err();
    assert_eq!(width, Refusal::Width { row: 1, width: 2, wanted: 10 });
    for wrong in ["", "[]", "{\"rows\": []}", "{\"data\": [[\"a\"]]}"] {
        let Err(Refusal::Form(words)) = model.score(wrong.as_bytes()) else { panic!("{wrong}") };
        assert!(!words.contains("EOF") && !words.contains("invalid type"), "{wrong}: {words}");
    }
}
