"""`visual-tracker benchmark engines`: what each engine takes, and how well it agrees."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from visual_tracker.benchmarks import engines
from visual_tracker.cli.benchmark.shared import machine_text, output_option, show_table, write_json
from visual_tracker.evaluation.datasets import read_dataset
from visual_tracker.extras import how_to_install
from visual_tracker.machine import describe_machine
from visual_tracker.models.engines.base import EngineError
from visual_tracker.models.weights import WeightsError, packaged_weights
from visual_tracker.outputs import check_writable
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers import TrackerUnavailableError

_HEADINGS = {
    "label": "engine",
    "median_ms": "median ms",
    "p99_ms": "p99 ms",
    "best_iou": "IoU of the best proposal",
    "same_best": "IoU > .9",
    "score_error": "largest score error",
}


@click.command("engines")
@click.option("--dataset", type=click.Path(path_type=Path), required=True)
@click.option("--sequence", "only", multiple=True, help="Only this sequence; repeat for more.")
@click.option("--frames", type=click.IntRange(2), default=60, show_default=True)
@click.option("--network", default="lite", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Empty for the package's.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@output_option("engines.json")
def engines_command(
    dataset: Path,
    only: tuple[str, ...],
    frames: int,
    network: str,
    weights: Path | None,
    threads: int,
    output: Path,
) -> None:
    """Put the same crops of a dataset to every engine that can run here.

    Agreement is with eager torch in fp32, crop by crop: whole runs diverge for any last digit and
    compare worse. For whole runs: visual-tracker evaluate --set LABEL.engine=openvino.
    """
    path = weights or packaged_weights("siamrpn", network)
    if path is None:
        raise ParameterError(f"no weights of {network} come with the package; give --weights FILE")
    sequences = read_dataset(dataset, only=only)
    check_writable(output)
    try:
        results = engines.compare(
            sequences, network, path, engines.available_settings(), frames, threads
        )
    except ModuleNotFoundError as error:
        raise TrackerUnavailableError(
            f"comparing engines needs {error.name} ({how_to_install('openvino')})"
        ) from None
    except (EngineError, WeightsError, ImportError) as error:
        raise TrackerUnavailableError(f"cannot compare engines: {error}") from None
    content = {
        "machine": describe_machine(),
        "settings": {"network": network, "frames": frames, "threads": threads},
        "engines": [asdict(result) for result in results],
    }
    write_json(content, output / "engines.json")
    rows = [[_text(getattr(result, name)) for name in _HEADINGS] for result in results]
    caption = f"{network}, {len(sequences)} sequences, at most {frames} frames of each, "
    caption += f"{threads} thread(s), engines in turns; {machine_text(content)}."
    show_table(list(_HEADINGS.values()), rows, caption, None, "")


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
