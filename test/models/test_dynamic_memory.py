"""The memory of templates: its formulas written out, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.dynamic_memory import DynamicMemory  # noqa: E402
from visual_tracker.models.lstm import NormedLstmCell  # noqa: E402
from visual_tracker.models.memtrack import LiteMemTrack  # noqa: E402

C, K, S, H = 5, 3, 4, 6


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    result = layer.weight.detach().double().numpy() @ x
    return result if layer.bias is None else result + layer.bias.detach().double().numpy()


def normed(norm: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    scale, shift = (part.detach().double().numpy() for part in (norm.weight, norm.bias))
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * scale + shift


def lstm(cell: NormedLstmCell, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple:
    parts = linear(cell.gates, np.concatenate([x, h])).reshape(4, -1)
    enter, keep, new, out = (normed(n, p) for n, p in zip(cell.norms, parts, strict=True))
    c = c * sigmoid(keep) + sigmoid(enter) * np.tanh(new)
    return sigmoid(out) * np.tanh(normed(cell.cell_norm, c)), c


def one_frame(memory: DynamicMemory, state: dict, written: np.ndarray, search: np.ndarray) -> tuple:
    """A frame of one target, place by place and slot by slot."""
    share = state["write"]
    slots = np.stack(
        [slot * (1 - w) + w * written for slot, w in zip(state["slots"], share, strict=True)]
    )
    rows, columns = search.shape[1] - K + 1, search.shape[2] - K + 1
    places = [
        search[:, i : i + K, j : j + K].mean(axis=(1, 2))
        for i in range(rows) for j in range(columns)
    ]  # fmt: skip
    query = linear(memory.look_for, state["hidden"])
    scores = [
        linear(memory.attention, np.tanh(linear(memory.look_at, p) + query))[0] for p in places
    ]
    seen = sum(weight * p for weight, p in zip(softmax(np.array(scores)), places, strict=True))
    hidden, cell = lstm(memory.controller, seen, state["hidden"], state["cell"])
    key = linear(memory.key, hidden)
    cosines = []
    for slot in slots:
        own = slot.mean(axis=(1, 2))
        cosines.append(own @ key / np.sqrt(own @ own * (key @ key) + 1e-6))
    strength = 1 + np.log1p(np.exp(linear(memory.strength, hidden)[0]))
    read = softmax(np.array(cosines) * strength)
    found = sum(weight * slot for weight, slot in zip(read, slots, strict=True))
    gate = sigmoid(linear(memory.residual, hidden))
    template = state["first"] + gate[:, None, None] * found
    _, to_read, to_unused = softmax(linear(memory.choice, hidden))
    unused = np.eye(S)[state["usage"].argmin()]
    usage = 0.99 * state["usage"] + read + to_read * read + to_unused * unused
    write = sigmoid(linear(memory.decay, hidden)) * to_read * read + to_unused * unused
    after = {
        "first": state["first"], "slots": slots, "usage": usage, "write": write,
        "hidden": hidden, "cell": cell,
    }  # fmt: skip
    return template, after


@pytest.fixture
def memory() -> DynamicMemory:
    torch.manual_seed(0)
    made = DynamicMemory(C, K, slots=S, hidden=H)
    for parameter in made.parameters():
        # no weight may be one that hides a mistake, as a norm's ones and zeros do
        torch.nn.init.normal_(parameter, std=0.7)
    return made


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_it_is_the_papers_formulas_written_out(memory: DynamicMemory) -> None:
    firsts = random(2, C, K, K, seed=1)
    state = memory.begin(firsts)
    states = [
        {name: part[b].double().numpy() for name, part in state._asdict().items()}
        for b in range(2)
    ]  # fmt: skip
    for frame in range(6):
        written, search = random(2, C, K, K, seed=10 + frame), random(2, C, 6, 5, seed=20 + frame)
        templates, state = memory(state, written, search)
        for b in range(2):
            expected, states[b] = one_frame(
                memory, states[b], written[b].double().numpy(), search[b].double().numpy()
            )
            assert templates[b].numpy() == pytest.approx(expected, abs=1e-4)
            for name, part in state._asdict().items():
                assert part[b].numpy() == pytest.approx(states[b][name], abs=1e-4), name


@torch.no_grad()
def test_the_first_frame_lies_in_the_first_slot(memory: DynamicMemory) -> None:
    first = random(1, C, K, K)
    state = memory.begin(first)
    assert state.slots.abs().max() == 0
    _, after = memory(state, first, random(1, C, 5, 5))
    assert torch.equal(after.slots[:, 0], first)
    assert after.slots[:, 1:].abs().max() == 0


@torch.no_grad()
def test_what_is_written_goes_to_the_slots_that_the_controller_chose(
    memory: DynamicMemory,
) -> None:
    slots, new = random(1, S, C, K, K), random(1, C, K, K, seed=1)
    write = torch.tensor([[0.0, 1.0, 0.25, 0.0]])
    begun = memory.begin(random(1, C, K, K))
    _, after = memory(begun._replace(slots=slots, write=write), new, random(1, C, 5, 5))
    expected = [slots[0, 0], new[0], 0.75 * slots[0, 2] + 0.25 * new[0], slots[0, 3]]
    assert torch.allclose(after.slots[0], torch.stack(expected))


@torch.no_grad()
def test_an_unused_slot_is_taken_before_a_used_one(memory: DynamicMemory) -> None:
    memory.choice.bias.copy_(torch.tensor([-50.0, -50.0, 50.0]))
    state = memory.begin(random(1, C, K, K))
    taken = []
    for frame in range(S - 1):
        _, state = memory(state, random(1, C, K, K, seed=frame), random(1, C, 5, 5, seed=frame))
        taken.append(int(state.write.argmax()))
        assert float(state.write.max()) == pytest.approx(1)
    # the first slot holds the first frame
    assert sorted(taken) == list(range(1, S))


@torch.no_grad()
def test_a_closed_gate_leaves_the_first_template() -> None:
    memory = DynamicMemory(C, K, slots=S, hidden=H)
    memory.residual.bias.fill_(-50)
    memory.residual.weight.zero_()
    first = random(1, C, K, K)
    template, _ = memory(memory.begin(first), random(1, C, K, K, seed=1), random(1, C, 5, 5))
    assert torch.allclose(template, first)


def test_a_late_loss_reaches_what_was_written_early(memory: DynamicMemory) -> None:
    early = random(1, C, K, K, seed=3).requires_grad_()
    state = memory.begin(random(1, C, K, K))
    for frame in range(4):
        written = early if frame == 1 else random(1, C, K, K, seed=frame)
        template, state = memory(state, written, random(1, C, 5, 5, seed=frame))
    template.sum().backward()
    assert early.grad is not None
    assert float(early.grad.abs().max()) > 0
    missing = [name for name, parameter in memory.named_parameters() if parameter.grad is None]
    assert missing == []


@torch.no_grad()
def test_training_unrolls_what_tracking_does_frame_by_frame() -> None:
    torch.manual_seed(0)
    network = LiteMemTrack(16).eval()
    torch.nn.init.constant_(network.memory.residual.bias, 1.0)
    templates, searches = torch.rand(1, 3, 3, 129, 129) * 255, torch.rand(1, 3, 3, 257, 257) * 255
    together = network(templates, searches)
    assert together.shape == (1, 3, 1, 27, 27)
    state = network.begin(templates[:, 0])
    for frame in range(3):
        seen = network.begin(templates[:, frame]).first
        logits, state = network.recall(state, seen, searches[:, frame])
        assert torch.allclose(logits, together[:, frame], atol=1e-4)
