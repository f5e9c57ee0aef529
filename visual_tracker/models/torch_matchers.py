"""The matchers on torch, eager."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from visual_tracker.images import Image
from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.loading import load_weights
from visual_tracker.models.matchers import FloatArray, Memory, Recurrent, Response
from visual_tracker.models.memtrack import LiteMemTrack
from visual_tracker.models.networks import create_network
from visual_tracker.models.re3 import LiteRe3
from visual_tracker.models.response_network import ResponseNetwork
from visual_tracker.models.siamrpn import SiamRpnNetwork, Template
from visual_tracker.models.states import MemoryState, RecurrentState
from visual_tracker.timing import NETWORK, timed


def load_network(kind: str, name: str, path: Path) -> nn.Module:
    """A network with its weights, ready to run: eval mode, batch norms folded.

    Raises:
        ParameterError: if there is no such network.
        WeightsError: if the file cannot be used.
    """
    network = create_network(kind, name)
    load_weights(network, path)
    return folded(network.eval()).to(memory_format=torch.channels_last)


def folded(network: nn.Module) -> nn.Module:
    """A copy in which each batch norm right after a convolution of a Sequential is folded in."""
    network = copy.deepcopy(network).requires_grad_(False)
    for sequence in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            convolution, norm = sequence[index], sequence[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                sequence[index] = fuse_conv_bn_eval(convolution, norm)
                sequence[index + 1] = nn.Identity()
    return network


#: types by the parameter `precision`
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class _TorchMatcher:
    """A network on torch: where it runs, and its images as tensors."""

    def __init__(
        self, network: SiamRpnNetwork | LiteFeatures, device: str, precision: str = "fp32"
    ) -> None:
        self._device = device
        self._precision = precision
        self._network: Any = network
        network.to(device, TYPES[precision])
        self.geometry = network.geometry

    def _tensor(self, images: list[Image]) -> Tensor:
        """BGR uint8 images to (N, 3, height, width) in 0..255, channels last; exact in bf16."""
        batch = torch.from_numpy(np.stack(images)).to(self._device)
        return batch.permute(0, 3, 1, 2).to(TYPES[self._precision])

    def _tensors(self, arrays: Iterable[FloatArray]) -> Iterator[Tensor]:
        """What is remembered of a target, in the precision of the network."""
        for array in arrays:
            yield torch.from_numpy(array).to(self._device, TYPES[self._precision])


class TorchProposalMatcher(_TorchMatcher):
    """A SiamRPN network on torch.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    _network: SiamRpnNetwork

    @torch.inference_mode()
    def learn(self, image: Image) -> Template:
        """Template of a crop."""
        return self._network.learn(self._tensor([image]))

    def embedding(self, template: Template) -> FloatArray:
        """phi(z), (C, h, w)."""
        return cast(FloatArray, template.embedding[0].float().cpu().numpy())

    @torch.inference_mode()
    def mixed(self, template: Template, other: Template, share: float) -> Template:
        """A template between two."""
        return Template(*(own.lerp(its, share) for own, its in zip(template, other, strict=True)))

    @timed(NETWORK)
    @torch.inference_mode()
    def respond(self, template: Template, image: Image) -> Response:
        """Answer to a search crop."""
        proposals = self._network.propose(template, self._tensor([image]))
        scores = proposals.logits.float().softmax(dim=1)[0, 1]
        arrays = (scores, proposals.deltas[0], proposals.embedding[0])
        return Response(*(array.float().cpu().numpy() for array in arrays))


class TorchResponseMatcher(_TorchMatcher):
    """A SiamFC network or a CFNet on torch.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    _network: ResponseNetwork

    @torch.inference_mode()
    def learn(self, image: Image) -> FloatArray:
        """Kernel of a crop."""
        kernel = self._network.learn(self._tensor([image]))
        return cast(FloatArray, kernel[0].float().cpu().numpy())

    @timed(NETWORK)
    @torch.inference_mode()
    def respond(self, kernel: FloatArray, images: list[Image]) -> FloatArray:
        """Logits of search crops."""
        weight = torch.from_numpy(kernel)[None].to(self._device, TYPES[self._precision])
        response = self._network.respond(weight, self._tensor(images))
        return cast(FloatArray, response[:, 0].float().cpu().numpy())


class TorchMemoryMatcher(_TorchMatcher):
    """A MemTrack network on torch.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    _network: LiteMemTrack

    @torch.inference_mode()
    def learn(self, image: Image) -> Memory:
        """What is remembered of a template crop alone."""
        return Memory(*_arrays(self._network.begin(self._tensor([image]))))

    @timed(NETWORK)
    @torch.inference_mode()
    def recall(
        self, memory: Memory, seen: FloatArray, images: list[Image]
    ) -> tuple[FloatArray, Memory]:
        """Logits of search crops, and the memory after them."""
        written, *state = self._tensors((seen, *memory))
        logits, after = self._network.recall(MemoryState(*state), written, self._tensor(images))
        return cast(FloatArray, logits[:, 0].float().cpu().numpy()), Memory(*_arrays(after))


class TorchRecurrentMatcher(_TorchMatcher):
    """A Re3 network on torch.

    Args:
        network: in eval mode.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    _network: LiteRe3

    @torch.inference_mode()
    def learn(self, image: Image) -> Recurrent:
        """What is remembered of the first frame's crop."""
        return Recurrent(*_arrays(self._network.begin(self._tensor([image]))))

    @timed(NETWORK)
    @torch.inference_mode()
    def follow(self, state: Recurrent, before: Image, now: Image) -> tuple[FloatArray, Recurrent]:
        """Corners of the target, and the state after the frame."""
        known = RecurrentState(*self._tensors(state))
        corners, after = self._network.follow(known, self._tensor([before]), self._tensor([now]))
        return cast(FloatArray, corners[0].float().cpu().numpy()), Recurrent(*_arrays(after))


def _arrays(tensors: Iterable[Tensor]) -> Iterator[FloatArray]:
    for tensor in tensors:
        yield tensor.float().cpu().numpy()


#: by kind of network
MATCHERS = {
    "siamrpn": TorchProposalMatcher,
    "siamfc": TorchResponseMatcher,
    "cfnet": TorchResponseMatcher,
    "memtrack": TorchMemoryMatcher,
    "re3": TorchRecurrentMatcher,
}
