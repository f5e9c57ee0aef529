"""A SiamRPN network on a CUDA device: one upload, one captured graph, one read-back a frame.

A search crop goes up as bytes out of pinned memory; conversion, network, softmax and packing are
one CUDA graph for each size of crop; scores, deltas and embedding come back in one copy. A graph
holds its buffers, so the templates of all targets are copied into the same ones, on the device.

The same code runs without graphs on the CPU, where the tests compare it with the eager matcher.
Unmeasured: no CUDA device was at hand when this was written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visual_tracker.images import Image
from visual_tracker.models.matchers import Response
from visual_tracker.models.siamrpn import SiamRpnNetwork, Template
from visual_tracker.models.torch_matchers import TYPES, TorchProposalMatcher
from visual_tracker.timing import NETWORK, timed

#: sizes of crop whose graphs are kept; long-term search passes through a dozen
_GRAPHS = 16
#: runs before a capture, as PyTorch's documentation asks for
_WARM_UPS = 3


class PackedSearch:
    """A network's answer to crops of one size, through buffers that stay where they are.

    Args:
        network: in eval mode, on the device and in the precision.
        template: of any target; gives the shapes.
        size: height and width of the crops.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    def __init__(
        self,
        network: SiamRpnNetwork,
        template: Template,
        size: tuple[int, int],
        device: str,
        precision: str,
    ) -> None:
        self._network = network
        self._type = TYPES[precision]
        self._on_cuda = device.startswith("cuda")
        shape = (1, *size, 3)
        self._pinned_image = torch.empty(shape, dtype=torch.uint8, pin_memory=self._on_cuda)
        self._image = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._template = Template(*(value.clone() for value in template))
        self._shapes: list[torch.Size] = []
        self._graph: Any = None
        if self._on_cuda:
            self._packed = self._capture()
            self._pinned = torch.empty(self._packed.shape, pin_memory=True)

    def __call__(self, template: Template, image: Image) -> Response:
        """Answer to a crop, BGR uint8 (height, width, 3); the arrays are the caller's own."""
        self._pinned_image.copy_(torch.from_numpy(np.ascontiguousarray(image))[None])
        self._image.copy_(self._pinned_image, non_blocking=True)
        for own, given in zip(self._template, template, strict=True):
            own.copy_(given, non_blocking=True)
        if self._graph is None:
            return self._unpacked(self._run())
        self._graph.replay()
        self._pinned.copy_(self._packed, non_blocking=True)
        torch.cuda.current_stream(self._packed.device).synchronize()
        return self._unpacked(self._pinned)

    def _run(self) -> Tensor:
        """Scores, deltas and embedding in one float32 vector."""
        planes = self._image.permute(0, 3, 1, 2).to(self._type)
        proposals = self._network.propose(self._template, planes)
        scores = proposals.logits.float().softmax(dim=1)[0, 1]
        parts = (scores, proposals.deltas[0], proposals.embedding[0])
        self._shapes = [part.shape for part in parts]
        return torch.cat([part.float().flatten() for part in parts])

    def _capture(self) -> Tensor:
        """Record the run as a graph; its result is always in the tensor returned."""
        stream = torch.cuda.Stream(self._image.device)
        stream.wait_stream(torch.cuda.current_stream(self._image.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._run()
        torch.cuda.current_stream(self._image.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            return self._run()

    def _unpacked(self, packed: Tensor) -> Response:
        """Copies: the buffer is overwritten by the next crop."""
        pieces = packed.split([shape.numel() for shape in self._shapes])
        arrays = (
            piece.view(shape).numpy().copy()
            for piece, shape in zip(pieces, self._shapes, strict=True)
        )
        return Response(*arrays)


class PackedProposalMatcher(TorchProposalMatcher):
    """A SiamRPN network through packed searches; the least recently used sizes are let go.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    def __init__(self, network: SiamRpnNetwork, device: str, precision: str = "bf16") -> None:
        super().__init__(network, device, precision)
        self._searches: OrderedDict[tuple[int, ...], PackedSearch] = OrderedDict()
        self._lock = threading.Lock()

    @torch.no_grad()
    def learn(self, image: Image) -> Template:
        """Template of a crop, on the device."""
        return self._network.learn(self._tensor([image]))

    @timed(NETWORK)
    @torch.no_grad()
    def respond(self, template: Template, image: Image) -> Response:
        """Answer to a search crop; calls wait for each other, since they share buffers."""
        size = (image.shape[0], image.shape[1])
        with self._lock:
            search = self._searches.get(size)
            if search is None:
                search = PackedSearch(self._network, template, size, self._device, self._precision)
                self._searches[size] = search
                if len(self._searches) > _GRAPHS:
                    self._searches.popitem(last=False)
            self._searches.move_to_end(size)
            return search(template, image)
