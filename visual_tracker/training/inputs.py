"""What a run was begun with beside its recipe: with other data it is another run.

It lies beside the checkpoint, as digests that stay the same where the data is only moved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from visual_tracker.annotations import Collection, View
from visual_tracker.training.bookkeeping import CHECKPOINT, CheckpointError
from visual_tracker.training.exclusions import Exclusions

FILE = "inputs.json"


def describe_inputs(
    network: str,
    collection: Collection,
    exclusions: Exclusions,
    initial: Path | None,
    processes: int,
) -> dict[str, str]:
    """All that a run's outcome depends on beside its recipe, by name.

    Args:
        network: its kind and name.
        collection: the data, evaluation videos left out.
        exclusions: pictures that are left out when they are decoded.
        initial: weights to begin with, None for ImageNet's.
        processes: how many share a batch.
    """
    excluded = exclusions.prints.tobytes() + repr(sorted(exclusions.names)).encode()
    return {
        "--network": network,
        "--data": _digest(_content(collection)),
        "--exclude": _digest([excluded]),
        "--initial": "" if initial is None else _digest([initial.read_bytes()]),
        "processes": str(processes),
    }


def check_inputs(output: Path, inputs: Mapping[str, str]) -> None:
    """Refuse to go on with a run that was begun with something else.

    A checkpoint of an older version has nothing beside it, and is gone on with.

    Raises:
        CheckpointError: naming what differs.
    """
    file = output / FILE
    if not ((output / CHECKPOINT).exists() and file.exists()):
        return
    try:
        begun = json.loads(file.read_text())
        other = [name for name, value in inputs.items() if begun[name] != value]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read ({error!r}); use another --output") from None
    if other:
        raise CheckpointError(
            f"the run in {output} was begun with another {', '.join(other)}; give what it was "
            "begun with, or use another --output"
        )


def write_inputs(output: Path, inputs: Mapping[str, str]) -> None:
    """Write down what the run in a folder has."""
    (output / FILE).write_text(json.dumps(dict(inputs), indent=1) + "\n")


def _content(collection: Collection) -> Iterator[bytes]:
    """Names, boxes and order, without the folders that they lie in, one video or still a time."""
    for track in collection.tracks:
        frames = [(number, _view(view)) for number, view in track.frames]
        yield repr((track.name, track.label, frames)).encode()
    for still in collection.stills:
        yield repr((still.source, list(map(_view, still.objects)))).encode()


def _view(view: View) -> tuple[object, ...]:
    return view.path.name, view.box.xywh, view.label, view.polygons


def _digest(contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]
