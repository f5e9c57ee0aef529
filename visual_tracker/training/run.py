"""One training run, put together from folders, names and a recipe."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from visual_tracker.models.efficientnet_lite import EfficientNetLite0, load_imagenet_state
from visual_tracker.models.networks import create_network
from visual_tracker.training.data import Collection, DataError, read_collection
from visual_tracker.training.exclusions import Exclusions, leave_out
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import PairSampler, make_sampler
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import SampleMaker
from visual_tracker.training.tasks import SiamFcTask, SiamRpnTask
from visual_tracker.training.trainer import Machine, Trainer

log = logging.getLogger(__name__)

TASKS = {"siamrpn": SiamRpnTask, "siamfc": SiamFcTask}

#: the averaged weights of a finished run
WEIGHTS = "weights.safetensors"


def read_collections(folders: Sequence[Path], exclusions: Exclusions | None = None) -> Collection:
    """Read and join data folders, leave evaluation sequences out, and report what was skipped.

    Raises:
        DataError: if a folder cannot be read, or nothing is left.
    """
    collection = Collection()
    for folder in folders:
        collection.add(read_collection(folder))
    leave_out(collection, exclusions or Exclusions())
    if not collection.tracks and not collection.stills:
        raise DataError("nothing is left to train on but evaluation sequences")
    log.info("%d videos, %d stills", len(collection.tracks), len(collection.stills))
    for reason, count in sorted(collection.skipped.items()):
        log.info("skipped %d: %s", count, reason)
    return collection


def prepare(
    kind: str,
    network_name: str,
    collection: Collection,
    recipe: Recipe,
    output: Path,
    machine: Machine,
    image_budget: int,
    initial: Path | None = None,
    exclusions: Exclusions | None = None,
) -> Trainer:
    """Make the trainer of a run, resumed where `output` holds a checkpoint.

    Args:
        kind: "siamrpn" or "siamfc".
        network_name: like "lite".
        collection: the data.
        recipe: everything else that the result depends on.
        output: folder for checkpoint, log and weights.
        machine: where it runs.
        image_budget: bytes of decoded images to keep in memory.
        initial: weights of an earlier run to start from instead of ImageNet's; tensors of other
            names are left alone.
        exclusions: pictures that must not be trained on.

    Raises:
        DataError, PretrainedError, CheckpointError, ParameterError: what they say.
    """
    torch.manual_seed(recipe.seed)
    network = create_network(kind, network_name)
    _initialize(network, initial)
    task = TASKS[kind](network.geometry, recipe)
    sampler, held_out = make_sampler(collection, recipe)
    images = ImageStore(image_budget, exclusions.shows if exclusions is not None else None)
    images.preload(collection.paths())
    if images.corrupt or images.excluded:
        log.info(
            "skipped %d corrupt images and %d of the evaluation data so far",
            len(images.corrupt), len(images.excluded),
        )  # fmt: skip
    maker = SampleMaker(sampler, images, task.geometry, task.targets(), recipe)
    validation = None
    if held_out:
        held_out_sampler = PairSampler(held_out, [], recipe)
        validation = SampleMaker(held_out_sampler, images, task.geometry, task.targets(), recipe)
        log.info("held out: %s", ", ".join(track.name for track in held_out))
    trainer = Trainer(network, task, maker, validation, recipe, output, machine)
    if trainer.resume():
        log.info("resumed at step %d", trainer.step)
    return trainer


def _initialize(network: nn.Module, initial: Path | None) -> None:
    if initial is not None:
        own = network.state_dict()
        given = {
            name: value.float()
            for name, value in load_file(initial).items()
            if name in own and own[name].shape == value.shape
        }
        network.load_state_dict(given, strict=False)
        log.info("%d of %d tensors taken from %s", len(given), len(own), initial)
    elif isinstance(trunk := getattr(network, "trunk", None), EfficientNetLite0):
        trunk.load_imagenet(load_imagenet_state())


def save_weights(trainer: Trainer, path: Path) -> None:
    """Write the averaged weights in half precision (safetensors)."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in trainer.average.items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, path)
