"""The packages that only boards need, imported when they are used."""

import importlib
from types import ModuleType

from mirtrim.utils.errors import ConfigError


def schema() -> ModuleType:
    """Classes of the TensorFlow Lite schema."""
    return _load("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")


def runtime() -> ModuleType:
    """The interpreter of TensorFlow Lite Micro."""
    return _load("tflite_micro.python.tflite_micro.runtime")


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"networks for microcontrollers need the package {name.split('.')[0]} ({error}); "
            "install it with: pip install 'mirtrim[boards]'"
        ) from error
