"""`visual-tracker train`: train the networks of the deep trackers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from visual_tracker.cli.options import parse_settings, read_settings_file
from visual_tracker.extras import how_to_install
from visual_tracker.models.weights import WeightsError
from visual_tracker.parameters import ParameterError, Parameters, ParametersT
from visual_tracker.sources import SourceError
from visual_tracker.trackers import TrackerUnavailableError
from visual_tracker.trackers.torch_runtime import resolve_device
from visual_tracker.training import torchrun

#: kinds whose training cannot share a step among processes
_ONE_PROCESS = ("adnet", "mdnet")

#: kinds that are trained on pairs of crops or sequences of them, the keys of `training.run.TASKS`,
#: which needs torch
PAIRS = ("cfnet", "memtrack", "re3", "siamfc", "siamrpn")

#: options that only some kinds have a use for
_ONLY_OF = {
    "stage": ("adnet",), "sampler": PAIRS, "workers": PAIRS, "image_memory": PAIRS,
}  # fmt: skip

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("kind", type=click.Choice(sorted((*_ONE_PROCESS, *PAIRS))))
@click.option(
    "--stage", type=click.Choice(["supervised", "reinforce"]), default="supervised",
    show_default=True, help="Of adnet's training; reinforce goes on from --initial.",
)  # fmt: skip
@click.option("--network", default="lite", show_default=True, help="Name of the network.")
@click.option(
    "--data", "folders", multiple=True, required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Folder of boxed videos or stills, or a pack of them; repeat to join several.",
)  # fmt: skip
@click.option(
    "--exclude", "excluded", multiple=True, type=_FOLDER,
    help="Folder of evaluation data that must not be trained on: its videos by name, its pictures "
    "whatever their size and compression. Repeat for several. Videos named like OTB-100's are "
    "always left out.",
)  # fmt: skip
@click.option(
    "--output", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for checkpoint, log.csv and weights; a run found there is resumed.",
)  # fmt: skip
@click.option("--initial", type=_FILE, help="Weights to start from instead of ImageNet's.")
@click.option(
    "--recipe", "recipe_file", type=_FILE,
    help="File of settings, NAME=VALUE one a line (docs/training.md lists them).",
)  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="Change a setting, over those of --recipe; repeat for more.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--sampler", default="auto", show_default=True,
    type=click.Choice(["auto", "device", "workers"]),
    help="Where samples are made: on the device, which then holds all images, or by worker "
    "processes. auto: on a GPU if the images fit. Not of mdnet and adnet.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=0), default=1, show_default=True,
    help="Processes that make samples; 0 makes them in the loop. Not of mdnet and adnet.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(min=0), default=0, help="CPU threads; 0 takes torch's choice."
)
@click.option(
    "--image-memory", type=click.FloatRange(min=0), default=4.0, show_default=True,
    help="GiB of decoded images to keep, in memory or on the device. Not of mdnet and adnet.",
)  # fmt: skip
def command(
    kind: str,
    stage: str,
    network: str,
    folders: tuple[Path, ...],
    excluded: tuple[Path, ...],
    output: Path,
    initial: Path | None,
    recipe_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    sampler: str,
    workers: int,
    threads: int,
    image_memory: float,
) -> None:
    """Train the network of KIND on boxed videos and stills.

    Interrupt it at any time; the same command goes on from the last checkpoint. Under torchrun it
    trains on several GPUs (not mdnet and adnet). mdnet learns from videos alone, with its
    trunk frozen. adnet learns in two stages, with its trunk frozen.

    \b
    Examples:
      visual-tracker train siamrpn --data ../shared/data/training \\
          --exclude ../shared/data/sequences --output runs/lite
      torchrun --nproc-per-node 4 -m visual_tracker.cli train siamrpn --data /data/got10k/train \\
          --data /data/coco --output runs/big --set steps=100000 --set batch=256
      visual-tracker train adnet --data ../shared/data/training --output runs/policy
      visual-tracker train adnet --stage reinforce --initial runs/policy/weights.safetensors \\
          --data ../shared/data/training --output runs/policy-rl
    """
    _check_options(kind)
    _check_processes(kind)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        import torch

        from visual_tracker.models.efficientnet_lite import PretrainedError
        from visual_tracker.models.loading import write_weights
        from visual_tracker.training import run
        from visual_tracker.training.bookkeeping import CheckpointError, only_run_in
        from visual_tracker.training.exclusions import Exclusions
        from visual_tracker.training.images import ImageStore
        from visual_tracker.training.inputs import check_inputs, describe_inputs, write_inputs
        from visual_tracker.training.plans import SampleError
        from visual_tracker.training.recipe import Recipe
        from visual_tracker.training.trainer import Machine
    except ImportError as error:
        raise TrackerUnavailableError(
            f"training needs {error.name} ({how_to_install('train')})"
        ) from None
    device = resolve_device(device)
    # before the data is read, which takes longer
    recipe_class, prepare = (Recipe, None) if kind in PAIRS else _frozen_trunk(kind, stage)
    recipe: Any = read_recipe(recipe_class, recipe_file, settings)
    if threads:
        torch.set_num_threads(threads)
    try:
        if torchrun.rank() == 0:  # torchrun's other processes are of the same run
            click.get_current_context().with_resource(only_run_in(output))
        exclusions = Exclusions.read(excluded, cache=output)
        collection = run.read_collections(folders, exclusions)
        inputs = describe_inputs(
            f"{kind} {network}", collection, exclusions, initial, torchrun.processes()
        )
        check_inputs(output, inputs)
        budget = int(image_memory * 2**30)
        if prepare is None:
            machine = Machine.from_environment(device, workers)
            training = run.prepare(
                kind,
                network,
                collection,
                recipe,
                output,
                machine,
                budget,
                initial,
                exclusions,
                sampler,
            )
        else:
            images = ImageStore(budget, exclusions.shows)
            machine = Machine(device)
            training = prepare(network, collection, recipe, output, machine.device, images, initial)
        if torchrun.rank() == 0:
            write_inputs(output, inputs)
    except (CheckpointError, PretrainedError, WeightsError) as error:
        raise SourceError(str(error)) from None
    try:
        training.run()
    except SampleError as error:
        # from a worker process it comes with a traceback, in whose last line it is
        raise SourceError(str(error).splitlines()[-1].rpartition("SampleError: ")[2]) from None
    machine.leave()
    if machine.rank == 0:
        write_weights(training.weights, output / run.WEIGHTS)
        click.echo(f"weights: {output / run.WEIGHTS}")


def _check_options(kind: str) -> None:
    """Refuse options that were given but have no effect on a kind.

    Raises:
        ParameterError: if there is one.
    """
    context = click.get_current_context()
    for name, kinds in _ONLY_OF.items():
        given = context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        if given and kind not in kinds:
            option = f"--{name.replace('_', '-')}"
            raise ParameterError(
                f"{option} is of {' and '.join(kinds)} and has no effect on {kind}; leave it out"
            )


def _check_processes(kind: str) -> None:
    """Refuse several processes where each would train the same run.

    Raises:
        ParameterError: if torchrun started more than one.
    """
    processes = torchrun.processes()
    if kind in _ONE_PROCESS and processes > 1:
        raise ParameterError(
            f"{kind} is trained by one process, but torchrun started {processes} (WORLD_SIZE); "
            f"call 'visual-tracker train {kind}' without torchrun"
        )


def _frozen_trunk(kind: str, stage: str) -> tuple[type[Parameters], Callable[..., Any]]:
    """Recipe and `prepare` of a kind whose trunk is frozen: mdnet or adnet."""
    if kind == "mdnet":
        from visual_tracker.training.mdnet import run as mdnet
        from visual_tracker.training.mdnet.recipe import MdNetRecipe

        return MdNetRecipe, mdnet.prepare
    from visual_tracker.training.adnet import run as adnet
    from visual_tracker.training.adnet.recipe import AdnetRecipe

    return AdnetRecipe, partial(adnet.prepare, stage)


def read_recipe(
    recipe_class: type[ParametersT], path: Path | None, settings: tuple[str, ...]
) -> ParametersT:
    """Read `--set NAME=VALUE` options over a file's settings over the recipe's defaults.

    Raises:
        ParameterError: if the file or a setting is malformed, unknown or out of range.
    """
    given = read_settings_file(path) if path is not None else ()
    return recipe_class.from_mapping(parse_settings(recipe_class, given + settings))
