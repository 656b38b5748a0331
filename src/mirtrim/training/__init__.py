"""Training one network. Nothing here knows about pruning; a method passes a `Hook`."""

from mirtrim.training.devices import CPU, choose_device, device_of, name_of_device
from mirtrim.training.fitting import fit
from mirtrim.training.forwarding import forward_of
from mirtrim.training.guard import PrecisionWarning
from mirtrim.training.hooks import Closure, Hook, StagedHook
from mirtrim.training.records import (
    EpochReport,
    FitResult,
    FitSettings,
    State,
    TrainingData,
    state_of,
)

__all__ = [
    "CPU",
    "Closure",
    "EpochReport",
    "FitResult",
    "FitSettings",
    "Hook",
    "PrecisionWarning",
    "StagedHook",
    "State",
    "TrainingData",
    "choose_device",
    "device_of",
    "fit",
    "forward_of",
    "name_of_device",
    "state_of",
]
