"""The picture of region proposals: suppression against torchvision's, boxes against its coder, the page's numbers."""

import importlib.util
import io
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.conftest import ROOT
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import box_iou, nms

SCRIPT, PICTURE = ROOT / "docs" / "proposals.py", ROOT / "docs" / "images" / "proposals.png"
SPEC = importlib.util.spec_from_file_location("proposals", SCRIPT)
proposals = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(proposals)

EXAMPLE = dict(zip(proposals.NAMES, proposals.EXAMPLE.int().tolist(), strict=True))


def page():
    return (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")


def unmarked():
    """The page without the marks of its numbers and formulas."""
    return re.sub(r"</?data[^>]*>|\$`|`\$", "", page())


def prose():
    return " ".join(unmarked().split())


def made(num, seed):
    """Boxes that overlap a good deal, and scores of which no two are the same."""
    generator = torch.Generator().manual_seed(seed)
    corners = 10 * torch.rand(num, 2, generator=generator)
    sizes = 4 + 8 * torch.rand(num, 2, generator=generator)
    return torch.cat([corners, corners + sizes], dim=1), (torch.randperm(num, generator=generator) + 1) / num


def parts(one, other):
    """Pixels that two boxes share, and pixels of both, by counting them."""
    pixels = [{(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (one, other)]
    return len(pixels[0] & pixels[1]), len(pixels[0] | pixels[1])


@settings(max_examples=80, deadline=None)
@given(num=st.integers(1, 60), threshold=st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), seed=st.integers(0, 10_000))
def test_the_loop_is_torchvisions(num, threshold, seed):
    boxes, scores = made(num, seed)
    steps = proposals.greedy(boxes, scores, threshold)
    assert [step.box for step in steps if step.kept] == nms(boxes, scores, threshold).tolist()
    assert [step.box for step in steps] == scores.argsort(descending=True).tolist()


@settings(max_examples=30, deadline=None)
@given(num=st.integers(2, 60), first=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_what_is_kept_of_the_best_is_the_first_of_what_is_kept_of_all(num, first, seed):
    boxes, scores = made(num, seed)
    best = scores.argsort(descending=True)[:first]
    some = best[nms(boxes[best], scores[best], 0.5)]
    assert some.tolist() == nms(boxes, scores, 0.5)[: len(some)].tolist()


def test_the_four_numbers_are_torchvisions_coder():
    anchors, _ = made(40, 0)
    boxes, _ = made(40, 1)
    coder, numbers = BoxCoder((1.0, 1.0, 1.0, 1.0)), proposals.offsets(anchors, boxes)
    torch.testing.assert_close(numbers, coder.encode_single(boxes, anchors), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(proposals.moved(anchors, numbers), boxes, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(proposals.moved(anchors, 0.3 * numbers), coder.decode_single(0.3 * numbers, anchors))


def test_anchors_have_their_areas_shapes_and_places():
    grid = proposals.all_anchors()
    assert grid.shape == (64, 9, 4)
    sizes = grid[..., 2:] - grid[..., :2]
    areas, shapes = sizes.prod(dim=-1), sizes[..., 1] / sizes[..., 0]
    for number, (side, ratio) in enumerate((side, ratio) for side in (6, 12, 24) for ratio in (0.5, 1, 2)):
        assert torch.allclose(areas[:, number], torch.tensor(float(side**2)), rtol=1e-4)
        assert torch.allclose(shapes[:, number], torch.tensor(float(ratio)), rtol=1e-4)
    centers = ((grid[..., :2] + grid[..., 2:]) / 2).view(8, 8, 9, 2)
    assert torch.allclose(centers[3, 5], torch.tensor([22.0, 14.0]))  # row 3, column 5, of 4 pixels each


def test_the_true_box_is_that_of_the_mask():
    image, box = proposals.scene()
    assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)
    assert box.tolist() == [[5, 4, 22, 24]]


class TestPage:
    def test_the_example_by_counting_pixels(self):
        rows = re.findall(r"^\| ([A-F]) \| ([\d, ]+) \| ([\d.]+) \| (.*?) ?\| (kept|dropped)", unmarked(), re.MULTILINE)
        assert [row[0] for row in rows] == list("ABCDEF")
        kept = []
        for (name, corners, score, overlaps, verdict), number in zip(rows, range(6), strict=True):
            box = [int(corner) for corner in corners.split(",")]
            assert box == EXAMPLE[name]
            assert float(score) == pytest.approx(float(proposals.EXAMPLE_SCORES[number]))
            said = re.findall(r"([A-F]) (\d+)/(\d+) = ([\d.]+)", overlaps)
            assert [other for other, *_ in said] == kept
            for other, shared, both, quotient in said:
                assert parts(box, EXAMPLE[other]) == (int(shared), int(both))
                assert f"{int(shared) / int(both):.3f}" == quotient
            suppressed = any(Fraction(int(shared), int(both)) > Fraction(7, 10) for _, shared, both, _ in said)
            assert verdict == ("dropped" if suppressed else "kept")
            kept += [] if suppressed else [name]
        assert kept == [proposals.NAMES[at] for at in nms(proposals.EXAMPLE, proposals.EXAMPLE_SCORES, 0.7).tolist()]

    def test_the_remarks_on_the_example(self):
        shared, both = parts(EXAMPLE["E"], EXAMPLE["B"])
        assert f"E stays although it overlaps B by {shared}/{both} = {shared / both:.3f}" in prose()
        at_half = nms(proposals.EXAMPLE, proposals.EXAMPLE_SCORES, 0.5).tolist()
        assert [proposals.NAMES[at] for at in at_half] == ["A", "F"]

    def test_the_counts_of_the_picture(self):
        _, truth = proposals.scene()
        anchors = proposals.all_anchors().flatten(0, 1)
        overlaps = box_iou(anchors, truth)[:, 0]
        inside = ((anchors[:, :2] >= 0) & (anchors[:, 2:] <= 32)).all(dim=1)
        negative = int((overlaps[inside] < 0.3).sum())
        assert f"each make {len(anchors)}" in prose()
        assert f"{inside.sum()} of the {len(anchors)} lie" in prose()
        overlaps[~inside] = 0  # ignored in training
        assert (overlaps == overlaps.max()).sum() == 1
        assert anchors[overlaps.argmax()].tolist() == [2, 2, 26, 26]
        assert overlaps.max() <= 0.7
        assert f"with an IoU of {overlaps.max():.3f}" in prose()
        assert f"{negative} of the {inside.sum()} are negative, and {inside.sum() - negative - 1} do not" in prose()
        numbers = proposals.offsets(anchors[overlaps.argmax()][None], truth)[0]
        assert [f"{number:.3f}" for number in numbers] == ["-0.021", "0.000", "-0.345", "-0.182"]
        boxes, scores = proposals.stand_in(anchors, truth)
        best = scores.argsort(descending=True)[:60]
        assert f"leaves {len(nms(boxes[best], scores[best], 0.7))} of these 60" in prose()
        left = [len(nms(boxes, scores, threshold)) for threshold in (0.7, 0.5, 0.3)]
        said = f"made-up boxes {left[0]} remain, .*at 0.5 it would be {left[1]}, at 0.3 it would be {left[2]}\\."
        assert re.search(said, prose())

    def test_its_code_is_the_scripts(self):
        script = SCRIPT.read_text(encoding="utf-8")
        (block,) = re.findall(r"```py\n(.*?)```", page(), re.DOTALL)
        assert "\n".join(f"    {line}" for line in block.rstrip().splitlines()) in script


def test_the_picture_is_what_the_script_draws():
    file = io.BytesIO()
    proposals.draw().savefig(file, dpi=120)
    drawn, committed = (np.asarray(Image.open(some).convert("RGB"), float) for some in (file, PICTURE))
    assert drawn.shape == committed.shape
    assert np.abs(drawn - committed).mean() < 2  # letters may be drawn a little differently elsewhere
    assert PICTURE.stat().st_size < 200_000
