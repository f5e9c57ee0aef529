"""A network as two graphs in files: one makes the template, one searches.

Both take crops as cameras give them, BGR uint8 (N, height, width, 3), so that no user has to know a
network's normalisation. The template graph gives what `learn` gives; the search graph takes a batch
of crops and those kernels of one template, and gives for

- a SiamRPN network: `scores` (N, 5, H, W), probability of target; `deltas` (N, 4, 5, H, W);
  `embedding` (N, C, h, w) (see :class:`visual_tracker.models.matchers.Response`);
- a SiamFC network or a CFNet: `logits` (N, H, W);
- a MemTrack network: `logits`, and the memory after the frame
  (see :class:`visual_tracker.models.matchers.Memory`), `next_` before each name but `first`, which
  no frame changes. Its template graph gives the memory of a template alone, and the search graph
  takes, beside a memory, `seen`: the target's `first` as it was found last;
- a Re3 network: `corners` (1, 4) and the state after the frame
  (:class:`visual_tracker.models.matchers.Recurrent`), `next_` before each name, of two crops,
  before and now. Its template graph gives the state after the first frame's crop.

Nothing here knows a network's layers: it exports what `learn`, `propose` and `respond`, or `begin`,
`recall` and `follow`, of the copy compute that `visual_tracker.models.deployment` makes for
engines.

Of the trackers that learn on line the frozen part alone is exported, as one graph: the maps of a
crop, each (1, h, w, c).
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from visual_tracker.extras import how_to_install
from visual_tracker.models.deployment import Planes, deployed, deployed_maps
from visual_tracker.models.memtrack import LiteMemTrack
from visual_tracker.models.re3 import LiteRe3
from visual_tracker.models.region_maps import MAPS
from visual_tracker.models.response_network import ResponseNetwork
from visual_tracker.models.siamrpn import SiamRpnNetwork, Template
from visual_tracker.models.states import MemoryState, RecurrentState

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
    """What is learned of a template crop, by `names`."""

    def __init__(self, network: Any, planes: Planes, names: tuple[str, ...]) -> None:
        super().__init__(network, planes)
        self.names = names

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        learned = self.network.learn(self.planes(image))
        return tuple(learned) if isinstance(learned, tuple) else (learned,)


class _SearchGraph(_Graph):
    """Answers to search crops.

    Attributes:
        crops: how many a call takes in an example.
        ranks: of the outputs that depend on number and sides of the crops, by name; if there are
            none, number and sides are the example's.
        fixed: names of the other outputs.
    """

    crops = 1
    ranks: ClassVar[dict[str, int]] = {}
    fixed: ClassVar[tuple[str, ...]] = ()

    def inputs(self, learned: dict[str, Tensor]) -> dict[str, Tensor]:
        """What it takes beside the crops, of what was learned of a template."""
        return learned


class _ProposalGraph(_SearchGraph):
    ranks: ClassVar = {"scores": 4, "deltas": 5, "embedding": 4}

    def forward(self, image: Tensor, *template: Tensor) -> tuple[Tensor, ...]:
        proposals = self.network.propose(Template(*template), self.planes(image))
        return proposals.logits.softmax(dim=1)[:, 1], proposals.deltas, proposals.embedding


class _ResponseGraph(_SearchGraph):
    ranks: ClassVar = {"logits": 3}

    def forward(self, image: Tensor, kernel: Tensor) -> Tensor:
        logits: Tensor = self.network.respond(kernel, self.planes(image))
        return logits[:, 0]


class _BeginGraph(_TemplateGraph):
    """The state that a recurrent network begins with."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.begin(self.planes(image)))


class _MemoryGraph(_SearchGraph):
    ranks: ClassVar = {"logits": 3}
    fixed = tuple(f"next_{name}" for name in MemoryState._fields[1:])

    def inputs(self, learned: dict[str, Tensor]) -> dict[str, Tensor]:
        return learned | {"seen": learned["first"]}

    def forward(self, image: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        *state, seen = memory
        logits, after = self.network.recall(MemoryState(*state), seen, self.planes(image))
        return logits[:, 0], *after[1:]


class _RecurrentGraph(_SearchGraph):
    crops = 2
    fixed = ("corners", *(f"next_{name}" for name in RecurrentState._fields))

    def forward(self, image: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        before, now = self.planes(image).chunk(2)
        corners, after = self.network.follow(RecurrentState(*state), before, now)
        return corners, *after


class _MapsGraph(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # registered, or the copy's weights would be no part of the graph
        self.network, self.maps = deployed_maps(network)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(one.permute(0, 2, 3, 1) for one in self.maps(image))


def graphs(network: nn.Module) -> tuple[_TemplateGraph, _SearchGraph]:
    """The template graph and the search graph of a network in eval mode.

    Raises:
        ExportError: if it is no Siamese network.
    """
    template, search, names = _kinds(network)
    faster, planes = deployed(network)
    return template(faster, planes, names), search(faster, planes)


def _kinds(
    network: nn.Module,
) -> tuple[type[_TemplateGraph], type[_SearchGraph], tuple[str, ...]]:
    """Kinds of a network's graphs, and names of what is learned of a template."""
    if isinstance(network, SiamRpnNetwork):
        return _TemplateGraph, _ProposalGraph, Template._fields
    if isinstance(network, LiteMemTrack):
        return _BeginGraph, _MemoryGraph, MemoryState._fields
    if isinstance(network, LiteRe3):
        return _BeginGraph, _RecurrentGraph, RecurrentState._fields
    if isinstance(network, ResponseNetwork):
        return _TemplateGraph, _ResponseGraph, ("kernel",)
    raise ExportError(f"{type(network).__name__} is no Siamese network")


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
    image, crop, taken = _examples(network, template, search, search_size)
    dynamic = {} if search_size or not search.ranks else _dynamic_axes(search.ranks)
    _write_onnx(template, (image,), folder / f"{TEMPLATE}.onnx", ("image",), template.names, {})
    _write_onnx(
        search,
        (crop, *taken.values()),
        folder / f"{SEARCH}.onnx",
        ("image", *taken),
        (*search.ranks, *search.fixed),
        dynamic,
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
    image, crop, taken = _examples(network, template, search, search_size)
    for graph, example, name in (
        (template, (image,), TEMPLATE),
        (search, (crop, *taken.values()), SEARCH),
    ):
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                traced = torch.jit.freeze(torch.jit.trace(graph.eval(), example))
            traced.save(str(folder / f"{name}.pt"))
        except RuntimeError as error:
            raise ExportError(f"the {name} graph cannot be traced: {error}") from error
    write_description(network, folder)


def write_description(network: nn.Module, folder: Path) -> None:
    """Write what a reader needs beside the graphs: the sizes."""
    geometry: Any = network.geometry
    (folder / DESCRIPTION).write_text(json.dumps({"geometry": asdict(geometry)}, indent=1))


def _examples(
    network: nn.Module, template: _TemplateGraph, search: _SearchGraph, search_size: int | None
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """A template crop, a search crop, and what the search takes beside it.

    (The exporter drops inputs that nothing depends on: an embedding is for the tracker alone.)
    """
    geometry: Any = network.geometry
    side = search_size or geometry.search_size
    geometry.response_size(side)
    sizes = (geometry.template_size, side)
    image, crop = (
        torch.zeros(count, size, size, 3, dtype=torch.uint8)
        for count, size in zip((1, search.crops), sizes, strict=True)
    )
    with torch.no_grad():
        learned = dict(zip(template.names, template(image), strict=True))
    return image, crop, search.inputs(learned)


def _dynamic_axes(ranks: dict[str, int]) -> dict[str, dict[int, str]]:
    """Batch and sides are free, of the crops and of the outputs of some ranks (sides come last)."""
    axes = {"image": {0: "batch", 1: "height", 2: "width"}}
    for name, rank in ranks.items():
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
    except OSError:  # no room, which another folder may have
        raise
    except Exception as error:  # torch.onnx raises of several unrelated types
        raise ExportError(f"the network cannot be exported to ONNX: {error}") from error
