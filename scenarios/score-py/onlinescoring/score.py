"""Scores rows of features with the regression model that Azure ML mounts at AZUREML_MODEL_DIR."""

import json
import logging
import os

import joblib
import numpy


def init():
    """Called once, when an instance starts."""
    global model
    path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model", "sklearn_regression_model.pkl")
    model = joblib.load(path)
    logging.info("Init complete: %s", path)


def run(raw_data):
    """Called for every request with its body; answers with one prediction for each row."""
    rows = numpy.array(json.loads(raw_data)["data"])
    return model.predict(rows).tolist()
