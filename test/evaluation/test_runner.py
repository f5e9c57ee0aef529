"""Runs on disk: resumable, independent of the number of workers, a failure stops nothing else."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from test.evaluation.factories import (
    ScriptedTracker,
    drawn_sequence,
    moving_boxes,
    rows,
    write_images,
    write_otb,
)
from visual_tracker.evaluation import provenance, runner
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.datasets import DatasetError
from visual_tracker.evaluation.evaluate import Settings, evaluate
from visual_tracker.evaluation.passes import Run, single_pass, supervised_pass
from visual_tracker.evaluation.runner import JobResult, RunOptions
from visual_tracker.evaluation.store import Store
from visual_tracker.parameters import ParameterError
from visual_tracker.sources import SourceError

KCF = Candidate("kcf", "kcf")
CSRT = Candidate("csrt", "csrt")
#: without the report, which has its own tests
quick = partial(Settings, report=False)
SUPERVISED = RunOptions(supervised=True)
SPEED_KEYS = ("ms_per_frame", "ms_p99", "init_ms")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name, frames in (("One", 8), ("Two", 12), ("Three", 6)):
        write_otb(tmp_path / "data", name, frames)
    return tmp_path / "data"


def without_speed(content: dict) -> dict:
    """The figures that may not differ between two evaluations of the same."""
    trackers = json.loads(json.dumps(content["trackers"]))
    for entry in trackers.values():
        for scores in (entry["mean"], *entry["sequences"].values()):
            for key in SPEED_KEYS:
                scores.pop(key, None)
    return trackers


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Lets jobs be written down as they are run."""
    ran: list[tuple[str, str]] = []
    run_job = runner.run_job

    def counted(job: runner.Job) -> JobResult:
        ran.append((job.candidate.label, job.sequence.name))
        return run_job(job)

    monkeypatch.setattr(runner, "run_job", counted)
    return ran


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = single_pass(ScriptedTracker(), drawn_sequence(5, hidden=(2,)))
    run.confidence = [None, 0.25, None, 1.0, 0.0]
    run.lost[3] = True
    store = Store(tmp_path)
    store.save("label", "name", run, {})
    back = store.load("label", "name")
    for field in dataclasses.fields(Run):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(run, field.name))


def test_boxes_are_in_the_text_form_of_otb(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("label", "name", single_pass(ScriptedTracker(), drawn_sequence(2)), {})
    text = (tmp_path / "boxes" / "label" / "name.txt").read_text()
    assert text == "11.0000,21.0000,16.0000,16.0000\n" * 2
    np.testing.assert_array_equal(
        np.loadtxt(tmp_path / "boxes" / "label" / "name.txt", delimiter=","),
        [[11, 21, 16, 16]] * 2,
    )


def test_boxes_of_a_supervised_run_are_in_the_text_form_of_vot(tmp_path: Path) -> None:
    store = Store(tmp_path)
    # the tracker stays where it began while the target leaves to the right
    run = supervised_pass(ScriptedTracker(), drawn_sequence(24))
    store.save("label", "name", run, {})
    lines = (tmp_path / "boxes" / "label" / "name.txt").read_text().splitlines()
    assert lines[0] == "1"
    assert lines[15] == "11.0000,21.0000,16.0000,16.0000"
    assert lines[16:22] == ["2", "0", "0", "0", "0", "1"]
    np.testing.assert_array_equal(store.load("label", "name").phases, run.phases)


def test_damaged_records_say_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("label", "name", single_pass(ScriptedTracker(), drawn_sequence(4)), {})
    store.boxes_file("label", "name").write_text("1,2,3,4\n")
    with pytest.raises(DatasetError, match="--fresh"):
        store.load("label", "name")


def test_finished_sequences_are_not_run_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = count_runs(monkeypatch)
    settings = quick((KCF,), dataset, output=tmp_path / "out")
    first = evaluate(settings)
    assert sorted(ran) == [("kcf", "One"), ("kcf", "Three"), ("kcf", "Two")]
    assert evaluate(settings)["trackers"] == first["trackers"]
    assert len(ran) == 3
    # another tracker beside it, a lost record, and other settings are run
    evaluate(dataclasses.replace(settings, candidates=(KCF, CSRT)))
    assert len(ran) == 6
    Store(tmp_path / "out").record_file("kcf", "One").unlink()
    evaluate(settings)
    assert ran[6:] == [("kcf", "One")]
    evaluate(dataclasses.replace(settings, fresh=True))
    assert len(ran) == 10


@pytest.mark.parametrize(
    "change",
    [
        {"candidates": (Candidate("kcf", "kcf", {"detect_thresh": 0.3}),)},
        {"candidates": (Candidate("kcf", "csrt"),)},
        {"options": RunOptions(supervised=True)},
        {"options": RunOptions(realtime_fps=1000.0)},
        {"virtual_camera": True},
        {"occlude": True},
    ],
)
def test_what_was_run_otherwise_is_run_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict
) -> None:
    settings = quick((KCF,), dataset, only=("One",), output=tmp_path / "out")
    evaluate(settings)
    ran = count_runs(monkeypatch)
    evaluate(dataclasses.replace(settings, **change))
    assert len(ran) == 1


def test_runs_beside_each_other_are_not_taken_for_runs_alone(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("joblib")
    settings = quick((KCF,), dataset, only=("One",), output=tmp_path / "out")
    evaluate(settings)
    ran = count_runs(monkeypatch)
    evaluate(dataclasses.replace(settings, jobs=2, backend="threading"))
    assert len(ran) == 1


def test_other_pictures_under_the_same_names_are_run_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick((KCF,), dataset, output=tmp_path / "out")
    evaluate(settings)
    ran = count_runs(monkeypatch)
    picture = dataset / "One" / "img" / "0002.png"
    picture.write_bytes((dataset / "One" / "img" / "0003.png").read_bytes())
    evaluate(settings)
    assert ran == [("kcf", "One")]


def test_another_clip_cut_in_is_run_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick((KCF,), dataset, only=("One",), output=tmp_path / "out", splice=True)
    evaluate(settings)
    ran = count_runs(monkeypatch)
    for name in ("Two", "Three"):
        write_images(dataset / name / "img", moving_boxes(12 if name == "Two" else 6) + 1)
    evaluate(settings)
    assert ran == [("kcf", "One-spliced")]


@pytest.mark.parametrize("made", ["virtual_camera", "occlude", "perturbations"])
def test_a_first_image_that_cannot_be_read_ends_its_own_sequence(
    dataset: Path, tmp_path: Path, made: str
) -> None:
    (dataset / "Two" / "img" / "0001.png").write_bytes(b"")
    change = {made: ("resolution",) if made == "perturbations" else True}
    content = evaluate(quick((KCF,), dataset, output=tmp_path / "out", **change))
    entry = content["trackers"]["kcf"]
    assert len(entry["sequences"]) == 2
    (error,) = entry["errors"].values()
    assert "0001.png" in error


@pytest.mark.parametrize("name", ["code_digest", "library_versions", "describe_machine"])
def test_other_code_libraries_or_machine_run_everything_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = quick((KCF,), dataset, only=("One",), output=tmp_path / "out")
    evaluate(settings)
    ran = count_runs(monkeypatch)
    room = runner if hasattr(runner, name) else provenance
    monkeypatch.setattr(room, name, lambda: "another")
    evaluate(settings)
    assert len(ran) == 1


def test_a_changed_model_file_is_another_candidate(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(b"one")
    candidate = Candidate("nano", "nano", {"backbone": str(model)})
    before = candidate.describe()
    model.write_bytes(b"another")
    changed = candidate.describe()
    assert changed != before
    (tmp_path / "net.confidence.json").write_text("{}")
    assert candidate.describe() != changed


def test_results_do_not_depend_on_the_number_of_workers(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    settings = quick((KCF, CSRT), dataset, output=tmp_path / "one")
    alone = evaluate(settings)
    together = evaluate(dataclasses.replace(settings, output=tmp_path / "two", jobs=2))
    assert without_speed(alone) == without_speed(together)
    for file in (tmp_path / "one" / "boxes").rglob("*.txt"):
        other = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert other.read_text() == file.read_text()


def test_a_backend_of_joblib_can_be_chosen(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    settings = quick((KCF,), dataset, output=tmp_path / "out", jobs=2, backend="threading")
    assert set(evaluate(settings)["trackers"]["kcf"]["sequences"]) == {"One", "Two", "Three"}


def test_a_tracker_that_raises_does_not_stop_the_rest(dataset: Path, tmp_path: Path) -> None:
    # too small to start on, and an image that cannot be read
    one, two = dataset / "One", dataset / "Two"
    (one / "groundtruth_rect.txt").write_text(rows(np.full((8, 4), 2.0)))
    (two / "img" / "0005.png").write_bytes(b"")
    settings = quick((KCF, CSRT), dataset, output=tmp_path / "out")
    heard: list[tuple[int, int]] = []
    content = evaluate(settings, lambda done, total, _: heard.append((done, total)))
    assert heard == [(done, 6) for done in range(7)]
    for entry in content["trackers"].values():
        assert set(entry["sequences"]) == {"Three"}
        assert entry["errors"]["One"].startswith("BoxError: ")
        assert "0005.png" in entry["errors"]["Two"]
        assert entry["mean"]["frames"] == 6
    # what failed is tried again
    write_otb(dataset, "Two", 12)
    assert set(evaluate(settings)["trackers"]["kcf"]["errors"]) == {"One"}


def test_an_output_that_cannot_be_written_is_found_out_before_anything_is_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = count_runs(monkeypatch)
    (tmp_path / "out").touch()
    with pytest.raises(SourceError, match="out cannot be written into"):
        evaluate(quick((KCF,), dataset, output=tmp_path / "out"))
    assert ran == []


def test_a_run_that_cannot_be_stored_is_no_failure_of_its_tracker(
    dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "boxes").touch()
    with pytest.raises(OSError, match="boxes"):
        evaluate(quick((KCF,), dataset, output=tmp_path / "out"))


def test_any_exception_of_a_tracker_is_reported(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int, last: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(Candidate, "create", lambda self: ScriptedTracker(broken))
    content = evaluate(quick((KCF,), dataset, only=("One",), output=tmp_path / "out"))
    assert content["trackers"]["kcf"]["errors"] == {"One": "ZeroDivisionError: first line"}
    assert content["trackers"]["kcf"]["mean"] == {}


def test_keys_of_the_results(dataset: Path, tmp_path: Path) -> None:
    evaluate(quick((KCF,), dataset, output=tmp_path / "out"))
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    entry = content["trackers"]["kcf"]
    for scores in (entry["mean"], entry["sequences"]["One"]):
        for key in ("success_auc", "precision_20", "norm_precision", "ao", "sr_50", "sr_75"):
            assert 0 <= scores[key] <= 1
        assert 0 <= scores["lt_f_score"] <= 1
        assert 0 < scores["ms_per_frame"] <= scores["ms_p99"]
    assert content["dataset"]["sequences"] == {"One": 8, "Three": 6, "Two": 12}
    assert entry["parameters"]["detect_thresh"] == 0.2


def test_the_mean_is_over_sequences(dataset: Path, tmp_path: Path) -> None:
    content = evaluate(quick((KCF,), dataset, output=tmp_path / "out"))
    entry = content["trackers"]["kcf"]
    values = [scores["success_auc"] for scores in entry["sequences"].values()]
    assert entry["mean"]["success_auc"] == pytest.approx(sum(values) / 3)
    assert entry["mean"]["frames"] == 26


def test_supervised_evaluation(dataset: Path, tmp_path: Path) -> None:
    options = RunOptions(supervised=True)
    settings = quick((KCF,), dataset, output=tmp_path / "out", options=options, eao_range=(2, 5))
    mean = evaluate(settings)["trackers"]["kcf"]["mean"]
    assert (mean["eao_low"], mean["eao_high"]) == (2, 5)
    assert 0 <= mean["eao"] <= 1
    assert 0 < mean["vot_robustness"] <= 1


def test_perturbation_curves(dataset: Path, tmp_path: Path) -> None:
    kinds = ("blur", "drops")
    settings = quick((KCF,), dataset, output=tmp_path / "out", perturbations=kinds)
    content = evaluate(settings)
    for kind in kinds:
        curve = content["perturbations"][kind]
        means = curve["trackers"]["kcf"]
        assert len(curve["strengths"]) == len(means) == 5
        assert means[0] == content["trackers"]["kcf"]["mean"]
    assert evaluate(settings)["perturbations"] == content["perturbations"]  # resumed


def test_a_curve_has_no_figure_where_a_tracker_failed(dataset: Path, tmp_path: Path) -> None:
    boxes = moving_boxes(5, side=24)
    write_images(dataset / "Large" / "img", boxes)
    (dataset / "Large" / "groundtruth_rect.txt").write_text(rows(boxes, 1))
    settings = quick(
        (Candidate("mil", "mil"),), dataset, only=("One", "Large"), output=tmp_path / "out",
        perturbations=("resolution",),
    )  # fmt: skip
    curve = evaluate(settings)["perturbations"]["resolution"]
    # mil starts on 5 pixels or more; at .25 the target of One has 4 and that of Large 6
    *before, last = curve["errors"]["mil"]
    assert before == [{}] * 4
    assert list(last) == ["One"]
    assert last["One"].startswith("BoxError: ")
    *figures, missing = (mean["success_auc"] for mean in curve["trackers"]["mil"])
    assert all(figure > 0 for figure in figures)
    assert missing is None


def test_splicing_takes_clips_from_the_whole_dataset(dataset: Path, tmp_path: Path) -> None:
    settings = quick((KCF,), dataset, only=("One",), output=tmp_path / "out", splice=True)
    content = evaluate(settings)
    assert list(content["dataset"]["sequences"]) == ["One-spliced"]
    assert content["trackers"]["kcf"]["mean"]["absences"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": ()}, "no tracker"),
        ({"candidates": (KCF, KCF)}, "two trackers are labelled kcf"),
        ({"jobs": 0}, "1 or more"),
        ({"options": RunOptions(threads=0)}, "1 or more"),
        ({"options": RunOptions(realtime_fps=0.0)}, "greater than zero"),
        ({"options": RunOptions(realtime_fps=30.0), "jobs": 2}, "--jobs 1"),
        ({"splice": True, "virtual_camera": True}, "exclude each other"),
        ({"eao_range": (2, 5)}, "add --supervised"),
        ({"options": SUPERVISED, "eao_range": (5, 2)}, "the shorter length first"),
        ({"options": SUPERVISED, "eao_range": (-2, 5)}, "1 or more"),
    ],
)
def test_settings_that_cannot_be_run(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        dataclasses.replace(Settings((KCF,), tmp_path), **change)


@pytest.mark.parametrize("label", ["", "a/b", "a.b"])
def test_labels_name_files(label: str) -> None:
    with pytest.raises(ParameterError, match="label"):
        Candidate(label, "kcf")
