"""report.html with its pictures: for people to look at what the figures mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2

from visual_tracker.evaluation import tables
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.plots import write_plots
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.store import Store
from visual_tracker.evaluation.worst_moments import Moment, strip, worst_moment
from visual_tracker.extras import require

REPORT_FILE = "report.html"
TEMPLATE = "report.html.jinja"
STRIP_PREFIX = "worst-"
#: strips drawn for each tracker
STRIPS = 4


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Attributes:
        file: name, beside the report.
        caption: what it shows.
    """

    file: str
    caption: str


def check_libraries() -> None:
    """Raise MissingExtraError, before anything is run, if the report could not be written."""
    require("matplotlib.figure")
    require("jinja2")


def write_report(
    content: dict[str, Any],
    candidates: Iterable[Candidate],
    sequences: list[Sequence],
    store: Store,
) -> Path:
    """Write report.html and its PNG files into the evaluation's folder.

    Args:
        content: of results.json.
        candidates: those evaluated.
        sequences: those evaluated on, with their images.
        store: where the runs lie.

    Returns:
        The report's path.

    Raises:
        MissingExtraError: if matplotlib or jinja2 is not installed.
    """
    folder = store.root
    plots = [Picture(file, title) for title, file in write_plots(content, folder).items()]
    # those of an earlier report may be of other trackers
    for picture in folder.glob(f"{STRIP_PREFIX}*.png"):
        picture.unlink()
    strips = {
        candidate.label: _write_strips(candidate.label, content, sequences, store)
        for candidate in candidates
    }
    columns = tables.sequence_columns(content)
    environment = require("jinja2").Environment(autoescape=True)
    template = environment.from_string((files(__package__) / TEMPLATE).read_text())
    html = template.render(
        title=f"Evaluation on {content['dataset']['name']}",
        caption=tables.caption(content),
        means=tables.mean_tables(content),
        sequences=tables.sequence_rows(content, columns),
        columns=" / ".join(tables.COLUMNS[key][0] for key in columns),
        errors=tables.failures(content),
        plots=plots,
        strips={label: strips[label] for label in tables.ranked(content)},
    )
    path = folder / REPORT_FILE
    path.write_text(html)
    return path


def _write_strips(
    label: str, content: dict[str, Any], sequences: list[Sequence], store: Store
) -> list[Picture]:
    """Draw the moments at which a tracker failed for the largest share of a sequence."""
    finished = content["trackers"][label]["sequences"]
    by_name = {sequence.name: sequence for sequence in sequences if sequence.name in finished}
    found = [
        worst_moment(label, store.load(label, name), sequence) for name, sequence in by_name.items()
    ]
    moments = sorted((moment for moment in found if moment), key=lambda moment: -moment.share)
    return [_write_strip(moment, by_name[moment.sequence], store) for moment in moments[:STRIPS]]


def _write_strip(moment: Moment, sequence: Sequence, store: Store) -> Picture:
    file = f"{STRIP_PREFIX}{moment.label}-{moment.sequence}.png"
    image = strip(moment, store.load(moment.label, moment.sequence), sequence)
    cv2.imwrite(str(store.root / file), image)
    caption = (
        f"{moment.sequence}: off target for {moment.length} frames "
        f"({moment.share:.0%}) from frame {moment.frame + 1} on"
    )
    return Picture(file, caption)
