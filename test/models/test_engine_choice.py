"""Which engine is taken: the best installed, or the one asked for, or a clear refusal."""

from __future__ import annotations

import importlib.util

import pytest

from visual_tracker.models.engines import choice, onnxruntime, openvino, processor
from visual_tracker.models.engines.base import EngineError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is installed; the test fills it."""
    names: set[str] = set()
    find = importlib.util.find_spec

    def find_spec(name: str) -> object:
        return name in names or None if name in ("openvino", "onnxruntime") else find(name)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    monkeypatch.setattr(openvino, "best_precision", lambda: "bf16")
    return names


def tried(engine: str = "auto", precision: str = "auto", device: str = "cpu") -> list[str]:
    return [f"{c.name} {c.precision}" for c in choice.choices(engine, precision, device)]


def test_auto_takes_the_fastest_installed_and_torch_last(installed: set[str]) -> None:
    assert tried() == ["torch fp32"]
    installed.add("onnxruntime")
    assert tried() == ["onnxruntime fp32", "torch fp32"]
    installed.add("openvino")
    assert tried() == ["openvino bf16", "onnxruntime fp32", "torch fp32"]


def test_an_engine_that_does_not_start_is_passed_over(
    installed: set[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise EngineError("OpenVINO does not start: no libtbb.so")

    installed |= {"openvino", "onnxruntime"}
    monkeypatch.setattr(openvino, "best_precision", broken)
    assert tried() == ["onnxruntime fp32", "torch fp32"]
    assert "no libtbb.so" in caplog.text
    with pytest.raises(EngineError, match="does not start"):
        tried("openvino")


def test_a_precision_leaves_out_engines_that_lack_it(installed: set[str]) -> None:
    installed |= {"openvino", "onnxruntime"}
    assert tried(precision="bf16") == ["openvino bf16", "torch bf16"]
    assert tried(precision="fp32") == ["openvino fp32", "onnxruntime fp32", "torch fp32"]


def test_a_gpu_is_torchs(installed: set[str]) -> None:
    installed.add("openvino")
    assert tried(device="cuda") == ["torch bf16"]
    with pytest.raises(EngineError, match="runs on the CPU only; use torch on 'cuda:1'"):
        tried("openvino", device="cuda:1")


def test_the_engine_named_is_the_only_one(installed: set[str]) -> None:
    assert tried("onnxruntime") == ["onnxruntime fp32"]
    assert tried("torch", "bf16") == ["torch bf16"]
    with pytest.raises(EngineError, match="'onnxruntime' has no precision bf16; it has fp32"):
        tried("onnxruntime", "bf16")


def test_what_is_missing_is_named_with_its_extra(installed: set[str]) -> None:
    assert choice.missing_module("openvino") == "openvino"
    assert choice.extra_of("openvino") == "openvino"
    assert choice.missing_module("onnxruntime") == "onnxruntime"
    assert choice.extra_of("onnxruntime") == "onnx"
    assert choice.missing_module("auto") is None
    assert not choice.installed_engine()
    installed.add("openvino")
    assert choice.installed_engine()


def test_bf16_on_a_processor_without_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(openvino, "_multiplies_bf16", lambda: False)
    assert openvino.best_precision() == "fp32"
    with pytest.raises(EngineError, match="no bf16"):
        openvino.load(tmp_path, "bf16", 1)  # type: ignore[arg-type]
    assert onnxruntime.best_precision() == "fp32"


@pytest.mark.parametrize(("gains", "precision"), [(True, "bf16"), (False, "fp32")])
def test_bf16_is_taken_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, gains: bool, precision: str
) -> None:
    monkeypatch.setattr(openvino, "_multiplies_bf16", lambda: True)
    monkeypatch.setattr(openvino, "gains_by_bf16", lambda: gains)
    assert openvino.best_precision() == precision


@pytest.mark.parametrize(
    ("vendor", "flags", "gains"),
    [
        ("GenuineIntel", "fma avx512_bf16 amx_bf16 amx_tile", True),
        ("GenuineIntel", "fma avx512_bf16 avx512_fp16", False),
        ("AuthenticAMD", "fma avx512_bf16", True),
        ("AuthenticAMD", "fma avx2", False),
    ],
)
def test_which_processors_gain_by_bf16(vendor: str, flags: str, gains: bool) -> None:
    one = f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n"
    assert processor._says_gain(f"{one}\n{one}") is gains


def test_an_unknown_processor_gains_nothing() -> None:
    assert not processor._says_gain("Features : fp asimd bf16\n")
