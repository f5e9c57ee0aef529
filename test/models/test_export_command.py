"""`visual-tracker export`: the files, what runs them, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from visual_tracker.cli import main  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.models.torch_matchers import TorchProposalMatcher, load_network  # noqa: E402


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.pt"
    torch.manual_seed(0)
    torch.save(create_network("siamrpn", "lite").state_dict(), path)
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["export", *map(str, arguments)])
    return result.exit_code, result.output


def test_onnx_with_free_sizes(weights: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "deep" / "lite"
    code, output = run("siamrpn-lite", "--weights", weights, "--output", folder)
    assert code == 0, output
    assert json.loads((folder / "network.json").read_text())["geometry"]["search_size"] == 257
    graph = onnx.load(folder / "search.onnx").graph
    image = next(entry for entry in graph.input if entry.name == "image")
    dimensions = [entry.dim_param or entry.dim_value for entry in image.type.tensor_type.shape.dim]
    assert dimensions == ["batch", "height", "width", 3]
    assert [entry.name for entry in graph.output] == ["scores", "deltas", "embedding"]
    # TensorRT takes bytes only as far as a cast
    assert [node.op_type for node in graph.node if "image" in node.input] == ["Cast"]


def test_onnx_with_one_size(weights: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    arguments = ("--weights", weights, "--search-size", 273, "--output", tmp_path)
    code, output = run("siamrpn-lite", *arguments)
    assert code == 0, output
    graph = onnx.load(tmp_path / "search.onnx").graph
    shapes = {
        entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        for entry in (*graph.input, *graph.output)
    }
    assert shapes["image"] == [1, 273, 273, 3]
    assert shapes["scores"] == [1, 1, 16, 16]


def test_torchscript_gives_what_torch_gives(weights: Path, tmp_path: Path) -> None:
    arguments = ("--weights", weights, "--format", "torchscript", "--output", tmp_path)
    code, output = run("siamrpn-lite", *arguments)
    assert code == 0, output
    random = np.random.default_rng(0)
    image, crop = (random.integers(0, 256, (s, s, 3), np.uint8) for s in (129, 289))
    template, search = (torch.jit.load(tmp_path / f"{name}.pt") for name in ("template", "search"))
    with torch.inference_mode():
        learned = template(torch.from_numpy(image)[None])
        scores, deltas, embedding = search(torch.from_numpy(crop)[None], *learned)
    matcher = TorchProposalMatcher(load_network("siamrpn", "lite", weights), "cpu")
    expected = matcher.respond(matcher.learn(image), crop)
    for found, reference in zip((scores, deltas, embedding), expected, strict=True):
        np.testing.assert_allclose(found[0].numpy(), reference, atol=1e-4 * np.abs(reference).max())


@pytest.mark.parametrize(
    ("network", "crops", "size"), [("memtrack-lite", 3, 257), ("re3-lite", 2, 129)]
)
def test_torchscript_of_a_network_that_remembers_takes_its_own_state_again(
    network: str, crops: int, size: int, tmp_path: Path
) -> None:
    code, output = run(network, "--format", "torchscript", "--output", tmp_path)
    assert code == 0, output
    random = np.random.default_rng(0)
    image, images = (
        torch.from_numpy(random.integers(0, 256, (count, side, side, 3), np.uint8))
        for count, side in ((1, 129), (crops, size))
    )
    template, search = (torch.jit.load(tmp_path / f"{name}.pt") for name in ("template", "search"))
    with torch.inference_mode():
        state = template(image)
        first, seen = (state[:1], state[:1]) if network == "memtrack-lite" else ((), ())
        answer, *after = search(images, *state, *seen)
        again, *_ = search(images, *first, *after, *seen)
    assert answer.shape == again.shape == ((3, 27, 27) if crops == 3 else (1, 4))
    # it remembers: the same crops are answered otherwise
    assert not torch.allclose(answer, again, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg"], "siamfc-NAME, cfnet-NAME, memtrack-NAME or re3-NAME"),
        (["siamrpn-vgg"], "there is no siamrpn network 'vgg'"),
        (["siamrpn-alexnet-vot"], "give --weights FILE"),
        (["siamrpn-lite", "--search-size", "wide"], "write a number or 'dynamic'"),
        (["siamrpn-lite", "--weights", "/no/such.file"], "/no/such.file is no file"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    code, output = run(*arguments, "--output", tmp_path)
    assert code == 2
    assert message in output
    assert output.count("\n") == 1


def test_a_search_size_off_the_grid_names_those_that_fit(weights: Path, tmp_path: Path) -> None:
    arguments = ("--weights", weights, "--search-size", 260, "--output", tmp_path)
    code, output = run("siamrpn-lite", *arguments)
    assert code == 2
    assert "--search-size: a search size of 260 does not fit; use 257" in output
