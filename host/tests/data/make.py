"""Makes the models of the tests, and what ONNX Runtime predicts with them; see README.md beside this file."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer, StandardScaler
from sklearn.svm import SVR

HERE = Path(__file__).resolve().parent
ROWS = 8
DIGITS = 4


def export(name, model, features, target, number=FloatTensorType, **options):
    model.fit(features, target)
    shape = number([None, features.shape[1]])
    onnx = to_onnx(model, initial_types=[("data", shape)], target_opset=15, **options)
    (HERE / f"{name}.onnx").write_bytes(onnx.SerializeToString())


def by_hand(name, nodes, constants, features, kind):
    inputs = [helper.make_tensor_value_info("data", kind, [None, features])]
    outputs = [helper.make_tensor_value_info("prediction", kind, None)]
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    onnx = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    (HERE / f"{name}.onnx").write_bytes(onnx.SerializeToString())


def predict(name, rows):
    """What ONNX Runtime answers, in the types that the model takes."""
    session = onnxruntime.InferenceSession(HERE / f"{name}.onnx")
    taken = session.get_inputs()[0]
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    output = session.run([session.get_outputs()[0].name], {taken.name: rows.astype(kinds[taken.type])})[0]
    return output.reshape(-1).tolist() if output.size == len(rows) else output.tolist()


def main() -> None:
    body, progression = load_diabetes(return_X_y=True)
    flowers, kind = load_iris(return_X_y=True)
    high = (progression > 150).astype(int)

    export("classifier", LogisticRegression(), body, high, options={"zipmap": False})
    export("trees", RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0), body, progression)
    export("scaled", make_pipeline(StandardScaler(), Ridge()), body * 100 + 7, progression)
    export("double", make_pipeline(StandardScaler(), LinearRegression()), flowers, kind, DoubleTensorType)
    cleaned = make_pipeline(SimpleImputer(missing_values=0.2), Normalizer("l1"), LogisticRegression())
    export("cleaned", cleaned, flowers, kind * 10 - 5)
    export("binary", make_pipeline(Binarizer(threshold=2.5), LinearRegression()), flowers, kind)
    network = make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=100, random_state=0))
    export("network", network, flowers, kind + 7)
    export("forest", RandomForestClassifier(n_estimators=4, max_depth=3, random_state=0), flowers, kind)
    export("boosted", GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0), body, high)
    export("vectors", SVR(), body[:10], progression[:10])
    export("texts", LogisticRegression(), flowers, np.array(["setosa", "versicolor", "virginica"])[kind])

    table = numpy_helper.from_array(np.array([1, 2, 3], np.int64), "table")
    look_up = [helper.make_node("Gather", ["table", "data"], ["prediction"])]
    by_hand("gather", look_up, [table], 1, TensorProto.INT64)
    ties = [
        helper.make_node("ArgMax", ["data"], ["largest"], axis=1),
        helper.make_node("ArgMin", ["data"], ["smallest"], axis=1, keepdims=0),
        helper.make_node("Unsqueeze", ["smallest", "one"], ["smallest column"]),
        helper.make_node("Concat", ["largest", "smallest column"], ["places"], axis=1),
        helper.make_node("Cast", ["places"], ["as numbers"], to=TensorProto.FLOAT),
        helper.make_node("Sign", ["data"], ["signs"]),
        helper.make_node("Concat", ["as numbers", "signs"], ["prediction"], axis=1),
    ]
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    by_hand("ties", ties, [one], 3, TensorProto.FLOAT)

    body, flowers = body[::50][:ROWS].round(DIGITS), flowers[::19][:ROWS]
    equal = np.array([[1, 1, 0], [0, 2, 2], [0, 0, 0], [-1, -3, -3]])
    rows = {
        "classifier": body, "trees": body, "scaled": body * 100 + 7, "double": flowers,
        "cleaned": flowers, "binary": flowers, "network": flowers, "forest": flowers,
        "boosted": body, "gather": np.array([[0], [2]]), "ties": equal,
    }
    expected = {
        name: {"data": data.tolist(), "predictions": predict(name, data)} for name, data in rows.items()
    }
    lines = ",\n".join(f'"{name}": {json.dumps(case)}' for name, case in expected.items())
    (HERE / "expected.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
