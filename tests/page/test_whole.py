"""Pages of real runs in a real browser: a report, and what a notebook shows of the same networks."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from tests.conftest import TINY
from tests.tiny_runs import analyze, train

from netgaze.drawing.examples import to_rgb
from netgaze.notebook import look
from netgaze.run import Run

pytestmark = pytest.mark.slow  # it trains


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for task in ("supervised", "rotation"):
        train(folder / task, *TINY, f"task={task}", "figure=[]", "control=null")
    return [Run(folder / task) for task in ("supervised", "rotation")]


@pytest.fixture(scope="module")
def folder(runs, tmp_path_factory):
    both, seen = f"runs=[{','.join(str(run.folder) for run in runs)}]", tmp_path_factory.mktemp("seen")
    analyze(seen / "alone", both, "figure=[explore]")
    analyze(seen / "report", both, "figure=[curves,explore]")
    assert not (seen / "report" / "explore.html").exists()
    return seen


@pytest.fixture
def open_page(browser):
    opened = []

    def open_one(path):
        page, said = browser.new_page(viewport={"width": 1300, "height": 1000}), []
        opened.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        return page, said

    yield open_one
    for page in opened:
        page.close()


@pytest.mark.parametrize("name", ["report/report.html", "alone/explore.html"])
def test_a_page_shows_the_images_of_its_networks(name, folder, runs, open_page):
    subject = runs[0].subject
    index = int(len(subject.data.labels("test")) // 2)
    page, said = open_page((folder / name).as_uri() + f"#image={index}")
    page.wait_for_selector(".fixed .picture")
    label = subject.data.class_names[int(subject.data.labels("test")[index])]
    assert f"test image {index}: {label}" in page.inner_text(".fixed")
    assert page.locator(".column h3").all_inner_texts()[:2] == ["supervised", "rotation"]
    drawn = page.locator(".fixed .picture").screenshot()
    found = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB").resize((28, 28)), float).ravel()
    pictures = [
        Image.fromarray(it).resize((28, 28))
        for it in to_rgb(subject.data.images("test", range(len(subject.data.labels("test")))))
    ]
    likeness = [np.corrcoef(found, np.asarray(it, float).ravel())[0, 1] for it in pictures]
    assert int(np.argmax(likeness)) == index
    answers = subject.outputs("test").probabilities[index]
    best = subject.task.class_names[int(answers.argmax())]
    assert re.search(rf"^{re.escape(best)}( \(true\))?$", page.locator(".column .answers li .who").first.inner_text())
    assert said == []


def test_of_a_report_nothing_is_lost(folder, open_page):
    page, said = open_page((folder / "report" / "report.html").as_uri())
    assert page.locator("section#curves figure img").is_visible()
    assert page.locator("section#explore .still").is_hidden()
    assert page.locator("nav a").first.inner_text() == "Explore"
    page.emulate_media(media="print")
    assert page.locator("section#explore .still img").is_visible()
    assert page.locator("section#explore .explorer").is_hidden()
    assert said == []


def test_a_notebook_shows_it_in_its_cell(runs, tmp_path, open_page):
    seen = look("explore", *runs, control=None)
    picture, numbers = seen
    assert picture is seen.picture
    assert numbers.loc["num_images"].nunique() == 1
    (tmp_path / "cell.html").write_text(f"<!doctype html><meta charset=utf-8>{seen._repr_html_()}", encoding="utf-8")
    page, said = open_page((tmp_path / "cell.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".matches .thumb").first.click()
    assert frame.locator(".fixed .picture").is_visible()
    assert frame.locator(".column").count() == 2
    assert "srcdoc" not in look("knn", *runs, control=None)._repr_html_()
    assert said == []
