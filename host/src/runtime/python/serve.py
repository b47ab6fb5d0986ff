"""Starts the official inference server the way plimsoll needs it. Arguments are the server's own.

What is different, and why:
- It listens on the loopback address only. The server binds every address of the machine, and has no authentication:
  that is the gateway's work, which must not be walked around.
- `logging.info` of the scoring script is shown. The server leaves the root logger as Python has it, which drops it. A
  `logging.json` beside the scoring script is left alone, as on Azure.
- A `config.json` beside the scoring script is the server's own only if it names one of the server's settings. Many models
  come with a file of that name, and the server does not start with one that it cannot read.
"""

import json
import logging
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Nothing in this file's folder is for the scoring script to import.
sys.path = [path for path in sys.path if path != HERE]

from azureml_inference_server_http import amlserver, constants, log_config  # noqa: E402

SETTINGS_PREFIXES = ("AML_", "AZUREML_", "SERVICE_", "SCORING_", "APP_INSIGHTS_", "WORKSPACE_", "HOSTNAME")


def show_root_logger():
    """The root logger writes where the server's own does, and what had its own way there keeps it."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers = list(logging.getLogger("azmlinfsrv").handlers)
    for name in ("gunicorn.access", "gunicorn.error"):
        logging.getLogger(name).propagate = False


def with_root_logger(load):
    def load_logging_config(root_dir, *args, **kwargs):
        loaded = load(root_dir, *args, **kwargs)
        if loaded and root_dir == constants.PACKAGE_ROOT:
            show_root_logger()
        return loaded

    return load_logging_config


def is_for_the_server(path):
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and any(key.startswith(SETTINGS_PREFIXES) for key in settings)


def hide_config_of_the_model():
    beside = os.path.join(os.environ["AML_APP_ROOT"], "config.json")
    if "AZUREML_CONFIG_FILE" in os.environ or not os.path.exists(beside) or is_for_the_server(beside):
        return
    os.environ["AZUREML_CONFIG_FILE"] = os.path.join(HERE, "no-settings.json")


log_config.load_logging_config = with_root_logger(log_config.load_logging_config)
amlserver.load_logging_config = log_config.load_logging_config
amlserver.DEFAULT_HOST = "127.0.0.1"
hide_config_of_the_model()
amlserver.run()
