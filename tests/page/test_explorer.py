"""The explorer in a real browser: what it shows is held against the data it was given, by numpy."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.page.sample import HOSTILE, color_of, decode, make_data, write_page

from netgaze.page import bundle

BORDER = 10
# Read through a copy: a browser advises against reading the canvases themselves, in the console.
PIXEL = """(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  copy.fillStyle = "#fff";
  copy.fillRect(0, 0, 1, 1);
  copy.drawImage(canvas, -x, -y);
  return Array.from(copy.getImageData(0, 0, 1, 1).data);
}"""
FRAMES = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
)
WHITE = (255, 255, 255)
THUMB = ".matches .thumb:not([hidden]) canvas"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages by their options, each written once."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}

    def give(**options):
        key = repr(sorted(options.items()))
        if key not in made:
            data = make_data(**options)
            made[key] = write_page(folder / f"{len(made)}.html", data), data
        return made[key]

    return give


@pytest.fixture
def explore(browser, pages):
    """Opens an explorer; whatever it says in the console fails the test."""
    contexts, said = [], []

    def open_one(fragment="", *, width=1200, height=900, scheme="light", **options):
        path, data = pages(**{"num": 120, "classes": 5, **options})
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri() + fragment)
        return Explorer(page, data)

    yield open_one
    for context in contexts:
        context.close()
    assert said == []


class Explorer:
    """A page with its data, in the words of somebody who uses it."""

    def __init__(self, page, data):
        self.page, self.data, self.set = page, data, data["sets"][0]
        self.networks = self.set["networks"]
        self.labels = decode(self.set["labels"]).astype(int)
        self.index = decode(self.set["index"]).astype(int)
        self.maps = page.locator("canvas.map")
        self.columns = page.locator(".column")
        self.settle()

    def settle(self):
        for _ in range(100):
            self.page.evaluate(FRAMES)
            thumb = self.page.locator(THUMB)
            if thumb.count() == 0 or pixel(thumb.first, 1, 1) != WHITE:
                return
        pytest.fail("the tiles were not drawn")

    def reopen(self):
        self.page.wait_for_timeout(300)
        self.page.reload()
        self.settle()

    def choose(self, label, value):
        self.page.get_by_label(label, exact=True).select_option(str(value))
        self.settle()

    def slide(self, label, value):
        slider = self.page.get_by_label(label, exact=True)
        slider.evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value)
        )
        self.settle()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def first_answers(self, place):
        return decode(self.networks[place]["answers"]["classes"])[:, 0].astype(int)

    def right(self, place):
        return self.first_answers(place) == self.labels

    def place(self, column, row, points=None):
        """Where an image's dot lies on a column's canvas."""
        points = decode(self.networks[column]["maps"]["t-SNE"]) if points is None else points
        size = self.maps.nth(column).evaluate("(canvas) => canvas.clientWidth")
        x, y = points[row] / 65535
        return BORDER + x * (size - 2 * BORDER), BORDER + (1 - y) * (size - 2 * BORDER)

    def alone(self, column, points=None, least=18):
        """Rows whose dots lie far from all others, on the column's canvas."""
        points = decode(self.networks[column]["maps"]["t-SNE"]) if points is None else points
        size = self.maps.nth(column).evaluate("(canvas) => canvas.clientWidth")
        places = points / 65535.0 * (size - 2 * BORDER)
        distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e6 * np.eye(len(places))
        inside = (places > 20).all(1) & (places < size - 40).all(1)
        rows = np.flatnonzero((distances.min(1) > least) & inside)
        assert len(rows) >= 3
        return rows

    def map_pixel(self, column, x, y):
        return pixel(self.maps.nth(column), round(x), round(y))

    def hover(self, column, row):
        x, y = self.place(column, row)
        self.maps.nth(column).hover(position={"x": x, "y": y})
        self.settle()

    def click(self, column, row):
        x, y = self.place(column, row)
        self.maps.nth(column).click(position={"x": x, "y": y})
        self.settle()

    def fix(self, row):
        self.page.evaluate("(hash) => { location.hash = hash; }", f"#image={self.index[row]}")
        self.page.wait_for_timeout(30)
        self.settle()

    def fixed(self):
        """The number of the fixed image."""
        title = self.page.locator(".fixed .title")
        return int(re.search(r"image (\d+):", title.inner_text())[1]) if title.is_visible() else None

    def count(self):
        return int(self.page.locator(".count").inner_text().split()[0].replace(",", ""))

    def shown(self):
        """The numbers of the images among the thumbnails of those that match."""
        thumbs = self.page.locator(".matches .thumb:visible")
        return [int(name) for name in thumbs.evaluate_all("(all) => all.map((one) => one.dataset.id)")]

    def open_part(self, title):
        self.page.locator("summary", has_text=title).click()
        self.settle()


def pixel(canvas, x, y):
    return tuple(canvas.evaluate(PIXEL, [x, y])[:3])


def middle(canvas):
    return pixel(canvas, *canvas.evaluate("(canvas) => [canvas.width >> 1, canvas.height >> 1]"))


def from_hex(text):
    return tuple(int(text[start : start + 2], 16) for start in (1, 3, 5))


def near(color, other, most=40):
    return max(abs(a - b) for a, b in zip(color, other, strict=True)) <= most


def test_dots_lie_where_the_data_says_in_the_colors_of_their_classes(explore):
    view = explore()
    colors = [
        from_hex(color)
        for color in view.page.locator(".entry").evaluate_all("(all) => all.map((one) => one.dataset.color)")
    ]
    assert len(set(colors)) == 5
    for column in (0, 1):
        for row in view.alone(column)[:6]:
            assert near(view.map_pixel(column, *view.place(column, row)), colors[view.labels[row]])


def test_another_map_moves_the_dots(explore):
    view = explore("#map=PCA")
    points = decode(view.networks[0]["maps"]["PCA"])
    for row in view.alone(0, points)[:4]:
        x, y = view.place(0, row, points)
        assert not near(view.map_pixel(0, x, y), WHITE)


def test_hovering_shows_the_image_and_marks_it_in_every_column(explore):
    view = explore()
    row = view.alone(0)[0]
    rings = [view.place(column, row) for column in range(3)]
    before = [view.map_pixel(column, x + 7, y) for column, (x, y) in enumerate(rings)]
    view.hover(0, row)
    tip = view.page.locator(".tip")
    assert near(middle(tip.locator("canvas")), color_of(row), 1)
    assert f"image {view.index[row]}: class {view.labels[row]}" in tip.inner_text()
    for place, line in enumerate(tip.locator("li").all_inner_texts()):
        assert line.startswith("✓" if view.right(place)[row] else "✗")
        assert f"class {view.first_answers(place)[row]} " in line
    ink = from_hex("#1d2430")
    for column, (x, y) in enumerate(rings):
        found = [view.map_pixel(column, x + 7 + step, y) for step in (-1, 0, 1)]
        assert any(near(color, ink, 60) for color in found)
        if column == 0:
            assert before[0] == WHITE, "the ring is what is seen there"
    view.page.mouse.move(2, 2)
    view.settle()
    assert tip.is_hidden()


def test_a_click_fixes_an_image_and_tells_loss_and_rank(explore):
    view = explore()
    row = view.alone(0)[1]
    view.click(0, row)
    assert view.fixed() == view.index[row]
    assert near(middle(view.page.locator(".fixed canvas")), color_of(row), 1)
    for place in range(3):
        losses = decode(view.networks[place]["answers"]["loss"])
        text = view.columns.nth(place).locator(".numbers").inner_text()
        assert f"{1 + (losses > losses[row]).sum()} of 120" in text
        assert f"{float(f'{losses[row]:.4g}'):g} nats" in text
        assert (
            view.columns.nth(place).locator(".verdict").inner_text().startswith("✓" if view.right(place)[row] else "✗")
        )
        share = decode(view.networks[place]["answers"]["shares"])[row, 0] / 65535
        assert f"{100 * share:.1f}%" in view.columns.nth(place).locator(".answers li").first.inner_text()
    said = view.page.locator(".unseen").inner_text()
    assert said.startswith(f"test image {view.index[row]}, class {view.labels[row]}; supervised: class ")


def test_a_number_that_covers_some_images_only(explore):
    view = explore()
    for row in (5, 6, 14):
        view.fix(row)
        given = view.index[row] % 2 == 0 and view.index[row] < 120
        expected = str(view.index[row] % 7) if given else "none"
        assert re.search(rf"prediction depth\s+{expected}\b", view.columns.first.locator(".numbers").inner_text())


def test_a_number_of_the_first_split_is_not_told_of_another(explore):
    view = explore("#image=test:10", splits=2)
    assert re.search(r"prediction depth\s+3\b", view.columns.first.locator(".numbers").inner_text())
    view.page.evaluate("() => { location.hash = '#image=val:10'; }")
    view.page.wait_for_timeout(30)
    view.settle()
    assert re.search(r"prediction depth\s+none\b", view.columns.first.locator(".numbers").inner_text())


def test_a_link_can_be_copied(explore):
    view = explore("#class=1&color=loss")
    view.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    view.page.get_by_role("button", name="Copy link").click()
    field = view.page.get_by_label("link to this view")
    assert field.input_value().endswith(".html#color=loss&class=1")
    assert field.evaluate("(one) => one.selectionEnd - one.selectionStart === one.value.length")


def test_neighbors_are_the_datas_and_shared_ones_are_marked(explore):
    view = explore()
    view.fix(17)
    near_by = [decode(network["neighbors"])[17] for network in view.networks]
    for place in range(3):
        thumbs = view.columns.nth(place).locator(".thumb")
        assert [int(row) for row in thumbs.evaluate_all("(all) => all.map((one) => one.dataset.row)")] == list(
            near_by[place]
        )
        others = {row for other in range(3) if other != place for row in near_by[other]}
        marked = thumbs.evaluate_all("(all) => all.map((one) => one.matches('.shared'))")
        assert marked == [row in others for row in near_by[place]]
        assert all(near(middle(thumbs.nth(i).locator("canvas")), color_of(near_by[place][i]), 1) for i in range(10))
    assert any(set(near_by[0]) & set(other) for other in near_by[1:]), "the sample must share some"
    view.columns.first.locator(".thumb").nth(3).click()
    view.settle()
    assert view.fixed() == view.index[near_by[0][3]]


def test_class_maps_are_red_where_evidence_is_and_vanish_at_no_strength(explore):
    view = explore()
    row = 40
    view.fix(row)
    picture = view.columns.first.locator(".image > canvas")
    width = picture.evaluate("(canvas) => canvas.width")
    red, none, blue = (
        pixel(picture, round(x * width), round(y * width)) for x, y in ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
    )
    assert red[0] > red[2] + 60
    assert blue[2] > blue[0] + 60
    assert max(none) - min(none) < 8
    bare = view.columns.nth(2).locator(".image > canvas")
    assert near(middle(bare), color_of(row), 1)
    view.slide("strength", 0)
    assert near(pixel(picture, 5, 5), color_of(row), 1)
    view.slide("strength", 100)
    stronger = pixel(picture, round(0.1 * width), round(0.1 * width))
    assert stronger[0] - stronger[2] > red[0] - red[2]


def test_another_class_map_can_be_chosen(explore):
    view = explore()
    view.fix(40)
    view.choose("class map of", 3)
    assert "Class map of class 3" in view.columns.first.locator(".image").inner_text()
    view.choose("class map of", "truth")
    assert f"Class map of class {view.labels[40]}" in view.columns.first.locator(".image").inner_text()


def test_filters_count_what_numpy_counts(explore):
    view = explore()
    assert view.count() == 120
    labels, answers, right = view.labels, view.first_answers(0), [view.right(place) for place in range(3)]
    view.choose("class", 2)
    assert view.count() == (labels == 2).sum()
    assert view.shown() == list(view.index[labels == 2][:60])
    view.choose("answer", 2)
    assert view.count() == ((labels == 2) & (answers == 2)).sum()
    view.page.get_by_role("button", name="Clear filters").click()
    for cell, wanted in enumerate(
        (right[0] & right[1], right[0] & ~right[1], ~right[0] & right[1], ~right[0] & ~right[1])
    ):
        view.choose("A and B", cell)
        assert view.count() == wanted.sum()
    view.choose("A and B", -1)
    view.choose("predictions of", 1)
    view.choose("is", 0)
    assert view.count() == (~right[1]).sum()
    view.choose("is", -1)
    losses = decode(view.networks[1]["answers"]["loss"])
    view.page.get_by_label("loss from").fill("0.5")
    view.page.get_by_label("loss to").fill("2")
    view.press("Enter")
    assert view.count() == ((losses >= 0.5) & (losses <= 2)).sum()


def test_what_is_filtered_away_stays_as_a_faint_dot_that_cannot_be_pointed_at(explore):
    view = explore()
    row = view.alone(0)[0]
    view.choose("class", (view.labels[row] + 1) % 5)
    assert near(view.map_pixel(0, *view.place(0, row)), from_hex("#d9dee5"), 12)
    view.hover(0, row)
    assert view.page.locator(".tip").is_hidden()


def test_the_legend_filters(explore):
    view = explore()
    entries = view.page.locator(".entry")
    entries.nth(1).click()
    entries.nth(3).click()
    view.settle()
    assert view.count() == np.isin(view.labels, [1, 3]).sum()
    assert entries.evaluate_all("(all) => all.map((one) => one.getAttribute('aria-pressed'))") == [
        "false",
        "true",
    ] * 2 + ["false"]
    entries.nth(1).click()
    view.settle()
    assert view.count() == (view.labels == 3).sum()
    view.page.get_by_role("button", name="Clear filters").click()
    view.choose("color by", "right")
    view.page.locator(".entry", has_text="incorrect").click()
    view.settle()
    assert view.count() == (~view.right(0)).sum()


def test_right_and_wrong_differ_in_color_and_loss_has_a_bar(explore):
    view = explore("#color=right")
    rows = view.alone(1)
    colors = {
        answer: {view.map_pixel(1, *view.place(1, row)) for row in rows if view.right(1)[row] == answer}
        for answer in (True, False)
    }
    assert colors[True]
    assert all(near(color, from_hex("#0072b2")) for color in colors[True])
    assert all(near(color, from_hex("#d55e00")) for color in colors[False])
    view.choose("color by", "loss")
    losses = decode(view.networks[1]["answers"]["loss"])
    top = max(decode(network["answers"]["loss"]).max() for network in view.networks)
    stops = np.array([from_hex(color) for color in ("#2f9e6b", "#21918c", "#2c728e", "#3b528b", "#472d7b", "#440154")])
    for row in rows:
        share = (np.floor(16 * np.log1p(losses[row]) / np.log1p(top)) + 0.5) / 16
        wanted = [np.interp(share, np.linspace(0, 1, 6), stops[:, channel]) for channel in range(3)]
        assert near(view.map_pixel(1, *view.place(1, row)), wanted, 12)
    assert view.page.locator(".ticks span").last.inner_text() == f"{float(f'{top:.3g}'):g}"


def test_cells_of_the_confusion_matrix_show_their_images(explore):
    view = explore()
    view.open_part("Confusion matrix")
    answers = view.first_answers(0)
    rows = view.page.locator(".counts tbody tr")
    numbers = [[int(cell) for cell in row.locator("td").all_inner_texts()] for row in rows.all()]
    expected = np.zeros((5, 5), int)
    np.add.at(expected, (view.labels, answers), 1)
    assert numbers == expected.tolist()
    label, answer = max(
        zip(*np.nonzero(expected * (1 - np.eye(5, dtype=int))), strict=True), key=lambda cell: expected[cell]
    )
    rows.nth(label).locator("td").nth(answer).locator("button").click()
    view.settle()
    assert view.shown() == list(view.index[(view.labels == label) & (answers == answer)])
    assert rows.nth(label).locator("button[aria-pressed=true]").count() == 1


def test_many_classes_list_their_most_frequent_confusions(explore):
    view = explore(num=400, classes=40, networks=2, snapshots=False)
    view.open_part("Confusion matrix")
    answers = view.first_answers(0)
    wrong = Counter((label, answer) for label, answer in zip(view.labels, answers, strict=True) if label != answer)
    items = view.page.locator(".confusions li")
    assert items.count() == min(30, len(wrong))
    assert int(items.first.locator("button").inner_text()) == max(wrong.values())
    items.first.locator("button").click()
    view.settle()
    assert view.count() == max(wrong.values())


def test_cells_of_the_agreement_table_show_their_images(explore):
    view = explore("#pair=0,1")
    view.open_part("Agreement")
    right = [view.right(0), view.right(1)]
    cells = view.page.locator(".counts .cell")
    masks = [right[0] & right[1], right[0] & ~right[1], ~right[0] & right[1], ~right[0] & ~right[1]]
    assert [int(text) for text in cells.all_inner_texts()] == [mask.sum() for mask in masks]
    cells.nth(1).click()
    view.settle()
    assert view.shown() == list(view.index[masks[1]][:60])


def test_without_two_heads_networks_are_compared_by_votes(explore):
    view = explore("#pair=0,2&cell=only-a")
    votes = decode(view.networks[0]["votes"]["classes"])[:, 0] == view.labels
    assert view.count() == (votes & ~view.right(2)).sum()
    view.open_part("Agreement")
    assert "by votes of their nearest training images" in view.page.locator(".part").nth(1).inner_text()


def test_keys_walk_through_the_images_that_match_and_free(explore):
    view = explore("#class=1,2")
    wanted = list(view.index[np.isin(view.labels, [1, 2])])
    view.maps.first.focus()
    view.press("ArrowRight")
    assert view.fixed() == wanted[0]
    view.press("n", "ArrowRight")
    assert view.fixed() == wanted[2]
    view.press("p", "ArrowLeft", "p")
    assert view.fixed() == wanted[-1]
    view.press("Escape")
    assert view.fixed() is None
    view.page.evaluate("(hash) => { location.hash = hash; }", f"#class=1&image={view.index[50]}")
    view.page.wait_for_timeout(30)
    view.press("n")
    rows = np.flatnonzero(view.labels == 1)
    assert view.labels[50] != 1
    assert view.fixed() == view.index[rows[rows > 50][0]], "an image that does not match has a next one, too"
    view.press("Escape")
    view.page.get_by_label("loss from").focus()
    view.press("n")
    assert view.fixed() is None


def test_maps_zoom_and_go_back(explore):
    view = explore()
    row = min(
        view.alone(0),
        key=lambda row: np.abs(np.subtract(decode(view.networks[0]["maps"]["t-SNE"])[row] / 65535, 0.5)).max(),
    )
    x, y = view.place(0, row)
    size = view.maps.first.evaluate("(canvas) => canvas.clientWidth")
    dot = view.map_pixel(0, x, y)
    view.maps.first.focus()
    view.press("+")
    moved = [size / 2 + 1.5 * (place - size / 2) for place in (x, y)]
    assert all(5 < place < size - 5 for place in moved)
    assert near(view.map_pixel(0, *moved), dot)
    view.press("0")
    assert near(view.map_pixel(0, x, y), dot)
    view.maps.first.hover(position={"x": x, "y": y})
    view.page.mouse.wheel(0, -100)
    view.settle()
    assert near(view.map_pixel(0, x, y), dot)
    view.hover(0, row)
    assert f"image {view.index[row]}:" in view.page.locator(".tip").inner_text()
    view.page.mouse.down()
    view.page.mouse.move(*(offset + 15 for offset in absolute(view, x, y)), steps=3)
    view.page.mouse.up()
    view.settle()
    assert view.fixed() is None, "a drag fixes nothing"
    assert near(view.map_pixel(0, x + 15, y + 15), dot)


def absolute(view, x, y):
    box = view.maps.first.bounding_box()
    return box["x"] + x, box["y"] + y


def test_a_wheel_over_a_map_without_the_focus_scrolls_the_page(explore):
    view = explore(height=400)
    view.maps.first.scroll_into_view_if_needed()
    before = view.page.evaluate("scrollY")
    view.maps.first.hover()
    view.page.mouse.wheel(0, 120)
    view.page.wait_for_timeout(200)
    assert view.page.evaluate("scrollY") > before


def test_the_fragment_brings_the_same_view_back(explore):
    view = explore()
    view.fix(33)
    view.choose("color by", "loss")
    view.choose("map", "PCA")
    view.choose("predictions of", 1)
    view.choose("is", 1)
    view.choose("number", "val/acc")
    view.choose("B", 2)
    view.slide("epoch", 1)
    view.page.wait_for_timeout(300)
    fragment = view.page.evaluate("location.hash")
    words = dict(part.split("=") for part in fragment[1:].split("&"))
    assert words == {
        "image": str(view.index[33]),
        "color": "loss",
        "map": "PCA",
        "by": "1",
        "right": "yes",
        "number": "val%2Facc",
        "pair": "0,2",
        "epoch": "10",
    }
    count = view.count()
    view.reopen()
    assert (view.page.evaluate("location.hash"), view.count(), view.fixed()) == (fragment, count, view.index[33])
    for label, value in {
        "color by": "loss",
        "map": "PCA",
        "predictions of": "1",
        "is": "1",
        "number": "val/acc",
        "B": "2",
    }.items():
        assert view.page.get_by_label(label, exact=True).input_value() == value
    assert view.page.get_by_label("epoch", exact=True).input_value() == "1"
    view.page.get_by_role("button", name="Reset").click()
    view.page.wait_for_timeout(300)
    assert view.page.evaluate("location.hash") == ""


@pytest.mark.parametrize(
    "fragment", ["#image=nine&color=plaid&pair=0&loss=a-b&class=99,x&epoch=7&set=4&cell=all&map=&by=-1", "#rest", "#="]
)
def test_fragments_that_say_nothing_are_let_be(explore, fragment):
    view = explore(fragment)
    assert (view.count(), view.fixed()) == (120, None)
    assert view.page.get_by_label("color by").input_value() == "class"
    if fragment == "#rest":
        view.page.wait_for_timeout(250)
        assert view.page.evaluate("location.hash") == fragment


def test_a_link_followed_on_the_page_is_read(explore):
    view = explore("#class=1")
    view.page.evaluate("() => { location.hash = '#answer=3&loss=0.5-'; }")
    view.page.wait_for_timeout(30)
    view.settle()
    losses = decode(view.networks[0]["answers"]["loss"])
    assert view.count() == ((view.first_answers(0) == 3) & (losses >= 0.5)).sum()


def test_with_several_splits_an_image_is_named_by_both(explore):
    view = explore("#image=val:13", splits=2)
    assert view.page.locator(".fixed .title").inner_text().startswith("val image 13: ")
    row = np.flatnonzero(decode(view.set["split"]) == 1)[2]
    assert near(middle(view.page.locator(".fixed canvas")), color_of(row), 1)
    view.choose("split", 1)
    assert view.count() == 60


def test_epochs_move_the_dots_and_the_answers(explore):
    view = explore("#color=right")
    snapshots = view.networks[0]["snapshots"]
    for place, (epoch, moment) in enumerate(((5, 0), (10, 1), (20, 1))):
        view.slide("epoch", place)
        points, answers = decode(snapshots["maps"])[moment], decode(snapshots["classes"])[moment]
        for row in view.alone(0, points)[:4]:
            wanted = "#0072b2" if answers[row] == view.labels[row] else "#d55e00"
            assert near(view.map_pixel(0, *view.place(0, row, points)), from_hex(wanted))
        assert f"epoch {snapshots['epochs'][moment]}" in view.columns.first.locator(".mapbox").inner_text()
        assert view.page.locator("output").first.inner_text() == str(epoch)
    view.choose("is", 1)
    assert view.count() == (answers == view.labels).sum()
    view.slide("epoch", 3)
    assert view.count() == view.right(0).sum()
    assert "at the end" not in view.columns.nth(2).inner_text()


def test_numbers_under_the_cursor_are_the_runs(explore):
    view = explore()
    for step in (0, 6, 19):
        view.slide("cursor", step)
        for place, run in enumerate(view.data["runs"]):
            series = run["series"]["val/loss"]
            x, y = [pair for pair in zip(series["x"], series["y"], strict=True) if pair[0] <= step + 1][-1]
            text = view.page.locator(".under tr").nth(place).inner_text()
            assert f"{y:.4g} nats" in text
            assert (f"(at {x})" in text) == (x != step + 1)
    chart = view.page.locator(".chart")
    width = chart.evaluate("(canvas) => canvas.clientWidth")
    chart.hover(position={"x": 64 + (width - 78) * 4 / 19, "y": 100})
    view.settle()
    assert view.page.get_by_label("cursor").input_value() == "4"
    view.choose("number", "val/acc")
    assert (
        f"{1 - view.data['runs'][0]['series']['val/loss']['y'][-1] / 3:.4g}"
        in view.page.locator(".under tr").first.inner_text()
    )


def test_only_settings_that_differ_are_shown(explore):
    view = explore()
    table = view.page.get_by_role("group", name="Settings that differ")
    assert table.locator("tbody th").all_inner_texts() == ["task", "optim.lr"]
    assert table.locator("tbody tr").nth(1).locator("td").all_inner_texts() == [
        run["settings"]["optim.lr"] for run in view.data["runs"]
    ]


def test_the_wipe_shows_a_to_the_left_and_b_to_the_right(explore):
    view = explore("#pair=0,2")
    view.open_part("Wipe")
    canvas = view.page.locator("canvas.wipe")
    assert canvas.is_hidden()
    view.fix(60)
    view.choose("pair: A", 0)
    view.choose("B", 2)
    assert canvas.is_visible()
    left, right = pixel(canvas, 80, 80), pixel(canvas, 720, 720)
    assert left[0] > left[2] + 60, "A has a class map"
    assert near(right, color_of(60), 1), "B has none"
    view.slide("divider", 0)
    assert near(pixel(canvas, 80, 80), color_of(60), 1)
    view.slide("divider", 100)
    below = pixel(canvas, 720, 720)
    assert below[2] > below[0] + 60


@pytest.mark.parametrize("options", [{}, {"classes": 40, "num": 60}])
def test_hostile_names_are_text_and_nothing_runs(explore, options):
    view = explore("#image=10&color=agreement", hostile=True, **{"classes": 8, **options})
    page = view.page
    for part in page.locator("summary").all():
        if not part.evaluate("(one) => one.parentElement.open"):
            part.click()
    view.settle()
    names = page.locator(".column h3 bdi")
    assert names.all_text_contents() == [network["label"] for network in view.networks]
    assert names.evaluate_all("(all) => all.map((one) => one.title)") == [network["label"] for network in view.networks]
    assert HOSTILE[5] in page.locator(".column").nth(1).locator("h3").text_content()
    assert page.evaluate("window.pwned") is None
    assert page.locator(".explorer :is(script, img, b)").count() == 0
    assert page.locator("[style*=pwned]").count() == 0
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    wide = page.locator(".explorer bdi").evaluate_all("(all) => Math.max(...all.map((one) => one.offsetWidth))")
    assert wide <= 600


def test_without_scripts_the_still_picture_is_shown_and_no_empty_control(browser, pages):
    path, _ = pages(num=120, classes=5)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.locator(".still img").is_visible()
        assert page.locator(".explorer").is_hidden()
        assert page.locator("#explore :is(button, select, input, canvas, summary)").count() == 0


def test_a_page_without_an_explorer_is_left_alone(browser, tmp_path):
    path = write_page(tmp_path / "page.html", None)
    with browser.new_context() as context:
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        assert page.locator(".explorer, .live, button").count() == 0
        assert said == []


def test_on_paper_the_still_picture_stands_for_the_live_part(explore):
    view = explore()
    still, live = view.page.locator(".still img"), view.page.locator(".explorer")
    assert (still.is_visible(), live.is_visible()) == (False, True)
    view.page.emulate_media(media="print")
    assert (still.is_visible(), live.is_visible()) == (True, False)


@pytest.mark.parametrize(("width", "height"), [(360, 700), (320, 225)])
def test_narrow_and_enlarged_pages_do_not_scroll_sideways(explore, width, height):
    view = explore("#image=10", width=width, height=height, networks=8, classes=12)
    for part in view.page.locator("summary").all():
        if not part.evaluate("(one) => one.parentElement.open"):
            part.click()
    view.settle()
    assert view.page.evaluate("document.scrollingElement.scrollWidth") <= width
    last = view.columns.nth(7).locator("canvas.map")
    last.evaluate("(canvas) => canvas.scrollIntoView({ block: 'center', inline: 'end' })")
    place = last.bounding_box()
    view.page.mouse.move(place["x"] + 30, place["y"] + min(30, place["height"] / 2))
    view.settle()
    assert view.page.evaluate("document.scrollingElement.scrollWidth") <= width
    box = last.bounding_box()
    assert box["x"] >= -1
    assert box["x"] + box["width"] <= width + 1


def test_dark_pages_have_dark_maps_and_light_dots(explore):
    view = explore(scheme="dark")
    dark = view.page.evaluate("getComputedStyle(document.querySelector('.explorer select')).backgroundColor")
    assert dark == "rgb(20, 24, 31)"
    row = view.alone(0)[0]
    before = view.map_pixel(0, *view.place(0, row))
    view.page.emulate_media(color_scheme="light")
    view.settle()
    assert view.map_pixel(0, *view.place(0, row)) != before


def test_every_control_has_a_name(explore):
    view = explore("#image=10")
    for part in view.page.locator("summary").all():
        if not part.evaluate("(one) => one.parentElement.open"):
            part.click()
    view.settle()
    tree = view.page.locator(".explorer").aria_snapshot()
    roles = "button|combobox|slider|spinbutton|textbox|img|application|region"
    assert len(re.findall(rf"^\s*- (?:{roles}) \"", tree, re.MULTILINE)) > 60
    assert re.findall(rf"^\s*- (?:{roles})(?! \").*", tree, re.MULTILINE) == []
    assert [f'region "{network["label"]}"' in tree for network in view.networks] == [True] * 3


def test_the_focus_reaches_everything_in_the_order_of_the_page(explore):
    view = explore("#image=10", num=20, classes=2, networks=2)
    for part in view.page.locator("summary").all():
        if not part.evaluate("(one) => one.parentElement.open"):
            part.click()
    view.settle()
    number = """() => {
      const all = document.querySelectorAll(".explorer :is(button, select, input, summary, [tabindex])");
      const seen = [...all].filter((one) => one.checkVisibility());
      seen.forEach((one, place) => { one.dataset.place = place; });
      document.querySelector("nav a").focus();
      return seen.length;
    }"""
    total = view.page.evaluate(number)
    found = []
    for _ in range(total):
        view.page.keyboard.press("Tab")
        found.append(view.page.evaluate("Number(document.activeElement.dataset.place ?? -1)"))
    assert total > 60
    assert found == list(range(total))


def test_folding_a_column_hides_its_body(explore):
    view = explore()
    button = view.columns.first.get_by_role("button", name="fold supervised")
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    view.settle()
    assert view.maps.first.is_hidden()
    assert view.columns.first.locator("header button").get_attribute("aria-expanded") == "false"
    view.columns.first.locator("header button").click()
    view.settle()
    row = view.alone(0)[0]
    assert not near(view.map_pixel(0, *view.place(0, row)), WHITE)


def test_parts_that_are_missing_are_left_out(browser, tmp_path):
    data = make_data(20, 2, 2, snapshots=False)
    for network in data["sets"][0]["networks"]:
        for part in ("maps", "answers", "votes", "own", "neighbors", "heat", "values"):
            network.pop(part, None)
    del data["runs"]
    with browser.new_context() as context:
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(write_page(tmp_path / "page.html", data).as_uri() + "#image=7")
        view = Explorer(page, data)
        text = view.columns.first.inner_text()
        assert all(words in text for words in ("No such map", "No class map", "No predictions"))
        for color in ("right", "loss", "agreement"):
            view.choose("color by", color)
        for part in page.locator("summary").all():
            part.click()
        view.settle()
        assert page.get_by_label("cursor").count() == 0
        assert said == []


def test_several_sets_are_chosen_between(browser, tmp_path):
    data = make_data(30, 3, 2)
    data["sets"].append({**make_data(40, 4, 3)["sets"][0], "name": "other"})
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(write_page(tmp_path / "page.html", data).as_uri() + "#class=1")
        view = Explorer(page, data)
        assert (view.columns.count(), view.page.locator(".count").inner_text().split(" of ")[1]) == (2, "30 images")
        view.choose("images", 1)
        assert (view.columns.count(), view.count()) == (3, 40)
        page.wait_for_timeout(300)
        assert page.evaluate("location.hash") == "#set=1"
        view.reopen()
        assert (view.columns.count(), view.count()) == (3, 40)


def test_modules_that_define_a_name_twice_are_refused():
    with pytest.raises(ValueError, match=r"got twice in one\.js and in two\.js"):
        bundle.join({"one": "const twice = 1;\n", "two": "export function twice() {}\n"})


def test_a_module_that_imports_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"expected one\.js, before two\.js, to export b"):
        bundle.join({"one": "export const a = 1;\n", "two": 'import { a, b } from "./one.js";\n'})


def test_a_script_that_would_end_its_element_is_refused():
    with pytest.raises(ValueError, match="ends or opens markup"):
        bundle.join({"one": 'const a = "</script>";\n'})


def test_every_module_is_in_the_script_once():
    folder = {path.stem for path in Path(bundle.__file__).parent.glob("*.js")}
    assert folder == set(bundle.ORDER)
    script = bundle.script()
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|eval|fetch|Worker)\b", script)
