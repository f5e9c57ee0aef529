"""What is remembered and what is forgotten."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.online.bank import SampleBank, Samples  # noqa: E402


def samples(value: int, count: int = 2) -> Samples:
    return Samples(torch.full((count, 3), float(value)), torch.full((count,), value))


def values(found: Samples | None) -> list[int]:
    assert found is not None
    assert found.features[:, 0].tolist() == found.labels.tolist()
    return found.labels.tolist()


def test_the_last_frames_are_given_oldest_first() -> None:
    bank = SampleBank(3, 2)
    for frame in range(5):
        bank.add(frame, samples(frame, 1), samples(10 + frame, 1))
    assert values(bank.positives()) == [2, 3, 4]
    assert values(bank.positives(2)) == [3, 4]
    assert values(bank.positives(9)) == [2, 3, 4]
    assert values(bank.negatives()) == [13, 14]
    assert len(bank) == 3


def test_frames_without_samples_take_no_place() -> None:
    bank = SampleBank(2, 2)
    bank.add(0, samples(0), None)
    bank.add(1, samples(1, 0), samples(5))
    bank.add(7, samples(7))
    assert values(bank.positives()) == [0, 0, 7, 7]
    assert values(bank.negatives()) == [5, 5]


def test_empty_and_cleared_banks_have_nothing() -> None:
    bank = SampleBank()
    assert bank.positives() is None
    bank.add(3, samples(1), samples(2))
    bank.clear()
    assert bank.negatives() is None
    bank.add(0, samples(1))
    assert values(bank.positives()) == [1, 1]


def test_time_goes_forward() -> None:
    bank = SampleBank()
    bank.add(4, samples(0))
    with pytest.raises(ValueError, match="frame 4 comes after"):
        bank.add(4, samples(0))
