"""A network as two graphs in files: one makes the template, one searches.

Both take crops as cameras give them, BGR uint8 (N, height, width, 3), so that no user has to know a
network's normalisation. The template graph gives what `learn` gives; the search graph takes a batch
of crops and those kernels of one template, and gives for

- a SiamRPN network: `scores` (N, 5, H, W), probability of target; `deltas` (N, 4, 5, H, W);
  `embedding` (N, C, h, w) (see :class:`visual_tracker.models.matchers.Response`);
- a SiamFC network or a CFNet: `logits` (N, H, W).

Nothing here knows a network's layers: it exports what `learn`, `propose` and `respond` of the copy
compute that `visual_tracker.models.deployment` makes for engines.

Of the trackers that learn on line the frozen part alone is exported, as one graph: the maps of a
crop, each (1, h, w, c).
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visual_tracker.extras import how_to_install
from visual_tracker.models.deployment import Planes, deployed, deployed_maps
from visual_tracker.models.region_maps import MAPS
from visual_tracker.models.response_network import ResponseNetwork
from visual_tracker.models.siamrpn import SiamRpnNetwork, Template

TEMPLATE, SEARCH = "template", "search"
DESCRIPTION = "network.json"

#: the newest that all of TensorRT 8.6, OpenVINO and ONNX Runtime read
_OPSET = 17

#: side of the crop that a graph of maps is traced with
_MAPS_EXAMPLE = 129


class ExportError(RuntimeError):
    """A network that cannot be exported; the message says why and what to do."""


class _Graph(nn.Module):
    def __init__(self, network: Any, planes: Planes) -> None:
        super().__init__()
        self.network = network
        self.planes = planes


class _TemplateGraph(_Graph):
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        learned = self.network.learn(self.planes(image))
        return tuple(learned) if isinstance(learned, tuple) else (learned,)


class _ProposalGraph(_Graph):
    outputs = ("scores", "deltas", "embedding")

    def forward(self, image: Tensor, *template: Tensor) -> tuple[Tensor, ...]:
        proposals = self.network.propose(Template(*template), self.planes(image))
        return proposals.logits.softmax(dim=1)[:, 1], proposals.deltas, proposals.embedding


class _ResponseGraph(_Graph):
    outputs = ("logits",)

    def forward(self, image: Tensor, kernel: Tensor) -> Tensor:
        logits: Tensor = self.network.respond(kernel, self.planes(image))
        return logits[:, 0]


class _MapsGraph(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # registered, or the copy's weights would be no part of the graph
        self.network, self.maps = deployed_maps(network)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(one.permute(0, 2, 3, 1) for one in self.maps(image))


def graphs(network: nn.Module) -> tuple[nn.Module, Any]:
    """The template graph and the search graph of a network in eval mode.

    Raises:
        ExportError: if it is none of SiamRPN, SiamFC and CFNet.
    """
    if not isinstance(network, (SiamRpnNetwork, ResponseNetwork)):
        raise ExportError(f"{type(network).__name__} is no Siamese network")
    search = _ProposalGraph if isinstance(network, SiamRpnNetwork) else _ResponseGraph
    faster, planes = deployed(network)
    return _TemplateGraph(faster, planes), search(faster, planes)


def export_onnx(network: nn.Module, folder: Path, search_size: int | None = None) -> None:
    """Write template.onnx, search.onnx and network.json.

    Args:
        network: in eval mode, on the CPU.
        folder: exists.
        search_size: the only side of search crops, with a batch of one; None for any batch and
            any sides that fit the network's geometry.

    Raises:
        ExportError: if onnx is not installed or the network uses what cannot be exported.
        GeometryError: if the network has no such search size.
    """
    template, search = graphs(network)
    image, crop, kernels = _examples(network, template, search_size)
    names = template_names(network)
    dynamic = {} if search_size else _dynamic_axes(search.outputs)
    _write_onnx(template, (image,), folder / f"{TEMPLATE}.onnx", ("image",), names, {})
    inputs = ("image", *names)
    _write_onnx(
        search, (crop, *kernels), folder / f"{SEARCH}.onnx", inputs, search.outputs, dynamic
    )
    write_description(network, folder)


def export_maps(network: nn.Module, folder: Path) -> None:
    """Write maps.onnx: the maps of one crop of any size that the network takes.

    Args:
        network: an `MdNet` or a `PolicyNetwork`, in eval mode.
        folder: exists.

    Raises:
        ExportError: if onnx is not installed or the network uses what cannot be exported.
    """
    graph = _MapsGraph(network)
    crop = torch.zeros(1, _MAPS_EXAMPLE, _MAPS_EXAMPLE, 3, dtype=torch.uint8)
    with torch.no_grad():
        names = tuple(f"{MAPS}{index}" for index in range(len(graph(crop))))
    axes = {"image": {1: "height", 2: "width"}}
    axes |= {name: {1: f"{name}_rows", 2: f"{name}_columns"} for name in names}
    _write_onnx(graph, (crop,), folder / f"{MAPS}.onnx", ("image",), names, axes)


def export_torchscript(network: nn.Module, folder: Path, search_size: int | None = None) -> None:
    """Write template.pt, search.pt and network.json; arguments as for :func:`export_onnx`.

    A traced graph takes other batches and sides than its example, whatever `search_size`.

    Raises:
        ExportError: if the network cannot be traced.
        GeometryError: if the network has no such search size.
    """
    template, search = graphs(network)
    image, crop, kernels = _examples(network, template, search_size)
    for graph, example, name in (
        (template, (image,), TEMPLATE),
        (search, (crop, *kernels), SEARCH),
    ):
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                traced = torch.jit.freeze(torch.jit.trace(graph.eval(), example))
            traced.save(str(folder / f"{name}.pt"))
        except RuntimeError as error:
            raise ExportError(f"the {name} graph cannot be traced: {error}") from error
    write_description(network, folder)


def template_names(network: nn.Module) -> tuple[str, ...]:
    """Names of the template's arrays; those that the network uses are inputs of the search graph.

    (The exporter drops inputs that nothing depends on: the embedding is for the tracker alone.)
    """
    return Template._fields if isinstance(network, SiamRpnNetwork) else ("kernel",)


def write_description(network: nn.Module, folder: Path) -> None:
    """Write what a reader needs beside the graphs: the sizes."""
    geometry: Any = network.geometry
    (folder / DESCRIPTION).write_text(json.dumps({"geometry": asdict(geometry)}, indent=1))


def _examples(
    network: nn.Module, template: nn.Module, search_size: int | None
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """A template crop, a search crop, and the template."""
    geometry: Any = network.geometry
    side = search_size or geometry.search_size
    geometry.response_size(side)
    sizes = (geometry.template_size, side)
    image, crop = (torch.zeros(1, size, size, 3, dtype=torch.uint8) for size in sizes)
    with torch.no_grad():
        kernels = template(image)
    return image, crop, kernels


def _dynamic_axes(outputs: tuple[str, ...]) -> dict[str, dict[int, str]]:
    """Batch and sides are free, of the crops and of every output (whose sides come last)."""
    ranks = {"deltas": 5, "logits": 3}
    axes = {"image": {0: "batch", 1: "height", 2: "width"}}
    for name in outputs:
        rank = ranks.get(name, 4)
        axes[name] = {0: "batch", rank - 2: f"{name}_rows", rank - 1: f"{name}_columns"}
    return axes


def _write_onnx(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    dynamic: dict[str, dict[int, str]],
) -> None:
    if importlib.util.find_spec("onnx") is None:
        raise ExportError(f"writing ONNX needs onnx ({how_to_install('onnx')})")
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # The exporter by tracing: it needs no onnxscript and takes a tenth of the other's time.
            # It warns of shapes that it takes for constants; those are the template's.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.eval(),
                example,
                str(path),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=dynamic,
                opset_version=_OPSET,
                dynamo=False,
            )
    except Exception as error:  # torch.onnx raises of several unrelated types
        raise ExportError(f"the network cannot be exported to ONNX: {error}") from error
