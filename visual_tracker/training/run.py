"""One training run, put together from folders, names and a recipe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from visual_tracker.annotations import Collection, DataError
from visual_tracker.models.efficientnet_lite import (
    WIDE,
    EfficientNetLite0,
    load_imagenet_state,
    normalised,
)
from visual_tracker.models.lite_siamrpn import HEADS
from visual_tracker.models.loading import read_weights
from visual_tracker.models.networks import create_network
from visual_tracker.training.data import read_collection
from visual_tracker.training.device import DeviceImages, DeviceMaker, DeviceMemoryError
from visual_tracker.training.exclusions import Exclusions, leave_out
from visual_tracker.training.images import ImageStore
from visual_tracker.training.narrowing import narrow
from visual_tracker.training.packs import is_pack, read_pack
from visual_tracker.training.pairs import PairSampler, make_sampler
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import SampleMaker
from visual_tracker.training.tasks import (
    MemoryTask,
    RegressionTask,
    ResponseTask,
    SiamRpnTask,
    Task,
)
from visual_tracker.training.trainer import BatchMaker, Machine, Trainer, check_batch
from visual_tracker.training.trunks import fits, load_wide, trunk_in

log = logging.getLogger(__name__)

TASKS: dict[str, Callable[[nn.Module, Recipe], Task]] = {
    "siamrpn": SiamRpnTask,
    "siamfc": ResponseTask,
    "cfnet": ResponseTask,
    "memtrack": MemoryTask,
    "re3": RegressionTask,
}

#: where samples are made; "auto" is the device if it is a GPU and holds all images, else workers
SAMPLING = ("auto", "device", "workers")

#: the averaged weights of a finished run
WEIGHTS = "weights.safetensors"

#: numbers of the samples on which a trunk is narrowed, far from those of training and validation
_NARROWING = range(1 << 41, (1 << 41) + 32)


def read_collections(folders: Sequence[Path], exclusions: Exclusions | None = None) -> Collection:
    """Read and join data folders, leave evaluation sequences out, and report what was skipped.

    Raises:
        DataError: if a folder cannot be read, or nothing is left.
    """
    collection = Collection()
    for folder in folders:
        collection.add(read_pack(folder) if is_pack(folder) else read_collection(folder))
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
    sampling: str = "auto",
) -> Trainer:
    """Make the trainer of a run, resumed where `output` holds a checkpoint.

    Args:
        kind: one of TASKS.
        network_name: like "lite".
        collection: the data.
        recipe: everything else that the result depends on.
        output: folder for checkpoint, log and weights.
        machine: where it runs.
        image_budget: bytes of decoded images to keep in memory, or on the device.
        initial: weights of an earlier run to start from instead of ImageNet's; tensors of other
            names or shapes are left alone, but the trunk is taken from any network's. One that is
            narrower than theirs is made of it (:mod:`visual_tracker.training.narrowing`).
        exclusions: pictures that must not be trained on.
        sampling: where samples are made, one of SAMPLING.

    Raises:
        DataError, PretrainedError, CheckpointError, ParameterError, WeightsError: what they say.
    """
    # what can be wrong without data comes before all images are read
    given = read_weights(initial) if initial is not None else {}
    torch.manual_seed(recipe.seed)
    network = create_network(kind, network_name)
    task = TASKS[kind](network, recipe)
    check_batch(recipe, machine.processes, task.together)
    sampler, held_out = make_sampler(collection, recipe)
    maker_of = _makers(collection, task, machine, image_budget, exclusions, sampling)
    maker = maker_of(sampler)
    _initialize(network, initial, given, recipe.fresh_heads, maker)
    validation = None
    if held_out:
        validation = maker_of(PairSampler(held_out, [], recipe))
        log.info("held out: %s", ", ".join(track.name for track in held_out))
    trainer = Trainer(network, task, maker, validation, recipe, output, machine)
    if trainer.resume():
        log.info("resumed at step %d", trainer.step)
    return trainer


def _makers(
    collection: Collection,
    task: Task,
    machine: Machine,
    budget: int,
    exclusions: Exclusions | None,
    sampling: str,
) -> Callable[[PairSampler], BatchMaker]:
    """What turns a sampler into a maker of batches; images are read here, once."""
    parts = task.geometry, task.targets(), task.recipe, task.planner
    shows = exclusions.shows if exclusions is not None else None
    if sampling == "device" or (sampling == "auto" and "cuda" in machine.device):
        images = ImageStore(0, shows)
        try:
            held = DeviceImages.load(collection.paths(), images, machine.device, budget)
        except DeviceMemoryError as error:
            if sampling == "device":
                raise
            log.warning("%s; worker processes make the samples", error)
        else:
            _report(images)
            log.info("%d images lie on %s", len(held.numbers), machine.device)
            return lambda sampler: DeviceMaker(sampler, held, *parts)
    images = ImageStore(budget, shows)
    images.preload(collection.paths())
    _report(images)
    return lambda sampler: SampleMaker(sampler, images, *parts)


def _report(images: ImageStore) -> None:
    if images.corrupt or images.excluded:
        log.info(
            "skipped %d corrupt images and %d of the evaluation data so far",
            len(images.corrupt), len(images.excluded),
        )  # fmt: skip


def _initialize(
    network: nn.Module,
    initial: Path | None,
    given: Mapping[str, Tensor],
    fresh_heads: bool,
    maker: BatchMaker,
) -> None:
    """Let a network begin with the tensors of `initial`, or with ImageNet's if that is None."""
    trunk = getattr(network, "trunk", None)
    if initial is not None:
        taken = _take(network, given, fresh_heads, initial)
        held = trunk_in(given)
        if held and isinstance(trunk, EfficientNetLite0):
            _take_trunk(trunk, held, initial, maker)
        elif not taken:
            raise DataError(f"no tensor of {initial} fits; give weights that a training run wrote")
    elif isinstance(trunk, EfficientNetLite0):
        wide = trunk if trunk.widths == WIDE else EfficientNetLite0()
        wide.load_imagenet(load_imagenet_state())
        if wide is not trunk:
            _narrow(wide, trunk, maker)


def _take(network: nn.Module, given: Mapping[str, Tensor], fresh_heads: bool, initial: Path) -> int:
    """Let a network have the tensors of a file that fit, and return how many do."""
    own = network.state_dict()
    fitting = {
        name: value.float()
        for name, value in given.items()
        if name in own
        and own[name].shape == value.shape
        and not (fresh_heads and name.partition(".")[0] in HEADS)
    }
    network.load_state_dict(fitting, strict=False)
    log.info("%d of %d tensors taken from %s", len(fitting), len(own), initial)
    return len(fitting)


def _take_trunk(
    trunk: EfficientNetLite0, held: Mapping[str, Tensor], initial: Path, maker: BatchMaker
) -> None:
    """Let a trunk have a file's, made narrower if need be.

    Raises:
        DataError: if the file's trunk is neither of the trunk's own widths nor a wide one.
    """
    if fits(trunk, held):
        trunk.load_state_dict(held)
    else:
        wide = EfficientNetLite0()
        load_wide(wide, held, initial)
        _narrow(wide, trunk, maker)


def _narrow(wide: EfficientNetLite0, trunk: EfficientNetLite0, maker: BatchMaker) -> None:
    """Let a trunk do what a wide one does, on crops that will be trained on."""
    (batch,) = maker.batches(_NARROWING, len(_NARROWING))
    narrow(wide, trunk, normalised(batch["search"].float().cpu()))
    log.info("the trunk was made of a wide one")
