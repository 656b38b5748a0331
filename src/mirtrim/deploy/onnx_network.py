"""An ONNX file that is called like a torch network."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from mirtrim.deploy.onnx_session import first_line, open_session
from mirtrim.utils.errors import ArtefactError


class OnnxNetwork(nn.Module):
    """A network that ONNX Runtime computes on the CPU, for instance a quantised one.

    It has no parameters and no gradients; training and evaluation mode are the same.

    Args:
        path: an ONNX file with one input and one output, the batch on the first axis of both.
        threads: threads inside one operation; operations run one after another.

    Raises:
        ArtefactError: the file is missing, damaged, or has several inputs or outputs.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise ArtefactError(f"{path} is missing; export the network again")
        self._session = open_session(self.path, threads)
        counts = len(self._session.get_inputs()), len(self._session.get_outputs())
        if counts != (1, 1):
            raise ArtefactError(
                f"{path} has {counts[0]} inputs and {counts[1]} outputs; choose a file with one"
                " of each"
            )
        self._input = self._session.get_inputs()[0].name

    def forward(self, x: Tensor) -> Tensor:
        """(batch, …) → (batch, …) as the exported network; the result lies on the CPU.

        Raises:
            ArtefactError: the network takes no such input.
        """
        try:
            (output,) = self._session.run(None, {self._input: x.detach().cpu().numpy()})
        except Exception as error:
            raise ArtefactError(
                f"{self.path} does not run on {x.dtype} {tuple(x.shape)} ({first_line(error)})"
            ) from error
        return torch.from_numpy(output)
