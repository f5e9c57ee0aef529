"""Results as tables: for the terminal, and as Markdown between markers of a README."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from rich.table import Table

from visual_tracker.console import plain_console
from visual_tracker.sources import SourceError

BEGIN = "<!-- {name}:begin -->"
END = "<!-- {name}:end -->"

#: key -> heading and format of a column; a column without a single value is left out
ACCURACY_COLUMNS = {
    "success_auc": ("success AUC", ".3f"),
    "precision_20": ("precision 20 px", ".3f"),
    "norm_precision": ("norm. precision", ".3f"),
    "ao": ("AO", ".3f"),
    "sr_50": ("SR.5", ".3f"),
    "sr_75": ("SR.75", ".3f"),
    "vot_accuracy": ("accuracy", ".3f"),
    "vot_failures": ("failures", "d"),
    "vot_robustness": ("robustness", ".3f"),
    "eao": ("EAO", ".3f"),
    "ms_per_frame": ("ms a frame", ".1f"),
    "ms_p99": ("ms p99", ".1f"),
}
LONG_TERM_COLUMNS = {
    "lt_precision": ("long-term precision", ".3f"),
    "lt_recall": ("recall", ".3f"),
    "lt_f_score": ("F-score", ".3f"),
    "false_lost": ("false lost", ".2f"),
    "false_tracking": ("false tracking", ".2f"),
    "absences": ("absences", "d"),
    "found_again": ("found again", "d"),
    "found_soon": ("within 10 frames", "d"),
    "frames_to_recovery": ("frames to recovery", ".1f"),
    "lost_while_absent": ("lost while absent", ".2f"),
    "resumptions": ("resumptions", "d"),
    "wrong_resumptions": ("wrong ones", "d"),
}
COLUMNS = ACCURACY_COLUMNS | LONG_TERM_COLUMNS
#: what is worth a mean and a spread over seeds
SEED_COLUMNS = ("success_auc", "precision_20", "norm_precision", "ao", "eao", "ms_per_frame")
#: left out where no target ever goes away
ABSENCE_COLUMNS = (
    "absences",
    "found_again",
    "found_soon",
    "frames_to_recovery",
    "lost_while_absent",
)

Row = list[str]


def mean_tables(content: dict[str, Any]) -> list[tuple[Row, list[Row]]]:
    """Headings and rows of the tables of means: accuracy and speed, and losing and finding.

    The trackers stand in the order of :func:`ranked`; a table without a value is left out.

    Args:
        content: of results.json.
    """
    found = []
    for columns in (ACCURACY_COLUMNS, LONG_TERM_COLUMNS):
        keys = _used_columns(content, list(columns))
        if keys:
            found.append(_mean_rows(content, keys))
    return found


def _mean_rows(content: dict[str, Any], keys: list[str]) -> tuple[Row, list[Row]]:
    trackers = content["trackers"]
    failed = any(entry["errors"] for entry in trackers.values())
    headings = ["tracker", *(COLUMNS[key][0] for key in keys), *(["failed"] if failed else [])]
    rows = []
    for label in ranked(content):
        entry = trackers[label]
        row = [label, *(_cell(entry["mean"], key) for key in keys)]
        rows.append([*row, str(len(entry["errors"]))] if failed else row)
    return headings, rows


def seed_rows(content: dict[str, Any]) -> tuple[Row, list[Row]] | None:
    """Headings and one row for each tracker that was run with several seeds, None without such.

    Cells are mean and standard deviation (n - 1) over the seeds of the means over sequences.

    Args:
        content: of results.json.
    """
    keys = [key for key in _used_columns(content, list(ACCURACY_COLUMNS)) if key in SEED_COLUMNS]
    groups = {label: means for label, means in _seed_groups(content).items() if len(means) > 1}
    if not groups:
        return None
    rows = [
        [label, str(len(means)), *(_spread(means, key) for key in keys)]
        for label, means in groups.items()
    ]
    return ["tracker", "seeds", *(COLUMNS[key][0] for key in keys)], rows


def _seed_groups(content: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Means of the trackers that differ in nothing but their seed, by the first one's label."""
    found: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for label, entry in content["trackers"].items():
        settings = {name: value for name, value in entry["parameters"].items() if name != "seed"}
        kind = repr((entry["tracker"], entry["device"], sorted(settings.items())))
        found.setdefault(kind, (label, []))[1].append(entry["mean"])
    return dict(found.values())


def _spread(means: list[dict[str, Any]], key: str) -> str:
    values = [mean[key] for mean in means if mean.get(key) is not None]
    if len(values) < 2:
        return "-"
    shown = COLUMNS[key][1]
    return f"{statistics.mean(values):{shown}} +- {statistics.stdev(values):{shown}}"


def sequence_rows(content: dict[str, Any], keys: tuple[str, ...]) -> tuple[Row, list[Row]]:
    """Headings and one row a sequence, with the values of `keys` for each tracker in one cell.

    Args:
        content: of results.json.
        keys: of COLUMNS.
    """
    trackers = content["trackers"]
    labels = ranked(content)
    rows = []
    for name, frames in content["dataset"]["sequences"].items():
        cells = []
        for label in labels:
            scores = trackers[label]["sequences"].get(name)
            cells.append(_cells(scores, keys) if scores else "failed")
        rows.append([name, str(frames), *cells])
    return ["sequence", "frames", *labels], rows


def perturbation_rows(
    content: dict[str, Any], keys: tuple[str, ...]
) -> tuple[Row, list[Row]] | None:
    """Headings and one row for each perturbation and strength, None without any.

    The first row is without a perturbation. A cell has the means of `keys`; "-" where a sequence
    failed.

    Args:
        content: of results.json.
        keys: of COLUMNS.
    """
    curves = content.get("perturbations")
    if not curves:
        return None
    labels = ranked(content)

    def cells(curve: dict[str, Any], index: int) -> Row:
        return [_cells(curve["trackers"][label][index], keys) for label in labels]

    # the first strength is the neutral one, the same run for all kinds
    rows = [["none", "", *cells(next(iter(curves.values())), 0)]]
    for kind, curve in curves.items():
        for index, strength in list(enumerate(curve["strengths"]))[1:]:
            rows.append([kind, f"{strength:g}", *cells(curve, index)])
    return ["images", "strength", *labels], rows


def failures(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What trackers raised, by label and sequence; a perturbation's with its kind and strength.

    Args:
        content: of results.json.
    """
    found = {label: dict(entry["errors"]) for label, entry in content["trackers"].items()}
    for kind, curve in content.get("perturbations", {}).items():
        for label, by_strength in curve["errors"].items():
            # the first strength is the neutral one, whose errors are those without a perturbation
            for strength, errors in list(zip(curve["strengths"], by_strength, strict=True))[1:]:
                for name, error in errors.items():
                    found[label][f"{name} ({kind} {strength:g})"] = error
    return found


def caption(content: dict[str, Any]) -> str:
    """One paragraph on what the tables were measured on."""
    dataset, settings, machine = content["dataset"], content["settings"], content["machine"]
    frames = sum(dataset["sequences"].values())
    conditions = ", ".join(
        f"{key.replace('_', ' ')} {value}"
        for key, value in settings.items()
        if value is not None and value is not False
    )
    return (
        f"{len(dataset['sequences'])} sequences of {dataset['name']} ({frames} frames), "
        f"{conditions}; {machine['processor']}, {machine['cores']} cores, "
        f"OpenCV {machine['opencv']}, Python {machine['python']}; {content['date']}."
    )


def sequence_columns(content: dict[str, Any]) -> tuple[str, ...]:
    """Keys that go into each cell of the table of sequences."""
    if content["settings"]["supervised"]:
        return ("vot_accuracy", "vot_failures")
    return ("success_auc", "precision_20")


def ranked(content: dict[str, Any]) -> list[str]:
    """Labels from the best to the worst, by success AUC, or EAO of a supervised run."""

    def quality(label: str) -> float:
        mean = content["trackers"][label]["mean"]
        value = mean.get("success_auc", mean.get("eao"))
        return -1.0 if value is None else value

    return sorted(content["trackers"], key=quality, reverse=True)


def print_table(headings: Row, rows: list[Row]) -> None:
    """Print a table on the terminal, or uncut where the output is no terminal."""
    plain_console().print(terminal_table(headings, rows))


def terminal_table(headings: Row, rows: list[Row]) -> Table:
    """A table for the terminal, numbers to the right."""
    table = Table()
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(headings: Row, rows: list[Row]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows))


def write_between_markers(path: Path, name: str, text: str) -> None:
    """Replace what stands between the lines `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    Args:
        path: of a text file that has both markers once, in order.
        name: of the markers.
        text: what to put between them.

    Raises:
        SourceError: if the file cannot be read or lacks the markers.
    """
    before, after = split_at_markers(path, name)
    begin, end = BEGIN.format(name=name), END.format(name=name)
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def split_at_markers(path: Path, name: str) -> tuple[str, str]:
    """The text before and after the part between the markers.

    Raises:
        SourceError: if the file cannot be read or lacks the markers.
    """
    begin, end = BEGIN.format(name=name), END.format(name=name)
    try:
        content = path.read_text()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}") from None
    before, found, rest = content.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end) or (content.count(begin), content.count(end)) != (1, 1):
        raise SourceError(f"{path} needs the lines {begin} and {end} once each, in this order")
    return before, after


def _used_columns(content: dict[str, Any], keys: list[str]) -> list[str]:
    means = [entry["mean"] for entry in content["trackers"].values()]
    absences = any(mean.get("absences") for mean in means)
    return [
        key
        for key in keys
        if any(mean.get(key) is not None for mean in means)
        and (absences or key not in ABSENCE_COLUMNS)
    ]


def _cells(scores: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Several values in one cell."""
    return " / ".join(_cell(scores, key) for key in keys)


def _cell(scores: dict[str, Any], key: str) -> str:
    value = scores.get(key)
    return "-" if value is None else format(value, COLUMNS[key][1])
