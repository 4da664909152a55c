"""From a trained state to the shipped file: normalisation folded into the convolutions, half precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch.nn import functional

from training.network import MEAN, SPREAD, Block, Network, Shape, Unit

Weights = NDArray[np.float32]


def export(
    state: Path,
    model: Path,
    side: int,
    facts: dict[str, object],
    images: NDArray[np.uint8] | None = None,
    shape: Shape | None = None,
) -> None:
    """Write the network of a training `state` as an ONNX file, and the JSON that describes it beside it.

    Weights are stored in half precision and computed with in single precision. `facts` go into the JSON (see
    `twinpix.fingerprints._onnx.Description`). With `images` (n, rows, columns, 3) the descriptors are rotated to the
    principal axes of these images, so that prefixes keep as much as possible; no cosine of whole descriptors changes.
    """
    net = Network(shape)
    net.load_state_dict(torch.load(state, weights_only=True)["net"])
    net.eval()
    if images is not None:
        _turn(net, images, side)
    graph = _Graph()
    name = graph.network(net)
    inputs = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, side, side])
    vectors = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", net.shape.dims])
    made = helper.make_graph(graph.nodes, "twinpix-cnn", [inputs], [vectors], graph.weights)
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], producer_name="twinpix")
    proto.ir_version = 9
    onnx.checker.check_model(proto, full_check=True)
    model.write_bytes(proto.SerializeToString())
    mean, spread = MEAN / 255, SPREAD / 255
    described = {"size": side, "mean": [mean] * 3, "std": [spread] * 3, "nested": True, **facts}
    model.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n")


def _turn(net: Network, images: NDArray[np.uint8], side: int) -> None:
    """Rotate the last layer to the principal axes of the descriptors, the largest variance first."""
    small = [np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR)) for p in images]
    seen = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)
    with torch.no_grad():
        vectors = torch.cat([functional.normalize(net(part.float()), dim=1) for part in seen.split(100)]).double()
        _, axes = torch.linalg.eigh(vectors.T @ vectors)
        axes = axes.flip(1)
        strongest = axes.abs().argmax(0)
        axes *= axes[strongest, torch.arange(len(axes))].sign()  # otherwise the signs could differ between machines
        net.head.weight.copy_((axes.T @ net.head.weight.double()).float())
        net.head.bias.copy_((axes.T @ net.head.bias.double()).float())


class _Graph:
    """The nodes and weights of an ONNX graph, added one after the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._count = 0

    def network(self, net: Network) -> str:
        name = "pictures"
        for part in net.body:
            name = self._block(part, name) if isinstance(part, Block) else self._unit(part, name)
        power = float(net.shape.power)
        name = self._add("Clip", name, self._number(1e-6))
        name = self._add("Pow", name, self._number(power))
        name = self._add("GlobalAveragePool", name)
        name = self._add("Pow", name, self._number(1 / power))
        name = self._add("Flatten", name)
        weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
        return self._add("Gemm", name, self._half(weight), self._half(bias), transB=1)

    def _block(self, block: Block, name: str) -> str:
        first = self._unit(block.first, name)
        second = self._unit(block.second, first)
        return self._add("Relu", self._add("Add", second, name))

    def _unit(self, unit: Unit, name: str) -> str:
        convolution, norm = unit[0], unit[1]
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        weight = (convolution.weight.detach() * scale[:, None, None, None]).numpy()
        bias = (norm.bias.detach() - norm.running_mean * scale).detach().numpy()
        kernel, stride = convolution.kernel_size[0], convolution.stride[0]
        name = self._add(
            "Conv",
            name,
            self._half(weight),
            self._half(bias),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )
        return self._add("Relu", name) if len(unit) == 3 else name

    def _half(self, values: Weights) -> str:
        """A weight in half precision, and the node that widens it when the model is loaded."""
        self._count += 1
        name = f"w{self._count}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), name))
        return self._add("Cast", name, to=TensorProto.FLOAT)

    def _number(self, value: float) -> str:
        self._count += 1
        name = f"c{self._count}"
        self.weights.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def _add(self, kind: str, *inputs: str, **attributes: object) -> str:
        self._count += 1
        name = f"t{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
