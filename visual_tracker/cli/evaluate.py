"""`visual-tracker evaluate`: trackers on a dataset, in the field's own measures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from visual_tracker.cli.options import candidates_from_options, candidates_options
from visual_tracker.console import plain_console
from visual_tracker.evaluation import tables
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.datasets import FORMATS
from visual_tracker.evaluation.evaluate import Settings, Watch, evaluate
from visual_tracker.evaluation.perturbations import KINDS
from visual_tracker.evaluation.runner import JobResult, RunOptions

README_MARKER = "evaluation"
#: of the tables over several seeds and of worse images, which stand beside those of one run
SEEDS_MARKER = "seeds"
PERTURBATIONS_MARKER = "perturbations"
#: in each cell of the table of worse images: how good, and how often wrong without saying so
PERTURBATION_KEYS = ("success_auc", "false_tracking")


@click.command()
@candidates_options
@click.option(
    "--dataset", type=click.Path(path_type=Path), required=True, help="Folder of the dataset."
)
@click.option(
    "--format",
    "dataset_format",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="Layout of the dataset.",
)
@click.option(
    "--sequence",
    "only",
    multiple=True,
    metavar="NAME",
    help="Only this sequence, or those that fit a pattern ('davis_*'); repeat for more.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("evaluation_output"),
    show_default=True,
    help="Folder for results.json and boxes; finished sequences are taken from it.",
)
@click.option("--fresh", is_flag=True, help="Run finished sequences again.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Sequences run in parallel.")
@click.option(
    "--backend",
    help="joblib's backend, of those it knows: loky, threading, ..  [default: joblib's choice]",
)
@click.option(
    "--threads", type=int, default=1, show_default=True, help="Threads a tracker may use."
)
@click.option(
    "--realtime", type=float, metavar="FPS", help="Skip frames that arrive while it is busy."
)
@click.option("--supervised", is_flag=True, help="VOT's runs, started anew after a failure.")
@click.option(
    "--eao-range",
    type=(int, int),
    metavar="LOW HIGH",
    help="Lengths for EAO, with --supervised (VOT2018: 100 356).  "
    "[default: typical lengths of the dataset]",
)
@click.option("--splice", is_flag=True, help="Cut another clip into the middle of each sequence.")
@click.option(
    "--virtual-camera", is_flag=True, help="View through a camera that wanders off and back."
)
@click.option("--occlude", is_flag=True, help="Cover the target with its surroundings for a while.")
@click.option(
    "--start-noise", type=float, default=0.0, metavar="SHARE",
    help="Start on boxes that are off by this share of their sides (standard deviation).",
)  # fmt: skip
@click.option(
    "--perturb",
    "perturbations",
    type=click.Choice(list(KINDS)),
    multiple=True,
    help="Repeat the runs under this perturbation in rising strength; repeat for more.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of these five.")
@click.option(
    "--tracker-seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run each tracker that has a seed with 0 to N-1, and print mean and spread over them.",
)
@click.option(
    "--readme",
    type=click.Path(path_type=Path),
    help="Write the tables into this file, between its markers evaluation:begin and :end; that "
    "over several seeds, or that of perturbations, alone between seeds:begin and :end, or "
    "perturbations:begin and :end.",
)
@click.option(
    "--report/--no-report",
    default=True,
    show_default=True,
    help="Write report.html with plots and pictures (needs the extra 'eval').",
)
@click.option("--verbose", "-v", is_flag=True, help="Print the table of sequences too.")
def command(readme: Path | None, verbose: bool, **given: Any) -> None:
    """Run trackers on a dataset and measure accuracy, losing and finding, and speed.

    Without --tracker every tracker that can run here is evaluated. The exit code is 1 if a tracker
    raised on a sequence, perturbed or not.

    \b
    Examples:
      visual-tracker evaluate --dataset OTB --tracker csrt --tracker kcf
      visual-tracker evaluate --dataset OTB --tracker csrt --tracker wide=csrt --set wide.padding=4
      visual-tracker evaluate --dataset vot2018 --tracker csrt --supervised --eao-range 100 356
    """
    errors = plain_console(stderr=True)
    marker, markdown = _readme_part(given)
    settings = _settings(errors, given)
    if readme:
        # found out now, not after hours of running
        tables.split_at_markers(readme, marker)
    with _progress(errors) as watch:
        content = evaluate(settings, watch)
    _print_tables(content, verbose)
    if readme:
        tables.write_between_markers(readme, marker, markdown(content))
    if any(tables.failures(content).values()):
        sys.exit(1)


def _readme_part(given: dict[str, Any]) -> tuple[str, Callable[[dict[str, Any]], str]]:
    """Markers in the file of --readme, and what makes the text between them."""
    if given["perturbations"]:
        return PERTURBATIONS_MARKER, _perturbations_markdown
    if (given["tracker_seeds"] or 1) > 1:
        return SEEDS_MARKER, _seeds_markdown
    return README_MARKER, _markdown


def _settings(errors: Console, given: dict[str, Any]) -> Settings:
    """The evaluation's settings from what click collected."""
    candidates, skipped = candidates_from_options(
        given.pop("trackers"), given.pop("devices"), given.pop("settings")
    )
    for reason in skipped:
        errors.print(f"left out: {reason}", highlight=False)
    candidates = _over_seeds(candidates, given.pop("tracker_seeds"))
    options = RunOptions(
        realtime_fps=given.pop("realtime"),
        supervised=given.pop("supervised"),
        threads=given.pop("threads"),
    )
    return Settings(candidates=candidates, options=options, **given)


def _over_seeds(candidates: tuple[Candidate, ...], seeds: int | None) -> tuple[Candidate, ...]:
    """Those that draw at random once for each seed.

    Raises:
        click.UsageError: if none of them does, of which several seeds were asked.
    """
    if not seeds:
        return candidates
    seeded = tuple(one for entry in candidates for one in entry.with_seeds(seeds))
    if seeds > 1 and len(seeded) == len(candidates):
        raise click.UsageError("--tracker-seeds: no tracker here has a seed to vary; leave it out")
    return seeded


@contextmanager
def _progress(console: Console) -> Iterator[Watch]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), console=console)
    task = progress.add_task("sequences")

    def watch(done: int, total: int, result: JobResult | None) -> None:
        # started with the first job: a dataset that cannot be read gives its error alone
        progress.start()
        progress.update(task, completed=done, total=total)
        if result and result.error:
            progress.console.print(
                f"{result.label} failed on {result.sequence}: {result.error}", highlight=False
            )

    try:
        yield watch
    finally:
        if progress.live.is_started:
            progress.stop()


def _print_tables(content: dict[str, Any], verbose: bool) -> None:
    if verbose:
        columns = tables.sequence_columns(content)
        tables.print_table(*tables.sequence_rows(content, columns))
    for table in tables.mean_tables(content):
        tables.print_table(*table)
    for more in (tables.seed_rows(content), tables.perturbation_rows(content, PERTURBATION_KEYS)):
        if more:
            tables.print_table(*more)


def _markdown(content: dict[str, Any]) -> str:
    columns = tables.sequence_columns(content)
    return _captioned(
        content, [*tables.mean_tables(content), tables.sequence_rows(content, columns)]
    )


def _seeds_markdown(content: dict[str, Any]) -> str:
    seeds = tables.seed_rows(content)
    assert seeds is not None  # or the seeds would have been refused
    return _captioned(content, [seeds])


def _perturbations_markdown(content: dict[str, Any]) -> str:
    worse = tables.perturbation_rows(content, PERTURBATION_KEYS)
    assert worse is not None  # some were asked for
    return _captioned(content, [worse])


def _captioned(content: dict[str, Any], shown: list[tuple[tables.Row, list[tables.Row]]]) -> str:
    return "\n\n".join(
        (tables.caption(content), *(tables.markdown_table(*table) for table in shown))
    )
