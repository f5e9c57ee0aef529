"""One multi-domain training run, put together from folders, names and a recipe."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from visual_tracker.annotations import Collection, DataError, Track
from visual_tracker.models.efficientnet_lite import load_imagenet_state
from visual_tracker.models.loading import read_weights
from visual_tracker.models.mdnet import LiteFeatures, MdNet, RegionFeatures
from visual_tracker.models.mdnet_release import load_mdnet
from visual_tracker.models.networks import create_network
from visual_tracker.training.images import ImageStore
from visual_tracker.training.mdnet.domains import Domain, DomainSampler, map_domain
from visual_tracker.training.mdnet.recipe import MdNetRecipe
from visual_tracker.training.mdnet.trainer import DomainTrainer
from visual_tracker.training.pairs import split_tracks
from visual_tracker.training.recipe import names
from visual_tracker.training.trunks import load_wide, trunk_in

log = logging.getLogger(__name__)

#: frames of a video below which it is no domain
_MIN_FRAMES = 4


def prepare(
    network_name: str,
    collection: Collection,
    recipe: MdNetRecipe,
    output: Path,
    device: str,
    images: ImageStore,
    initial: Path | None = None,
) -> DomainTrainer:
    """Make the trainer of a run, resumed where `output` holds a checkpoint.

    Args:
        network_name: "lite" or "vgg-m".
        collection: the data; stills are not used, for a domain is a video.
        recipe: everything else that the result depends on.
        output: folder for checkpoint, log and weights.
        device: torch device.
        images: reads the pictures.
        initial: weights to start from: for `lite` instead of ImageNet's, of any network with the
            same trunk; for `vgg-m` imagenet-vgg-m.mat or a file of the release.

    Raises:
        DataError, PretrainedError, CheckpointError, WeightsError, ParameterError: what they say.
    """
    torch.manual_seed(recipe.seed)
    network = create_network("mdnet", network_name)
    assert isinstance(network, MdNet)
    _initialize(network, initial)
    network = network.eval().to(device, memory_format=torch.channels_last)
    network.features.requires_grad_(False)
    training, held_out = split_tracks(
        [track for track in collection.tracks if len(track.frames) >= _MIN_FRAMES],
        recipe.validation_share,
        names(recipe.light_videos),
    )
    if not training:
        raise DataError(f"there are no videos of {_MIN_FRAMES} frames or more to train on")
    log.info("held out: %s", ", ".join(track.name for track in held_out))
    domains = _map_domains(training, images, network.features, recipe, device)
    if not domains:
        raise DataError(
            f"no video to train on has {_MIN_FRAMES} pictures that can be read and are not "
            "excluded; check --data and --exclude"
        )
    validation = _map_domains(held_out, images, network.features, recipe, device)
    if isinstance(network.features, LiteFeatures):
        _standardize(network.features, domains, recipe, device)
    trainer = DomainTrainer(network, domains, validation, recipe, output, device)
    if trainer.resume():
        log.info("resumed at cycle %d", trainer.cycle)
    return trainer


def _map_domains(
    tracks: list[Track],
    images: ImageStore,
    features: RegionFeatures,
    recipe: MdNetRecipe,
    device: str,
) -> list[Domain]:
    """The maps of videos; those of which too few pictures can be used are left out."""
    mapped = [map_domain(track, images, features, recipe, device) for track in tracks]
    for domain in mapped:
        if len(domain.frames) < _MIN_FRAMES:
            log.warning(
                "left out video %s: %d of its pictures can be used, not %d or more",
                domain.name, len(domain.frames), _MIN_FRAMES,
            )  # fmt: skip
    return [domain for domain in mapped if len(domain.frames) >= _MIN_FRAMES]


def _initialize(network: MdNet, initial: Path | None) -> None:
    features = network.features
    if not isinstance(features, LiteFeatures):
        if initial is None:
            raise DataError("vgg-m starts from imagenet-vgg-m.mat; name it with --initial")
        load_mdnet(network, initial)
    elif initial is None:
        features.trunk.load_imagenet(load_imagenet_state())
    else:
        held = trunk_in(read_weights(initial))
        if not held:
            raise DataError(f"{initial} holds no trunk of EfficientNet-Lite0")
        load_wide(features.trunk, held, initial)
        log.info("trunk taken from %s", initial)


def _standardize(
    features: LiteFeatures, domains: list[Domain], recipe: MdNetRecipe, device: str
) -> None:
    """Give every channel mean 0 and deviation 1 over boxes of all training videos."""
    features.mean.zero_()
    features.deviation.fill_(1.0)
    sampler = DomainSampler(features, recipe, device)
    rng = np.random.default_rng(recipe.seed)
    drawn = [samples.features for d in domains for samples in sampler.draw(d, rng)]
    values = torch.cat(drawn).transpose(0, 1).flatten(1)
    features.mean.copy_(values.mean(dim=1))
    features.deviation.copy_(values.std(dim=1).clamp(min=1e-3))
