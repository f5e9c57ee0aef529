"""From pairs to arrays: boxes stay on their pixels, targets are right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from test.training.factories import TINY, plain_recipe, write_native
from visual_tracker.annotations import View
from visual_tracker.boxes import Box
from visual_tracker.crops import AffineFrame, take_crop
from visual_tracker.models.anchors import anchor_grid, decode
from visual_tracker.models.geometry import LITE, LITE_CFNET, LITE_RE3, LITE_RPN, Geometry
from visual_tracker.training import augment
from visual_tracker.training.data import read_collection
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import make_sampler
from visual_tracker.training.plans import (
    Jitter,
    Plan,
    Planner,
    SampleError,
    jittered_frame,
    onto_place,
    search_jitter,
    shown_share,
    target_in_crop,
    template_jitter,
)
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import (
    AnchorTargets,
    EllipseTargets,
    RadiusTargets,
    SampleMaker,
)


def maker(folder: Path, recipe: Recipe) -> SampleMaker:
    sampler, _ = make_sampler(read_collection(folder), recipe)
    return SampleMaker(sampler, ImageStore(), TINY, AnchorTargets(TINY, recipe), recipe)


def test_the_box_stays_on_the_target(tmp_path: Path) -> None:
    # Without augmentation of colours, the crop around the box must look like the template.
    folder = write_native(tmp_path)
    recipe = plain_recipe(template_shift=0.0, template_scale=0.0, search_scale=0.2, stretch=0.2)
    samples = maker(folder, recipe)
    for number in range(20):
        sample = samples.make(number)
        template, search = sample.template.transpose(1, 2, 0), sample.search.transpose(1, 2, 0)
        x, y, width, height = sample.box + np.array([64.5, 64.5, 0, 0])
        part = search[
            round(y - height / 2) : round(y + height / 2),
            round(x - width / 2) : round(x + width / 2),
        ]
        if min(part.shape[:2]) < 10:
            continue  # cut by the crop's border
        middle = template[17:48, 17:48]
        resized = np.asarray(
            augment.cv2.resize(middle, part.shape[1::-1], interpolation=augment.cv2.INTER_AREA)
        )
        assert np.abs(resized.astype(int) - part.astype(int)).mean() < 40


@pytest.mark.parametrize(("geometry", "ratio"), [(LITE, 1.0), (LITE_CFNET, 257 / 129)])
def test_template_and_search_crop_show_the_target_in_one_scale(
    geometry: Geometry, ratio: float
) -> None:
    still = Recipe(template_shift=0.0, template_scale=0.0, search_shift=0.0, search_scale=0.0,
                   stretch=0.0, rotation=0.0, shear=0.0)  # fmt: skip
    box = Box.from_center(100, 100, 40, 40)
    template, search = (
        jittered_frame(box, jitter, np.random.default_rng(0))
        for jitter in (template_jitter(geometry, still), search_jitter(geometry, still, False))
    )
    assert template.box_to_crop(box).width == pytest.approx(search.box_to_crop(box).width)
    assert template.width == pytest.approx(129 * ratio)
    # the context is twice the side of a square target
    assert search.box_to_crop(box).width == pytest.approx(129 / 2)


@pytest.mark.parametrize("size", [(40, 40), (90, 30), (25, 80)])
def test_a_stretched_crop_shows_every_target_as_a_square(size: tuple[float, float]) -> None:
    still = Recipe(template_shift=0.0, template_scale=0.0, search_shift=0.0, search_scale=0.0,
                   stretch=0.0, rotation=0.0, shear=0.0)  # fmt: skip
    box = Box.from_center(100, 100, *size)
    for jitter in (template_jitter(LITE_RE3, still), search_jitter(LITE_RE3, still, False)):
        frame = jittered_frame(box, jitter, np.random.default_rng(0))
        tracked = AffineFrame.stretched(box, 129)
        assert frame.warp() == pytest.approx(tracked.warp())


def test_a_turned_target_is_boxed_by_its_outline(tmp_path: Path) -> None:
    # A white bar with a known outline, turned in the search crop: its pixels' bounds are the truth.
    image = np.zeros((200, 240, 3), np.uint8)
    image[80:110, 90:160] = 255
    view = View(
        tmp_path / "bar.png",
        Box(90, 80, 70, 30),
        "bar",
        "",
        ((90, 80, 160, 80, 160, 110, 90, 110),),
    )
    rng = np.random.default_rng(1)
    jitter = Jitter(257, 2.0, 30.0, 0.2, 0.2, 40.0, 0.3)
    for _ in range(20):
        frame = jittered_frame(view.box, jitter, rng)
        rows, columns = np.nonzero(take_crop(image, frame, np.zeros(3))[:, :, 0] > 127)
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert target_in_crop(view, frame).xyxy == pytest.approx(seen, abs=1.0)
        # without the outline the box is a little smaller, for it assumes empty corners
        ellipse = target_in_crop(replace(view, polygons=()), frame)
        assert 0.5 < ellipse.iou(target_in_crop(view, frame)) <= 1.0


def test_a_part_of_an_object_does_not_take_the_whole_outline(tmp_path: Path) -> None:
    outline = ((90.0, 80.0, 160.0, 80.0, 160.0, 110.0, 90.0, 110.0),)
    view = View(tmp_path / "bar.png", Box(90, 80, 20, 15), "bar", "", outline)
    frame = jittered_frame(view.box, Jitter(257, 2.0, 0.0, 0.0), np.random.default_rng(0))
    assert target_in_crop(view, frame).xywh == pytest.approx(frame.box_to_crop(view.box).xywh)


def test_the_shown_share_counts_what_lies_in_the_image() -> None:
    image = (100, 100)
    rng = np.random.default_rng(0)
    plain = Jitter(64, 2.0, 0.0, 0.0)
    inside = jittered_frame(Box.from_center(50, 50, 10, 10), plain, rng)
    corner = jittered_frame(Box.from_center(0, 0, 10, 10), plain, rng)
    turned = jittered_frame(
        Box.from_center(0, 0, 10, 10), Jitter(64, 2.0, 0.0, 0.0, rotation=45.0), rng
    )
    assert shown_share(image, inside) == pytest.approx(1.0)
    assert shown_share(image, corner) == pytest.approx(0.25, abs=1e-4)
    assert 0.2 < shown_share(image, turned) < 0.3


def test_backgrounds_fill_the_border_alone(tmp_path: Path) -> None:
    folder = write_native(tmp_path)
    bare = maker(folder, plain_recipe(search_shift=60.0, flip=0.0))
    filled = maker(folder, plain_recipe(search_shift=60.0, flip=0.0, backgrounds=1.0))
    changes = []
    for number in range(12):
        one, other = bare.make(number), filled.make(number)
        assert np.array_equal(one.template, other.template)
        assert np.array_equal(one.box, other.box)
        changes.append((one.search != other.search).any(axis=0).mean())
    assert max(changes) > 0.1
    assert min(changes) < 0.1


def test_a_sample_depends_on_its_number_alone(tmp_path: Path) -> None:
    folder = write_native(tmp_path)
    one, two = (
        maker(folder, Recipe(validation_share=0.0)),
        maker(folder, Recipe(validation_share=0.0)),
    )
    two.make(5)
    for first, second in zip(one.make(3), two.make(3), strict=True):
        assert np.array_equal(first, second)
    assert not np.array_equal(one.make(3).search, one.make(4).search)


def test_what_a_teacher_sees_is_clear_and_shows_the_same(tmp_path: Path) -> None:
    changes = {"distractors": 1.0, "occluders": 1.0, "flip": 1.0, "search_shift": 20.0}
    worse = {"light": 0.3, "blur": 1.0, "coarse": 1.0, "compression": 1.0, "grey": 0.5}
    folder = write_native(tmp_path)
    plain = maker(folder, plain_recipe(**changes))
    spoilt = maker(folder, plain_recipe(**changes, **worse))
    clear = maker(folder, plain_recipe(**changes, **worse, teacher_clear=True))
    for number in range(8):
        unchanged, seen, both = (samples.make(number) for samples in (plain, spoilt, clear))
        assert np.array_equal(both.search, seen.search)
        assert np.array_equal(both.template, seen.template)
        assert not np.array_equal(both.search, both.clear_search)
        assert seen.clear_search is None
        assert np.array_equal(both.clear_search, unchanged.search)
        assert np.array_equal(both.clear_template, unchanged.template)
    assert next(iter(spoilt.batches(range(2), 2))).keys() == {
        "template", "search", "labels", "deltas", "box",
    }  # fmt: skip
    assert "clear_search" in next(iter(clear.batches(range(2), 2)))


def test_positive_anchors_decode_to_the_box(tmp_path: Path) -> None:
    sample = maker(write_native(tmp_path), plain_recipe()).make(0)
    boxes = decode(anchor_grid(*sample.labels.shape[1:], TINY), sample.deltas)
    positive = sample.labels == 1
    assert positive.any()
    assert boxes[:, positive] == pytest.approx(
        np.tile(sample.box[:, None], positive.sum()), abs=1e-3
    )


def test_negative_pairs_have_no_positive_anchor() -> None:
    labels, deltas = AnchorTargets(LITE, Recipe())(None)
    assert set(np.unique(labels)) == {0}
    assert labels.shape == (5, 27, 27)
    assert not deltas.any()


def test_anchor_labels_by_overlap() -> None:
    labels, _ = AnchorTargets(LITE, Recipe())((0.0, 0.0, 64.0, 64.0))
    assert labels[2, 13, 13] == 1  # the same box
    assert labels[2, 13, 14] == 1  # 8 px aside: IoU 56 / 72
    assert labels[2, 13, 16] == -1  # 24 px aside: IoU 40 / 88
    assert labels[2, 13, 17] == -1  # 32 px aside: IoU 1 / 3
    assert labels[2, 13, 18] == 0  # 40 px aside: IoU 24 / 104
    assert labels[0, 0, 0] == 0


def test_an_odd_shape_still_has_its_best_anchor() -> None:
    labels, _ = AnchorTargets(LITE, Recipe())((3.0, 0.0, 200.0, 12.0))
    assert (labels == 1).sum() == 1


def test_one_anchor_is_labelled_by_its_place_in_the_target() -> None:
    labels, deltas = EllipseTargets(LITE_RPN)((16.0, 0.0, 128.0, 64.0))
    assert labels.shape == (1, 15, 15)
    assert deltas[:, 0, 7, 8] == pytest.approx([0, 0, np.log(2), 0], abs=1e-6)
    # half axes 64 and 32: positive to 32 and 16, negative from 64 and 32
    along, across = labels[0, 7].tolist(), labels[0, :, 8].tolist()
    assert along == [0, 0, 0, 0, 0, -1, -1, 1, 1, 1, -1, -1, 0, 0, 0]
    assert across == [0, 0, 0, 0, 0, 0, -1, 1, -1, 0, 0, 0, 0, 0, 0]
    assert labels[0, 6, 10] == -1
    assert not EllipseTargets(LITE_RPN)(None)[0].any()


def test_a_target_between_cells_still_has_one() -> None:
    labels, _ = EllipseTargets(LITE_RPN)((7.0, 7.0, 6.0, 6.0))
    assert (labels == 1).sum() == 1
    assert labels[0, 7, 7] == 1


def test_cells_within_the_radius_are_positive() -> None:
    labels, deltas = RadiusTargets(LITE, Recipe(radius=16.0))((8.0, 0.0, 30.0, 30.0))
    assert labels.shape == (1, 27, 27)
    assert deltas.size == 0
    positive = np.argwhere(labels[0] == 1)
    distances = np.hypot((positive[:, 1] - 13) * 8 - 8, (positive[:, 0] - 13) * 8)
    assert distances.max() == 16
    assert len(positive) == 13  # lattice points within two cells
    assert not RadiusTargets(LITE, Recipe())(None)[0].any()


def test_corrupt_images_are_skipped_and_counted(tmp_path: Path) -> None:
    folder = write_native(tmp_path)
    (folder / "videos" / "v0_1.png").write_bytes(b"rubbish")
    recipe = plain_recipe(video_share=1.0)
    sampler, _ = make_sampler(read_collection(folder), recipe)
    images = ImageStore()
    samples = SampleMaker(sampler, images, TINY, AnchorTargets(TINY, recipe), recipe)
    for number in range(30):
        samples.make(number)
    assert {path.name for path in images.corrupt} == {"v0_1.png"}


def test_nothing_but_corrupt_images_is_an_error(tmp_path: Path) -> None:
    folder = write_native(tmp_path, stills=0)
    for path in (folder / "videos").iterdir():
        path.write_bytes(b"rubbish")
    with pytest.raises(SampleError, match="check the data"):
        maker(folder, plain_recipe()).make(0)


def test_the_image_budget_is_kept(tmp_path: Path) -> None:
    folder = write_native(tmp_path, videos=1, stills=0)
    paths = list(read_collection(folder).paths())
    store = ImageStore(budget=2 * 120 * 160 * 3)
    store.preload(paths)
    assert len(store._kept) == 2
    assert store.get(paths[0]) is store.get(paths[0])
    assert store.get(paths[-1]) is not None


def test_patches_keep_their_outline_within_their_place() -> None:
    place = Box(30, 5, 20, 20)
    frame = onto_place(Box(10, 10, 20, 20), place, 40)
    mask = augment.patch_mask(frame, ((10, 10, 30, 10, 10, 30, 0, 20),), place)
    assert mask[6, 31] == 255
    assert mask[24, 39] == 0  # outside the outline
    assert mask[:, :30].max() == 0  # outside the place, where the outline reaches
    whole = augment.patch_mask(frame, (), place)
    assert (whole > 0).sum() == 10 * 20  # the half of the place that lies in the crop
    image = np.zeros((50, 60, 3), np.uint8)
    image[10:30, 10:30] = 200
    shown = take_crop(image, frame, np.zeros(3))
    assert (shown[whole > 0] == 200).mean() > 0.85  # all but the seam
    assert shown[:, :29].max() == 0


def test_pasted_objects_keep_their_distance() -> None:
    rng = np.random.default_rng(0)
    target = Box(50, 50, 30, 30)
    places = [augment.distractor_place(target, 129, rng) for _ in range(20)]
    found = [place for place in places if place is not None]
    assert len(found) > 15
    for place in found:
        assert place.iou(target) == 0
        # about as large as the target
        assert 0.74 < place.width / target.width < 1.35
        assert place.width == pytest.approx(place.height)
    for _ in range(20):
        hidden = augment.occluder_place(target, rng).intersection_area(target) / target.area
        assert 0.15 < hidden < 0.55


def test_coarse_pictures_keep_size_and_brightness_but_no_detail() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (65, 64, 3), dtype=np.uint8)
    coarse = augment.coarsened(image, 4.0)
    assert coarse.shape == image.shape
    assert coarse.mean() == pytest.approx(image.mean(), abs=2)
    assert coarse.std() < 0.4 * image.std()


def test_looks_keep_to_the_recipe() -> None:
    recipe = Recipe(blur=1.0, blur_length=21.0, coarse=1.0, coarseness=3.0)
    looks = [augment.draw_look(recipe, np.random.default_rng(number)) for number in range(200)]
    lengths = {len(look.blur) for look in looks}
    assert lengths <= set(range(3, 22, 2))
    assert {3, 21} <= lengths
    assert all(1 <= look.coarseness <= 3 for look in looks)
    off = augment.draw_look(Recipe(blur=0.0, coarse=0.0), np.random.default_rng(0))
    assert off.blur is None
    assert off.coarseness == 1


def test_blur_keeps_brightness_and_grey_keeps_channels() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for length in (3, 7, 11):
        for angle in (0.0, 0.7, 1.57, 3.0):
            look = augment.Look(blur=augment.motion_kernel(length, angle))
            blurred = augment.seen(image, look, without_colour=False, mirrored=False)
            assert blurred.mean() == pytest.approx(image.mean(), abs=2)
            assert blurred.std() < image.std()
    assert np.array_equal(augment.seen(image, augment.Look(), False, mirrored=True), image[:, ::-1])
    grey = augment.grey(image)
    assert np.array_equal(grey[:, :, 0], grey[:, :, 2])


def test_changes_go_to_both_sides() -> None:
    rng = np.random.default_rng(0)
    values = [augment.spread(rng, 2.0) for _ in range(500)]
    assert -2 <= min(values) < -1.9
    assert 1.9 < max(values) <= 2
    assert np.mean(values) == pytest.approx(0, abs=0.2)
    lights = [augment.draw_light(0.2, rng) for _ in range(500)]
    contrasts = [np.mean(gains) for gains, _ in lights]
    brightness = [value for _, value in lights]
    assert 0.75 < min(contrasts) < 0.85
    assert 1.15 < max(contrasts) < 1.25
    assert -25.6 <= min(brightness) < -24
    assert 24 < max(brightness) <= 25.6
    # colour changes by a fourth of it
    casts = [max(gains) / min(gains) for gains, _ in lights]
    assert 1.07 < max(casts) <= 1.05 / 0.95


def test_coarse_and_compressed_looks_come_as_often_as_the_recipe_says() -> None:
    def share(recipe: Recipe) -> tuple[float, float]:
        looks = [augment.draw_look(recipe, np.random.default_rng(n)) for n in range(400)]
        coarse = np.mean([look.coarseness > 1 for look in looks])
        return float(coarse), float(np.mean([look.quality is not None for look in looks]))

    assert share(Recipe(coarse=0.0, compression=1.0)) == (0, 1)
    assert share(Recipe(coarse=1.0, compression=0.0)) == (1, 0)
    assert share(Recipe(coarse=0.3, compression=0.6)) == pytest.approx((0.3, 0.6), abs=0.08)


def test_a_look_by_hand() -> None:
    image = np.full((6, 6, 3), 100, np.uint8)
    look = augment.Look(gains=(1.0, 2.0, 0.5), brightness=10.0)
    shown = augment.seen(image, look, without_colour=False, mirrored=False)
    # 100 is 28 below the middle
    assert shown[0, 0].tolist() == [128 - 28 + 10, 128 - 56 + 10, 128 - 14 + 10]
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for look, expected in (
        (augment.Look(coarseness=3.0), augment.coarsened(noise, 3.0)),
        (augment.Look(quality=30), augment.compressed(noise, 30)),
    ):
        assert np.array_equal(augment.seen(noise, look, False, False), expected)
    assert np.array_equal(augment.seen(noise, augment.Look(), True, False), augment.grey(noise))


def plans_of(folder: Path, **changes: object) -> list[Plan]:
    recipe = plain_recipe(**changes)
    sampler, _ = make_sampler(read_collection(folder), recipe)
    planner = Planner(sampler, ImageStore().size, TINY, recipe)
    return [planner.plan(number) for number in range(40)]


def test_a_pair_of_two_targets_has_no_box(tmp_path: Path) -> None:
    def scene(path: Path) -> str:
        return path.stem.split("_")[0]

    plans = plans_of(write_native(tmp_path), negative_pairs=0.5, flip=0.5)
    for plan in plans:
        is_positive = scene(plan.template.path) == scene(plan.search.path)
        assert (plan.box is not None) == (plan.centered_box is not None) == is_positive
    assert 5 < sum(plan.box is None for plan in plans) < 35


def test_other_objects_are_pasted_beside_the_target_and_over_it(tmp_path: Path) -> None:
    folder = write_native(tmp_path)
    none = plans_of(folder)
    beside = plans_of(folder, distractors=1.0)
    over = plans_of(folder, occluders=1.0)
    both = plans_of(folder, distractors=1.0, occluders=1.0)
    counts = [[len(plan.patches) for plan in plans] for plans in (none, beside, over, both)]
    assert set(counts[0]) == {0}
    assert sum(counts[1]) > 10
    assert sum(counts[2]) > 10
    assert max(counts[3]) == 2

    def hidden(plan: Plan) -> float:
        """Share of the target that a pasted object covers."""
        assert plan.box is not None
        left, top, right, bottom = (max(0, round(value)) for value in plan.box.xyxy)
        inside = plan.patches[0].mask[top:bottom, left:right]
        return float((inside > 0).mean())

    # a pixel of its border may be shared
    assert np.mean([hidden(plan) for plan in beside if plan.patches]) < 0.03
    shares = [hidden(plan) for plan in over if plan.patches]
    assert 0.1 < np.median(shares) < 0.6
    for plan in [*beside, *over]:
        for patch in plan.patches:
            assert patch.layer.path != plan.search.path


def test_a_crop_shows_as_much_of_its_image_as_the_recipe_asks_for(tmp_path: Path) -> None:
    folder = write_native(tmp_path)

    def least(content: float) -> float:
        plans = plans_of(folder, search_shift=60.0, min_content=content)
        sizes = ImageStore().size
        return min(shown_share(sizes(plan.search.path), plan.search.frame) for plan in plans)

    assert least(0.1) < 0.8 <= least(0.8)


def test_videos_are_changed_half_as_much_as_stills() -> None:
    recipe = Recipe(stretch=0.2, rotation=20.0, shear=0.1, search_shift=9.0, search_scale=0.3)
    for is_still, part in ((True, 1.0), (False, 0.5)):
        jitter = search_jitter(LITE, recipe, is_still)
        changes = jitter.stretch, jitter.rotation, jitter.shear
        assert changes == pytest.approx((0.2 * part, 20 * part, 0.1 * part))
        assert (jitter.shift, jitter.scale) == (9.0, 0.3)
