"""`visual-tracker export`: a network as files that other runtimes read."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from visual_tracker.extras import how_to_install
from visual_tracker.models.geometry import GeometryError
from visual_tracker.models.shared_matchers import GRAPH_MATCHERS
from visual_tracker.models.weights import WeightsError, packaged_weights
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers import TrackerUnavailableError


@click.command("export")
@click.argument("network")
@click.option(
    "--format",
    "kind_of_file",
    type=click.Choice(["onnx", "torchscript"]),
    default="onnx",
    show_default=True,
)
@click.option(
    "--search-size",
    default="dynamic",
    show_default=True,
    metavar="N|dynamic",
    help="The only side of search crops, in pixels; dynamic takes all that fit the network.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="A weights file.  [default: the one in the package]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for template, search and network.json; made if need be.",
)
def command(
    network: str, kind_of_file: str, search_size: str, weights: Path | None, output: Path
) -> None:
    """Export NETWORK, like siamrpn-lite, for another runtime (a Jetson's TensorRT).

    Two graphs are written: `template` takes the template crop once a target, `search` takes each
    search crop and the template's kernels. Crops are BGR bytes (N, height, width, 3). Networks that
    remember (memtrack, re3) hand the state of a target in and out instead.

    \b
    Examples:
      visual-tracker export siamrpn-lite --output lite
      visual-tracker export siamrpn-alexnet-vot --weights SiamRPNVOT.model \\
          --search-size 271 --output vot
    """
    kind, _, name = network.partition("-")
    if kind not in GRAPH_MATCHERS or not name:
        *others, last = (f"{known}-NAME" for known in GRAPH_MATCHERS)
        raise ParameterError(
            f"there is no network '{network}'; write {', '.join(others)} or {last}, "
            "like siamrpn-lite"
        )
    size = _parse_size(search_size)
    exports, torch_matchers = _torch_modules()
    path = weights or packaged_weights(kind, name)
    if path is None:
        torch_matchers.create_network(kind, name)  # an unknown name is the better message
        raise ParameterError(f"no weights of {network} come with the package; give --weights FILE")
    write = {"onnx": exports.export_onnx, "torchscript": exports.export_torchscript}[kind_of_file]
    try:
        loaded = torch_matchers.load_network(kind, name, path)
        output.mkdir(parents=True, exist_ok=True)
        write(loaded, output, size)
    except GeometryError as error:
        raise ParameterError(f"--search-size: {error}") from None
    except (WeightsError, exports.ExportError, OSError) as error:
        raise TrackerUnavailableError(f"cannot export {network}: {error}") from None
    for file in sorted(output.iterdir()):
        click.echo(f"{file} {file.stat().st_size / 1e6:.1f} MB")


def _parse_size(text: str) -> int | None:
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) == 0:
        raise ParameterError(f"cannot read --search-size {text!r}; write a number or 'dynamic'")
    return int(text)


def _torch_modules() -> tuple[Any, Any]:
    try:
        return (
            importlib.import_module("visual_tracker.models.exports"),
            importlib.import_module("visual_tracker.models.torch_matchers"),
        )
    except ImportError as error:
        raise TrackerUnavailableError(
            f"exporting needs PyTorch ({how_to_install('dl')}): {error}"
        ) from None
