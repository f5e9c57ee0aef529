"""One training run of ADNet, put together from folders, names and a recipe."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from visual_tracker.annotations import Collection, Still, Track
from visual_tracker.models.adnet import LiteAdnet, PolicyNetwork, VggAdnet
from visual_tracker.models.efficientnet_lite import PretrainedError, load_imagenet_state
from visual_tracker.models.loading import load_weights
from visual_tracker.models.mdnet import MdNet
from visual_tracker.models.mdnet_release import load_mdnet
from visual_tracker.models.networks import create_network
from visual_tracker.training.adnet.clips import ClipMaker
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.adnet.reinforce import ReinforceStage
from visual_tracker.training.adnet.scenes import SceneMaker
from visual_tracker.training.adnet.supervised import SupervisedStage
from visual_tracker.training.adnet.trainer import PolicyTrainer, Stage
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import split_tracks
from visual_tracker.training.recipe import Recipe, names

log = logging.getLogger(__name__)

STAGES = ("supervised", "reinforce")

#: files of the authors of VGG-M and py-MDNet, whose convolutions `vgg-m` can start from
_RELEASED = (".mat", ".pth")


def prepare(
    stage: str,
    network_name: str,
    collection: Collection,
    recipe: AdnetRecipe,
    output: Path,
    device: str,
    images: ImageStore,
    initial: Path | None = None,
) -> PolicyTrainer:
    """Make the trainer of a run, resumed where `output` holds a checkpoint.

    Args:
        stage: "supervised" or "reinforce".
        network_name: "lite" or "vgg-m".
        collection: the data.
        recipe: everything else that the result depends on.
        output: folder for checkpoint and log.
        device: torch device.
        images: reads the pictures.
        initial: weights of an earlier run, which the stage "reinforce" needs; or, for `vgg-m`, a
            released file with VGG-M's convolutions.

    Raises:
        DataError, PretrainedError, CheckpointError, WeightsError, ParameterError: what they say.
    """
    torch.manual_seed(recipe.seed)
    network = create_network("adnet", network_name)
    assert isinstance(network, PolicyNetwork)
    _initialize(network, stage, initial)
    network.to(device, memory_format=torch.channels_last)
    made = _make_stage(stage, network, collection, recipe, images)
    trainer = PolicyTrainer(made, output)
    if trainer.resume():
        log.info("resumed at step %d", trainer.step)
    return trainer


def _initialize(network: PolicyNetwork, stage: str, initial: Path | None) -> None:
    if initial is not None and initial.suffix in _RELEASED and isinstance(network, VggAdnet):
        released = MdNet.vgg_m()
        load_mdnet(released, initial)
        network.features.load_state_dict(released.features.state_dict())
    elif initial is not None:
        load_weights(network, initial)
    elif stage == "reinforce":
        raise PretrainedError(
            "the stage reinforce goes on from the supervised one; give that one's weights as "
            "--initial OUTPUT/weights.safetensors"
        )
    elif isinstance(network, LiteAdnet):
        network.trunk.load_imagenet(load_imagenet_state())
    else:
        raise PretrainedError(
            "vgg-m starts from VGG-M's convolutions; give --initial imagenet-vgg-m.mat or a .pth "
            "file of py-MDNet"
        )


def _make_stage(
    stage: str,
    network: PolicyNetwork,
    collection: Collection,
    recipe: AdnetRecipe,
    images: ImageStore,
) -> Stage:
    light = names(Recipe().light_videos)
    training, held_out = split_tracks(collection.tracks, recipe.validation_share, light)
    if held_out:
        log.info("held out: %s", ", ".join(track.name for track in held_out))

    def scenes(tracks: list[Track], stills: list[Still]) -> SceneMaker:
        return SceneMaker(tracks, stills, images, recipe.region, recipe)

    supervised = SupervisedStage(
        network,
        recipe,
        scenes(training, collection.stills),
        scenes(held_out, []) if held_out else None,
    )
    if stage == "supervised":
        return supervised
    clips = ClipMaker(training, images, recipe, light, Recipe().light_weight)
    checked = ClipMaker(held_out, images, recipe) if held_out else None
    return ReinforceStage(network, recipe, clips, checked, supervised, recipe.region)
