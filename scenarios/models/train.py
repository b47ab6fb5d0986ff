"""Trains the scenarios' model and writes every file that is made from it; see README.md beside this file.

The fit is exact least squares, so the same versions of the packages give the same model.
"""

import json
from pathlib import Path

import joblib
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

SCENARIOS = Path(__file__).resolve().parent.parent
SAMPLES = 2
DIGITS = 6


def main() -> None:
    features, target = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(features, target)

    pickle = SCENARIOS / "score-py" / "model" / "sklearn_regression_model.pkl"
    joblib.dump(model, pickle)

    # The number of rows is left open, so that one request may hold any number of them.
    shape = FloatTensorType([None, features.shape[1]])
    onnx = to_onnx(model, initial_types=[("data", shape)], target_opset=15)
    (SCENARIOS / "quickstart" / "model" / "diabetes.onnx").write_bytes(onnx.SerializeToString())

    rows = features[:SAMPLES].round(DIGITS)
    request = json.dumps({"data": rows.tolist()}) + "\n"
    for scenario in ("quickstart", "score-py", "breach"):
        (SCENARIOS / scenario / "sample-request.json").write_text(request)
    expected = {"data": rows.tolist(), "predictions": model.predict(rows).tolist()}
    (SCENARIOS / "models" / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
