"""Layers as the bytes of a .tflite file (TensorFlow Lite schema, version 3).

The schema comes with the tflite-micro package. Every constant begins at a multiple of 16
bytes, because the kernels read it in place, from flash. The same network gives the same bytes.
"""

from typing import Any

import numpy as np

from mirtrim.deploy.tflite.layers import Layer, Layers, Value
from mirtrim.deploy.tflite.packages import schema
from mirtrim.deploy.tflite.quantising import Quantisation

ALIGNMENT = 16
SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
# Operator, its version for fp32 and for int8.
OPERATORS = {
    "convolution": ("CONV_2D", 1, 3),
    "depthwise": ("DEPTHWISE_CONV_2D", 1, 3),
    "linear": ("FULLY_CONNECTED", 1, 4),
    "pool": ("MAX_POOL_2D", 1, 2),
    "pad": ("PAD", 1, 2),
    "concatenation": ("CONCATENATION", 1, 2),
    "add": ("ADD", 1, 2),
    "relu": ("RELU", 1, 2),
    "reshape": ("RESHAPE", 1, 1),
}


def tflite_bytes(layers: Layers, quantisation: Quantisation | None = None) -> bytes:
    """The file: fp32, or int8 from input to output if `quantisation` is given."""
    return _Writer(layers, quantisation).file()


class _Writer:
    def __init__(self, layers: Layers, quantisation: Quantisation | None) -> None:
        self._schema: Any = schema()
        self._layers = layers
        self._quantisation = quantisation
        # By convention the first buffer is the empty one of all activations.
        self._buffers: list[np.ndarray | None] = [None]
        self._tensors: list[Any] = []
        self._codes: dict[str, int] = {}

    def file(self) -> bytes:
        s = self._schema
        places = {value: self._activation(value) for value in self._layers.values()}
        operators = [self._operator(layer, places) for layer in self._layers.layers]
        graph = s.SubGraphT(
            tensors=self._tensors,
            inputs=[places[self._layers.input]],
            outputs=[places[self._layers.output]],
            operators=operators,
        )
        model = s.ModelT(
            version=SCHEMA_VERSION,
            operatorCodes=[self._code(kind) for kind in self._codes],
            subgraphs=[graph],
            buffers=[_aligned_buffer(s, data) for data in self._buffers],
        )
        builder = s.flatbuffers.Builder(1024)  # what its classes are packed with
        builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _activation(self, value: Value) -> int:
        if self._quantisation is None:
            return self._tensor(value.shape, "float32", name=value.source)
        scale = self._quantisation.activations[value]
        scaled = self._schema.QuantizationParametersT(
            scale=[scale.scale], zeroPoint=[scale.zero_point]
        )
        return self._tensor(value.shape, "int8", name=value.source, quantization=scaled)

    def _constant(self, data: np.ndarray, scales: np.ndarray | None = None, axis: int = 0) -> int:
        scaled = None
        if scales is not None:
            scaled = self._schema.QuantizationParametersT(
                scale=scales.astype(np.float32),
                zeroPoint=np.zeros(len(scales), np.int64),
                quantizedDimension=axis,
            )
        little_endian = data.astype(data.dtype.newbyteorder("<"))
        self._buffers.append(np.frombuffer(little_endian.tobytes(), np.uint8))
        place = len(self._buffers) - 1
        return self._tensor(data.shape, data.dtype.name, buffer=place, quantization=scaled)

    def _tensor(self, shape: tuple[int, ...], kind: str, **more: Any) -> int:
        """Add a tensor; returns its place."""
        number = getattr(self._schema.TensorType, kind.upper())
        self._tensors.append(self._schema.TensorT(shape=list(shape), type=number, **more))
        return len(self._tensors) - 1

    def _operator(self, layer: Layer, places: dict[Value, int]) -> Any:
        s = self._schema
        index = self._codes.setdefault(layer.kind, len(self._codes))
        inputs = [places[value] for value in layer.inputs]
        if layer.kind == "pad":
            assert layer.zeros is not None
            inputs.append(self._constant(layer.zeros))
        elif layer.kind == "reshape":
            inputs.append(self._constant(np.array(layer.output.shape, np.int32)))
        elif layer.weight is not None:
            inputs += self._weights(layer)
        name, options = self._options(layer)
        return s.OperatorT(
            opcodeIndex=index,
            inputs=inputs,
            outputs=[places[layer.output]],
            builtinOptionsType=getattr(s.BuiltinOptions, name) if name else 0,
            builtinOptions=options,
        )

    def _weights(self, layer: Layer) -> list[int]:
        assert layer.weight is not None
        assert layer.bias is not None
        if self._quantisation is None:
            return [self._constant(layer.weight), self._constant(layer.bias)]
        coded = self._quantisation.weights[layer]
        input_scale = self._quantisation.activations[layer.inputs[0]].scale
        return [
            self._constant(coded.weight, coded.scales, layer.unit_axis),
            self._constant(coded.bias, np.float32(input_scale) * coded.scales),
        ]

    def _options(self, layer: Layer) -> tuple[str, Any]:
        """Name of the class of a layer's options, and the options; "" and None if it has none."""
        s = self._schema
        functions = s.ActivationFunctionType
        fused = {"fusedActivationFunction": functions.RELU if layer.relu else functions.NONE}
        steps = fused | {
            "padding": s.Padding.SAME if layer.same else s.Padding.VALID,
            "strideH": layer.stride[0],
            "strideW": layer.stride[1],
        }
        window = {"filterHeight": layer.window[0], "filterWidth": layer.window[1]}
        multiplier = layer.output.shape[-1] // layer.inputs[0].shape[-1]
        name, values = {
            "convolution": ("Conv2DOptions", steps),
            "depthwise": ("DepthwiseConv2DOptions", steps | {"depthMultiplier": multiplier}),
            "pool": ("Pool2DOptions", steps | window),
            "linear": ("FullyConnectedOptions", fused),
            "add": ("AddOptions", fused),
            "concatenation": ("ConcatenationOptions", {"axis": len(layer.output.shape) - 1}),
            "reshape": ("ReshapeOptions", {"newShape": list(layer.output.shape)}),
        }.get(layer.kind, ("", {}))
        return name, getattr(s, f"{name}T")(**values) if name else None

    def _code(self, kind: str) -> Any:
        name, *versions = OPERATORS[kind]
        number = getattr(self._schema.BuiltinOperator, name)
        return self._schema.OperatorCodeT(
            deprecatedBuiltinCode=number,
            builtinCode=number,
            version=versions[self._quantisation is not None],
        )


def _aligned_buffer(s: Any, data: np.ndarray | None) -> Any:
    """A buffer whose bytes begin at a multiple of 16, which the generated class forgets."""

    class Aligned(s.BufferT):
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name that flatbuffers calls
            if data is not None:
                builder.Prep(ALIGNMENT, data.size)
            return super().Pack(builder)

    return Aligned(data=data)
