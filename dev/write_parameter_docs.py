"""Writes config/tracker.yaml and docs/parameters.md from the parameter dataclasses.

Run it after a change to one: .venv/bin/python dev/write_parameter_docs.py. A test compares.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from visual_tracker.parameters import Parameters, ParameterSpec
from visual_tracker.ros.node_parameters import NodeParameters
from visual_tracker.trackers import tracker_class, tracker_names

ROOT = Path(__file__).resolve().parent.parent

YAML_HEAD = """\
# Every parameter of tracker_node with its default. Written by dev/write_parameter_docs.py; for your
# own, copy what you change into a file of yours and give it as params_file:=YOURS.yaml.
/**:
  ros__parameters:
"""

DOC_HEAD = """\
# Parameters

Written by `dev/write_parameter_docs.py` from the dataclasses that the library, the command line and
the node share. On the node a tracker's parameters carry its name (`csrt.padding`), on the command
line they are set with `--set padding=2.5`, in Python `create_tracker("csrt", padding=2.5)`.
"""


def yaml_text() -> str:
    """The text of config/tracker.yaml."""
    lines = [YAML_HEAD.rstrip("\n")]
    lines += _yaml_group(NodeParameters, indent=4)
    for name in tracker_names():
        lines += ["", f"    {name}:"]
        lines += _yaml_group(tracker_class(name).parameters_class, indent=6)
    return "\n".join(lines) + "\n"


def markdown_text() -> str:
    """The text of docs/parameters.md."""
    parts = [DOC_HEAD, "## tracker_node\n", _table(NodeParameters)]
    for name in tracker_names():
        cls = tracker_class(name)
        parts += [f"## {name}\n", f"{cls.summary}.\n", _table(cls.parameters_class)]
    return "\n".join(parts)


def _yaml_group(parameters: type[Parameters], indent: int) -> list[str]:
    lines = []
    for spec in parameters.specs():
        comment = f"{spec.description} [{spec.range_text()}; {spec.applies.value}]"
        prefix = " " * indent + "# "
        lines += textwrap.wrap(comment, 100, initial_indent=prefix, subsequent_indent=prefix)
        lines.append(f"{' ' * indent}{spec.name}: {json.dumps(spec.default)}")
    return lines


def _table(parameters: type[Parameters]) -> str:
    rows = ["| Name | Default | Values | A change applies | |", "|---|---|---|---|---|"]
    return "\n".join(rows + [_row(spec) for spec in parameters.specs()]) + "\n"


def _row(spec: ParameterSpec) -> str:
    values = spec.range_text().replace("|", "\\|")
    default = json.dumps(spec.default)
    return f"| `{spec.name}` | `{default}` | {values} | {spec.applies.value} | {spec.description} |"


if __name__ == "__main__":
    (ROOT / "config" / "tracker.yaml").write_text(yaml_text())
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "parameters.md").write_text(markdown_text())
