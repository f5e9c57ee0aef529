"""The command line of `evaluate`, and its tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from test.evaluation.factories import write_otb
from test.marks import needs_nano
from visual_tracker.cli import main
from visual_tracker.cli.options import candidates_from_options
from visual_tracker.evaluation import tables
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.perturbations import KINDS
from visual_tracker.evaluation.sequences import SourceError
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers import TrackerUnavailableError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_otb(tmp_path / "data", "One", 6)
    write_otb(tmp_path / "data", "Two", 5)
    return tmp_path / "data"


def test_evaluate_prints_tables(dataset: Path, tmp_path: Path) -> None:
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "-v"]
    result = run(
        *arguments, "--tracker", "kcf", "--tracker", "easy=kcf", "--set", "easy.detect_thresh=0"
    )
    assert result.exit_code == 0, result.output
    for text in ("success AUC", "ms a frame", "easy", "One", "Two"):
        assert text in result.output


def test_a_failed_sequence_gives_exit_code_1(dataset: Path, tmp_path: Path) -> None:
    (dataset / "One" / "img" / "0003.png").write_bytes(b"")
    result = run("--dataset", dataset, "--output", tmp_path / "out", "--tracker", "kcf")
    assert result.exit_code == 1
    assert "kcf failed on One" in result.output
    assert "0003.png" in result.output.replace("\n", "")


def test_a_failure_under_a_perturbation_gives_exit_code_1_and_is_reported(
    dataset: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--tracker", "mil"]
    assert run(*arguments, "--sequence", "One").exit_code == 0
    # a target of 16 pixels is too small for mil at a quarter of the resolution
    result = run(*arguments, "--sequence", "One", "--perturb", "resolution")
    assert result.exit_code == 1, result.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>mil: failed sequences</h2>" in page
    assert "One (resolution 0.25): BoxError: " in page
    assert "(resolution 0.35)" not in page


def test_the_users_mistakes_are_one_line(dataset: Path, tmp_path: Path) -> None:
    for wrong in (
        ["--dataset", tmp_path / "nowhere", "--tracker", "kcf"],
        ["--dataset", dataset, "--tracker", "kfc"],
        ["--dataset", dataset, "--tracker", "kcf", "--set", "depth=3"],
        ["--dataset", dataset, "--tracker", "nano"],
        ["--dataset", dataset, "--tracker", "kcf", "--sequence", "Three"],
    ):
        result = run(*wrong, "--output", tmp_path / "out")
        assert result.exit_code == 2
        assert result.output.startswith("visual-tracker: error: ")
        assert result.output.count("\n") == 1


@pytest.mark.parametrize("backend", ["nosuch", "multiprocessing"])
def test_a_backend_that_cannot_be_used_is_found_before_anything_is_run(
    dataset: Path, tmp_path: Path, backend: str
) -> None:
    pytest.importorskip("joblib")
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--tracker", "kcf"]
    result = run(*arguments, "--backend", backend)
    assert result.exit_code == 2
    said = f"visual-tracker: error: --backend {backend} cannot be used with joblib "
    assert result.output.startswith(said)
    assert not (tmp_path / "out").exists()


def test_tables_go_between_the_markers_of_a_readme(dataset: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n<!-- evaluation:begin -->\nold\n<!-- evaluation:end -->\nend\n")
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--readme", readme]
    assert run(*arguments, "--tracker", "kcf").exit_code == 0
    once = readme.read_text()
    assert once.startswith("# Title\n<!-- evaluation:begin -->\n2 sequences of data (11 frames)")
    assert "| tracker | success AUC |" in once
    assert "| One | 6 |" in once
    assert once.endswith("<!-- evaluation:end -->\nend\n")
    assert "old" not in once
    assert run(*arguments, "--tracker", "kcf").exit_code == 0
    assert readme.read_text() == once


def test_the_table_over_seeds_has_its_own_place_in_a_readme(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    readme = tmp_path / "README.md"
    readme.write_text(
        "<!-- evaluation:begin -->kept<!-- evaluation:end -->\n"
        "<!-- seeds:begin -->old<!-- seeds:end -->\n"
    )
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--readme", readme]
    short = ("first_positives=40", "first_negatives=80", "first_steps=4", "policy_steps=2")
    settings = [part for setting in short for part in ("--set", setting)]
    result = run(*arguments, "--tracker", "adnet_fast", *settings, "--tracker-seeds", 2)
    assert result.exit_code == 0, result.output
    written = readme.read_text()
    assert "<!-- evaluation:begin -->kept<!-- evaluation:end -->" in written
    assert "old" not in written
    assert "| adnet_fast | 2 | 0." in written
    assert written.count("| tracker |") == 1


def test_the_table_of_worse_images_has_its_own_place_in_a_readme(
    dataset: Path, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "<!-- evaluation:begin -->kept<!-- evaluation:end -->\n"
        "<!-- perturbations:begin -->old<!-- perturbations:end -->\n"
    )
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--readme", readme]
    result = run(*arguments, "--no-report", "--tracker", "kcf", "--perturb", "jpeg")
    assert result.exit_code == 0, result.output
    written = readme.read_text()
    assert "<!-- evaluation:begin -->kept<!-- evaluation:end -->" in written
    assert "old" not in written
    assert "| images | strength | kcf |" in written
    assert written.count("| jpeg | ") == len(KINDS["jpeg"].strengths)
    assert "jpeg" in result.output


def test_seeds_of_trackers_without_one_are_refused_before_anything_is_run(
    dataset: Path, tmp_path: Path
) -> None:
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--tracker", "kcf"]
    result = run(*arguments, "--tracker-seeds", 2)
    assert result.exit_code == 2
    assert "no tracker here has a seed" in result.output
    assert not (tmp_path / "out").exists()
    assert run(*arguments, "--tracker-seeds", 1).exit_code == 0


def test_missing_markers_are_found_before_anything_is_run(dataset: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n")
    arguments = ["--dataset", dataset, "--output", tmp_path / "out", "--readme", readme]
    result = run(*arguments, "--tracker", "kcf")
    assert result.exit_code == 2
    assert "evaluation:begin" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content",
    [
        "nothing",
        "<!-- a:end --><!-- a:begin -->",
        "<!-- a:begin --><!-- a:begin --><!-- a:end -->",
        "<!-- a:begin --><!-- a:end --><!-- a:begin --><!-- a:end -->",
    ],
)
def test_markers_must_be_there_once(tmp_path: Path, content: str) -> None:
    file = tmp_path / "README.md"
    file.write_text(content)
    with pytest.raises(SourceError, match="once each"):
        tables.write_between_markers(file, "a", "text")
    assert file.read_text() == content


def test_text_between_markers_is_taken_literally(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("<!-- a:begin --><!-- a:end -->")
    tables.write_between_markers(file, "a", r"\1 \g<0> | 100 %")
    assert r"\1 \g<0> | 100 %" in file.read_text()


def test_a_readme_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        tables.write_between_markers(tmp_path / "README.md", "a", "text")


def test_candidates_by_label() -> None:
    candidates, skipped = candidates_from_options(
        ("csrt", "wide=csrt"), ("cpu",), ("wide.padding=4", "csrt.padding=2")
    )
    assert [(one.label, one.tracker, one.settings) for one in candidates] == [
        ("csrt", "csrt", {"padding": 2.0}),
        ("wide", "csrt", {"padding": 4.0}),
    ]
    assert skipped == []


def test_devices_by_label() -> None:
    devices = ("cuda:1", "csrt=cpu")
    candidates, _ = candidates_from_options(("csrt", "wide=csrt"), devices, ())
    assert [one.device for one in candidates] == ["cpu", "cuda:1"]
    for wrong, message in ((("cpu", "cuda"), "one --device"), (("mil=cpu",), "labelled mil")):
        with pytest.raises(ParameterError, match=message):
            candidates_from_options(("csrt",), wrong, ())


def test_one_candidate_needs_no_prefix() -> None:
    (candidate,), _ = candidates_from_options(("kcf",), (), ("detect_thresh=0.3",))
    assert candidate.settings == {"detect_thresh": 0.3}


@needs_nano
def test_a_path_with_dots_and_equal_signs_is_a_value() -> None:
    with pytest.raises(TrackerUnavailableError, match=r"a=b\.onnx"):
        candidates_from_options(("n=nano",), (), ("n.backbone=dir.x/a=b.onnx",))


def test_without_names_all_that_can_run_here() -> None:
    candidates, skipped = candidates_from_options((), (), ())
    assert {"csrt", "kcf", "mil"} <= {candidate.label for candidate in candidates}
    assert any(line.startswith("nano: ") for line in skipped)


@pytest.mark.parametrize(
    ("trackers", "settings", "message"),
    [
        (("kcf", "kcf"), (), "labelled kcf"),
        (("a=kcf", "a=mil"), (), "labelled a"),
        (("kcf", "mil"), ("detect_thresh=1",), "LABEL.NAME=VALUE"),
        (("kcf",), ("mil.search_window=9",), "LABEL"),
        (("kcf",), ("kcf.detect_thresh",), "NAME=VALUE"),
    ],
)
def test_options_that_cannot_be_read(trackers: tuple, settings: tuple, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        candidates_from_options(trackers, (), settings)


def test_seeds_are_laid_over_trackers_that_have_one() -> None:
    first, second = Candidate("a", "adnet", {"max_actions": 3}).with_seeds(2)
    assert (first.label, first.settings["seed"]) == ("a", 0)
    assert (second.label, second.settings) == ("a-seed1", {"max_actions": 3, "seed": 1})
    for fixed in (Candidate("kcf", "kcf"), Candidate("b", "adnet", {"seed": 7})):
        assert fixed.with_seeds(3) == (fixed,)


def test_the_spread_over_seeds_is_shown() -> None:
    def entry(auc: float, **parameters: object) -> dict[str, object]:
        mean = {"success_auc": auc, "precision_20": None}
        return {"tracker": "t", "device": "cpu", "parameters": parameters, "mean": mean}

    trackers = {
        "t": entry(0.5, seed=0, masks=False),
        "masked": entry(0.9, seed=0, masks=True),
        "t-seed1": entry(0.6, seed=1, masks=False),
        "t-seed2": entry(0.7, seed=2, masks=False),
    }
    assert tables.seed_rows({"trackers": trackers}) == (
        ["tracker", "seeds", "success AUC"],
        [["t", "3", "0.600 +- 0.100"]],
    )
    assert tables.seed_rows({"trackers": {"masked": trackers["masked"]}}) is None


def test_worse_images_are_a_row_a_strength_and_the_unspoilt_ones_come_once() -> None:
    def scores(auc: float | None) -> dict[str, float | None]:
        return {"success_auc": auc, "false_tracking": auc and auc / 10}

    def curve(unit: str, strengths: list[float], **trackers: list[float | None]) -> object:
        found = {label: [scores(auc) for auc in aucs] for label, aucs in trackers.items()}
        return {"unit": unit, "strengths": strengths, "trackers": found}

    content = {
        "trackers": {"a": {"mean": scores(0.4)}, "b": {"mean": scores(0.5)}},
        "perturbations": {
            "blur": curve("pixels", [0, 2.5], a=[0.4, 0.3], b=[0.5, None]),
            "drops": curve("share", [0, 0.1, 0.2], a=[0.4, 0.2, 0.1], b=[0.5, 0.5, 0.5]),
        },
    }
    keys = ("success_auc", "false_tracking")
    assert tables.perturbation_rows(content, keys) == (
        ["images", "strength", "b", "a"],
        [
            ["none", "", "0.500 / 0.05", "0.400 / 0.04"],
            ["blur", "2.5", "- / -", "0.300 / 0.03"],
            ["drops", "0.1", "0.500 / 0.05", "0.200 / 0.02"],
            ["drops", "0.2", "0.500 / 0.05", "0.100 / 0.01"],
        ],
    )
    assert tables.perturbation_rows({"trackers": content["trackers"]}, keys) is None


def test_names_and_errors_are_no_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(candidate: Candidate) -> None:
        raise RuntimeError("cannot load [/usr/lib/libfoo.so]")

    write_otb(tmp_path / "data", "clip[red]")
    arguments = ["evaluate", "--dataset", str(tmp_path / "data"), "--tracker", "kcf", "-v"]
    arguments += ["--output", str(tmp_path / "out"), "--no-report"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "clip[red]" in result.output
    monkeypatch.setattr(Candidate, "create", broken)
    result = CliRunner().invoke(main, [*arguments, "--fresh"], catch_exceptions=False)
    assert result.exit_code == 1
    assert (
        "kcf failed on clip[red]: RuntimeError: cannot load [/usr/lib/libfoo.so]" in result.output
    )


def test_trackers_are_listed_best_first() -> None:
    means = {"poor": 0.1, "good": 0.9, "none": None}
    content = {
        "trackers": {
            label: {"mean": {"success_auc": value, "ms_per_frame": 1.0}, "errors": {}}
            for label, value in means.items()
        }
    }
    ((headings, rows),) = tables.mean_tables(content)
    assert headings == ["tracker", "success AUC", "ms a frame"]
    assert rows == [["good", "0.900", "1.0"], ["poor", "0.100", "1.0"], ["none", "-", "1.0"]]
    table = tables.markdown_table(headings, rows)
    assert table.splitlines()[:2] == [
        "| tracker | success AUC | ms a frame |",
        "| --- | ---: | ---: |",
    ]
