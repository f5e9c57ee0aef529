"""The long-term logic, apart from any weights: loss, growth, hysteresis, recovery."""

from __future__ import annotations

import numpy as np
import pytest

from test.trackers.known_response import ExactMatcher, KnownTracker
from visual_tracker.boxes import Box
from visual_tracker.models.geometry import LITE
from visual_tracker.models.matchers import Response
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.confidence import Calibration, Evidence, Thresholds
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.likeness import Gallery, Likeness
from visual_tracker.trackers.score_map import Proposals, suppress
from visual_tracker.trackers.siamrpn import Ranked

# A target of 64x64 pixels is shown pixel for pixel: its context side is 128, the template's 129.
SIDE = 64.5
WIDTH, HEIGHT = 1000, 700
GROWTH = 64


#: nothing is learned on line, and no doubt is waited out: a frame's outcome is that of the known
#: response
PLAIN = {"target_model": False, "box_correction": 0.0, "patience": 0, "hysteresis": 0.0}


def tracker(**changes: object) -> KnownTracker:
    values = {"lost_threshold": 0.5, "found_threshold": 0.8, "search_growth": GROWTH}
    values |= {"largest_search": 641}
    values |= {"size_rate": 0.0, **changes}  # the known network says nothing of size
    values = {**PLAIN, **values}
    return KnownTracker(DaSiamRpnParameters.from_mapping(values), "cpu")


def scene(center: tuple[float, float] | None, seed: int = 0) -> np.ndarray:
    """A flat image with the target, a fixed random texture, at `center`, or without it."""
    image = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    if center is not None:
        texture = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        texture = np.kron(texture, np.ones((8, 8, 1), dtype=np.uint8))
        left, top = round(center[0] - 32), round(center[1] - 32)
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(WIDTH, left + 64), min(HEIGHT, top + 64)
        image[y0:y1, x0:x1] = texture[y0 - top : y1 - top, x0 - left : x1 - left]
    return image


START = (300.0, 300.0)


def started(**changes: object) -> KnownTracker:
    result = tracker(**changes)
    result.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    return result


def test_a_moving_target_is_followed() -> None:
    followed = started()
    for step in range(1, 6):
        center = (START[0] + 12 * step, START[1] + 5 * step)
        track = followed.track(scene(center))
        assert track.state is TrackState.TRACKING
        assert track.box.center == pytest.approx(center, abs=1.0)
        assert track.confidence > 0.5


def test_while_lost_the_region_around_the_box_held_last_grows_by_the_step() -> None:
    lost = started()
    held = lost.track(scene((310, 304))).box
    first = lost.track(scene(None))
    assert first.state is TrackState.LOST
    assert first.search_region.width == pytest.approx(257 * lost._pixel(held))
    for number in range(1, 5):
        track = lost.track(scene(None))
        assert track.state is TrackState.LOST
        expected = lost.geometry.fitting_size(257 + GROWTH * number)
        if held.center[1] - expected / 2 > 0:  # not yet cut by the border
            assert track.search_region.center == pytest.approx(held.center, abs=0.5)
            assert track.search_region.width == pytest.approx(expected * lost._pixel(held), abs=0.5)


def test_the_region_grows_when_there_is_no_more_patience() -> None:
    doubting = started(patience=3)
    held = doubting.track(scene((310, 304))).box
    local = 257 * doubting._pixel(held)
    for _ in range(4):
        track = doubting.track(scene(None))
        assert track.is_lost
        assert track.search_region.width == pytest.approx(local)
    grown = doubting.track(scene(None)).search_region.width
    assert grown == pytest.approx(
        doubting.geometry.fitting_size(257 + GROWTH) * doubting._pixel(held), abs=0.5
    )


def test_a_lost_target_is_followed_where_it_is_seen_nearby() -> None:
    lost = started()
    held = lost.track(scene((310, 304))).box
    lost.matcher.scale = 0.3  # less than is asked of a held target
    for step in range(1, 6):
        center = (310 + 20.0 * step, 304.0)
        track = lost.track(scene(center))
        assert track.is_lost
        assert track.box.center == pytest.approx(center, abs=1.5)
        assert track.box.width == pytest.approx(held.width, rel=0.05)
    # it is found there, and no longer where it was held last
    lost.matcher.scale = 1.0
    assert not lost.track(scene((430, 304))).is_lost


def test_nothing_wide_is_searched_where_the_target_is_found_nearby() -> None:
    lost = started()
    for _ in range(6):
        lost.track(scene(None))
    near = lost.track(scene(None)).box.center
    lost.matcher.sizes.clear()
    assert not lost.track(scene(near)).is_lost
    assert lost.matcher.sizes == [(257, 257)]


def test_what_is_seen_elsewhere_but_not_found_is_shown() -> None:
    lost = started()
    held = lost.track(scene((310, 304))).box
    for _ in range(20):
        lost.track(scene(None))
    # Every answer is .6 of its own: less than is asked of a lost target, enough for a held one.
    lost.matcher.scale = 0.6
    place = (700.0, 300.0)
    tracks = [lost.track(scene(place)) for _ in range(6)]
    assert all(track.is_lost for track in tracks)
    assert tracks[-1].box.center == pytest.approx(place, abs=1.5)
    assert tracks[-1].box.width == pytest.approx(held.width, rel=0.05)


def test_a_doubt_ends_at_the_lower_threshold() -> None:
    # Every answer is .6 of its own: less than is asked of a lost target, enough for a held one.
    for patience, state in ((3, TrackState.TRACKING), (0, TrackState.LOST)):
        doubting = started(patience=patience)
        doubting.track(scene((310, 304)))
        assert doubting.track(scene(None)).is_lost
        doubting.matcher.scale = 0.6
        assert doubting.track(scene((312, 304))).state is state


def test_the_region_covers_the_whole_image_in_the_end() -> None:
    lost = started()
    for _ in range(40):
        assert lost.track(scene(None)).is_lost
    seen = [lost.track(scene(None)).search_region.xyxy for _ in range(4)]
    assert min(region[0] for region in seen) <= 0
    assert max(region[2] for region in seen) >= WIDTH
    assert min(region[1] for region in seen) <= 0
    assert max(region[3] for region in seen) >= HEIGHT
    assert max(max(size) for size in lost.matcher.sizes) <= 641 + LITE.size_step


@pytest.mark.parametrize(
    "place",
    [(40.0, 40.0), (960.0, 40.0), (40.0, 660.0), (960.0, 660.0), (500.0, 350.0), (500.0, 36.0)],
)
def test_a_target_that_left_is_found_wherever_it_comes_back(place: tuple[float, float]) -> None:
    lost = started()
    for _ in range(20):
        assert lost.track(scene(None)).is_lost
    # The whole image is four tiles at most here.
    track = next(
        track for track in (lost.track(scene(place)) for _ in range(4)) if not track.is_lost
    )
    assert track.box.center == pytest.approx(place, abs=1.5)
    assert track.box.width == pytest.approx(SIDE, rel=0.05)
    # Back to the local region at once.
    after = lost.track(scene(place))
    assert after.state is TrackState.TRACKING
    assert after.search_region.width == pytest.approx(257 * lost._pixel(track.box))
    assert after.search_region.center == pytest.approx(track.box.center)


def test_the_short_term_tracker_does_not_look_elsewhere() -> None:
    short = started(long_term=False)
    for _ in range(25):
        track = short.track(scene(None))
        assert track.is_lost
        assert track.search_region.width == pytest.approx(257 * short._pixel(track.box))
    assert short.track(scene((900, 600))).is_lost
    assert not short.track(scene((320, 310))).is_lost


def test_the_long_term_mode_can_be_turned_off_while_the_target_is_lost() -> None:
    lost = started()
    local = 257 * lost._pixel(lost.track(scene((310, 304))).box)
    for _ in range(4):
        grown = lost.track(scene(None)).search_region
    assert grown.width > 1.2 * local
    lost.set_parameters({"long_term": False})
    for _ in range(2):
        track = lost.track(scene(None))
        assert track.is_lost
        assert track.search_region.width == pytest.approx(257 * lost._pixel(track.box))


class ScriptedMatcher(ExactMatcher):
    """Answers with given scores in the middle of the map, one a frame, and maybe in a corner.

    A wide search, which comes after a local one in a frame, is answered as that was.
    """

    def __init__(self, scores: list[float], corner: float = 0.0) -> None:
        super().__init__()
        self.script = iter(scores)
        self.corner = corner
        self.score = 0.0

    def respond(self, template: object, image: np.ndarray) -> Response:
        rows, columns = ((side - 49) // 8 + 1 for side in image.shape[:2])
        scores = np.zeros((5, rows, columns), dtype=np.float32)
        if image.shape[:2] == (257, 257):
            self.score = next(self.script)
        scores[2, rows // 2, columns // 2] = self.score
        scores[2, 0, 0] = self.corner
        deltas = np.zeros((4, 5, rows, columns), dtype=np.float32)
        return Response(scores, deltas, np.ones((1, rows + 6, columns + 6), dtype=np.float32))


def states(scores: list[float], **changes: object) -> str:
    class Scripted(KnownTracker):
        network = ScriptedMatcher(scores)

    values = {"lost_threshold": 0.5, "found_threshold": 0.8, **PLAIN, "reidentify": False}
    values |= {"largest_search": 641}
    values |= changes
    scripted = Scripted(DaSiamRpnParameters.from_mapping(values), "cpu")
    scripted.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    return "".join("L" if scripted.track(scene(START)).is_lost else "t" for _ in scores)


def test_hysteresis_frame_by_frame() -> None:
    scores = [0.9, 0.51, 0.49, 0.6, 0.7, 0.81, 0.6, 0.51, 0.3, 0.5, 0.95]
    assert states(scores) == "ttLLLtttLLt"


def test_a_little_doubt_is_no_loss_and_a_little_trust_no_return() -> None:
    scores = [0.9, 0.4, 0.4, 0.9, 0.4, 0.4, 0.4, 0.6, 0.75]
    assert states(scores, patience=10) == "tLLtLLLtt"
    assert states(scores, patience=10, hysteresis=1.0) == "ttttttLLt"


def test_what_is_seen_badly_for_long_is_found() -> None:
    assert states([0.9, 0.1, 0.6, 0.6, 0.6, 0.6, 0.6]) == "tLLLLtt"


def test_less_confidence_does_where_the_target_was_lost() -> None:
    scores = [0.9, 0.49, 0.64, 0.66, 0.51]
    assert states(scores, reidentify=True) == "tLLtt"
    assert states(scores, reidentify=False) == "tLLLL"


def test_a_found_threshold_below_the_lost_one_is_no_trap() -> None:
    assert states([0.4, 0.45, 0.55], found_threshold=0.1) == "LLt"


class TwinMatcher(ScriptedMatcher):
    """Every candidate scores high, but its embedding is at a right angle to the target's."""

    def embedding(self, template: object) -> np.ndarray:
        return np.concatenate([np.ones((1, 7, 7)), np.zeros((1, 7, 7))])

    def respond(self, template: object, image: np.ndarray) -> Response:
        response = super().respond(template, image)
        ones = response.embedding
        return response._replace(embedding=np.concatenate([np.zeros_like(ones), ones]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"found_similarity": 0.4}, "tLLLL"),
        ({"found_similarity": -1.0}, "tLLLL"),
        ({"found_similarity": 0.4, "reidentify": False}, "tLttt"),
    ],
)
def test_a_look_alike_is_not_taken_for_the_lost_target(
    changes: dict[str, object], expected: str
) -> None:
    scores = [0.95, 0.1, 0.95, 0.95, 0.95]

    class Twin(KnownTracker):
        network = TwinMatcher(scores)

    values = {"lost_threshold": 0.5, "found_threshold": 0.8, "learn_threshold": 1.0, **PLAIN}
    twin = Twin(DaSiamRpnParameters.from_mapping({**values, **changes}), "cpu")
    twin.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    track = "".join("L" if twin.track(scene(START)).is_lost else "t" for _ in scores)
    assert track == expected


def test_a_candidate_must_be_confirmed() -> None:
    scores = [0.9, 0.1, 0.95, 0.95, 0.1, 0.95, 0.1, 0.95, 0.95, 0.95, 0.9]
    assert states(scores, confirm_frames=1) == "tLttLtLtttt"
    assert states(scores, confirm_frames=2) == "tLLtLLLLttt"


def test_a_candidate_is_confirmed_where_it_was_seen() -> None:
    lost = started(confirm_frames=2)
    for _ in range(20):
        assert lost.track(scene(None)).is_lost
    place = (900.0, 600.0)
    tracks = [lost.track(scene(place)) for _ in range(6)]
    seen = next(number for number, track in enumerate(tracks) if not track.is_lost)
    # the frame before it was searched far and wide, and this one around the candidate
    assert tracks[seen - 1].is_lost
    assert tracks[seen].search_region.center == pytest.approx(place, abs=2)
    assert tracks[seen].search_region.width == pytest.approx(257 * lost._pixel(tracks[0].box))


class Calibrated(KnownTracker):
    """With a calibration by which the network's word counts for nothing."""

    calibration = Calibration("", Evidence(0.0, 0.0, 0.0, 0.0), 0.0, Thresholds(0.6, 0.7, 0.0))


@pytest.mark.parametrize(
    ("changes", "confidence", "lost"),
    [
        ({}, 0.5, True),
        ({"lost_threshold": 0.4}, 0.5, False),
        ({"calibrated": False}, 0.9, False),
        # without a target model a sign is missing
        ({"target_model": False}, 0.9, False),
    ],
)
def test_confidence_and_thresholds_are_those_of_the_calibration(
    changes: dict[str, object], confidence: float, lost: bool
) -> None:
    class Scripted(Calibrated):
        network = ScriptedMatcher([0.9] * 20)

    values = {"hysteresis": 0.0, **changes}
    scripted = Scripted(DaSiamRpnParameters.from_mapping(values), "cpu")
    scripted.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    track = scripted.track(scene(START))
    assert track.confidence == pytest.approx(confidence)
    assert track.is_lost == lost


def test_candidates_are_those_of_all_proposals_that_matter() -> None:
    rng = np.random.default_rng(0)
    left_out_at_all = 0
    for _ in range(20):
        chooser = started(distractor_weight=float(rng.uniform(0, 0.3)))
        boxes = np.concatenate([rng.uniform(-100, 100, (2, 60)), rng.uniform(20, 80, (2, 60))])
        # mostly low, or the best ones would all count as distractors and none be left out
        scores = rng.uniform(0, 1, 60) ** 8
        cells = np.zeros((2, 60), int)
        proposals = Proposals(boxes, scores, cells, (1, 60))
        ranked = Ranked(proposals, np.ones(60), scores * rng.uniform(0.5, 1, 60), None)
        everything = suppress(boxes, ranked.ranks, 0.3, 8)
        kept = chooser._candidates(ranked)
        assert kept[0] == everything[0]
        chosen = chooser.parameters
        for left_out in set(everything) - set(kept):
            # neither a distractor nor near enough to win by its likeness
            assert scores[left_out] <= 0.5
            behind = ranked.ranks.max() - ranked.ranks[left_out]
            assert behind > 2 * chosen.distractor_weight * (1 + chosen.distractor_strength)
            left_out_at_all += 1
    assert left_out_at_all > 0


def test_the_window_is_off_in_a_wide_search() -> None:
    class Scripted(KnownTracker):
        network = ScriptedMatcher([0.9, 0.1, 0.1], corner=0.6)

    values = {"lost_threshold": 0.5, "found_threshold": 0.8, "track_distractors": False, **PLAIN}
    scripted = Scripted(DaSiamRpnParameters.from_mapping(values), "cpu")
    scripted.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    # With the window the middle wins although the corner scores more; without it, in the wide
    # search, the corner does.
    confidences = [scripted.track(scene(START)).confidence for _ in range(3)]
    assert confidences == pytest.approx([0.9, 0.1, 0.6])


def test_a_new_target_starts_afresh() -> None:
    again = started()
    for _ in range(5):
        again.track(scene(None))
    again.init(scene((700, 400), seed=1), Box.from_center(700, 400, SIDE, SIDE))
    track = again.track(scene((705, 400), seed=1))
    assert track.state is TrackState.TRACKING
    assert track.box.center == pytest.approx((705, 400), abs=1.0)
    assert track.search_region.width == pytest.approx(257 * again._pixel(track.box), rel=0.02)


def with_twin(target: tuple[float, float] | None, twin: tuple[float, float]) -> np.ndarray:
    """A scene with the target, or without it, and its double."""
    image = scene(twin)
    if target is not None:
        x, y = round(target[0] - 32), round(target[1] - 32)
        image[y : y + 64, x : x + 64] = scene(START)[268:332, 268:332]
    return image


@pytest.mark.parametrize("known", [True, False])
def test_a_double_that_stood_beside_the_target_is_not_taken_for_it(known: bool) -> None:
    follower = started(track_distractors=known)
    for step in range(5):  # side by side, both on the move
        track = follower.track(with_twin((300 + 6 * step, 300), (385 + 6 * step, 300)))
        assert track.state is TrackState.TRACKING
        assert track.box.center == pytest.approx((300 + 6 * step, 300), abs=1.0)
    tracks = [follower.track(with_twin(None, (412, 300))) for _ in range(6)]
    assert all(track.is_lost for track in tracks) is known
    # the target itself is no stranger when it comes back
    back = [follower.track(with_twin((320, 300), (412, 300))) for _ in range(2)]
    if known:
        assert back[-1].state is TrackState.TRACKING
        assert back[-1].box.center == pytest.approx((320, 300), abs=1.0)


def test_same_input_same_boxes() -> None:
    runs = []
    for _ in range(2):
        same = started()
        places = [(310, 300), None, None, None, (400, 350), (404, 352)]
        runs.append([same.track(scene(place)) for place in places])
    assert runs[0] == runs[1]


def test_with_the_target_model_the_known_target_is_found_again_too() -> None:
    learned = tracker(target_model=True, box_correction=1.0)
    learned.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    assert learned.track(scene((308, 304))).box.center == pytest.approx((308, 304), abs=1)
    for _ in range(20):
        assert learned.track(scene(None)).is_lost
    tracks = [learned.track(scene((900, 600))) for _ in range(4)]
    found = [track for track in tracks if not track.is_lost]
    assert found
    assert found[0].box.center == pytest.approx((900, 600), abs=1.5)


@pytest.mark.parametrize("target_model", [True, False])
def test_the_gallery_is_asked_once_a_search_at_most(
    target_model: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Likeness] = []
    likeness = Gallery.likeness

    def noted(gallery: Gallery, embedding: np.ndarray) -> Likeness:
        asked.append(likeness(gallery, embedding))
        return asked[-1]

    monkeypatch.setattr(Gallery, "likeness", noted)
    watched = tracker(target_model=target_model)
    watched.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    places = [(308, 304), None, None, None, (308, 304), (310, 304)]
    counts, states = [], ""
    for place in places:
        asked.clear()
        states += "L" if watched.track(scene(place)).is_lost else "t"
        counts.append(len(asked))
    assert states == "tLLLtt"
    # the model's confidence needs it in every search, and a lost target is searched for in two;
    # re-identification in the frame of the return
    assert counts == ([1, 1, 2, 2, 1, 1] if target_model else [0, 0, 0, 0, 1, 0])
