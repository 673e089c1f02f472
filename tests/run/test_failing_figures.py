"""A figure that fails costs that figure, never the numbers: in runs, chains, sweeps, analyses and notebooks."""

import json
import shutil

import pytest
from tests.commands import command
from tests.conftest import TINY
from tests.tiny_runs import read_history, read_metrics, read_run, same, weights

from netgaze import analysis, analyze, fit
from netgaze.errors import NetgazeError
from netgaze.figures.confusion import Confusion
from netgaze.figures.curves import Curves
from netgaze.figures.filters import Filters
from netgaze.figures.knn import Knn

pytestmark = pytest.mark.slow  # each test trains

FIGURES = "figure=[curves,confusion,filters]"
WORDS = [*TINY, "trainer.max_epochs=1", "control=null", "hydra.run.dir=run"]


@pytest.fixture
def breaking(monkeypatch):
    """Call it with a figure's class and one of its hooks: from now on it raises there, until it is called with None."""

    def break_hook(figure, hook, error):
        def fail(self, *arguments):
            raise error

        if error is None:
            monkeypatch.undo()
        else:
            monkeypatch.setattr(figure, hook, fail)

    return break_hook


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run whose figures are all there."""
    folder = tmp_path_factory.mktemp("whole")
    code, printed = command(*WORDS, FIGURES, cwd=folder)
    assert code == 0, printed
    return folder / "run"


def pictures_of(folder):
    return sorted(path.stem for path in (folder / "figures").glob("*.png"))


def age_of(folder, name="checkpoints/last.ckpt"):
    return (folder / name).stat().st_mtime_ns


@pytest.mark.parametrize(
    ("hook", "error", "said"),
    [
        ("compute", ValueError("no\nway"), "ValueError: no way"),
        ("draw", NetgazeError("It cannot be drawn."), "It cannot be drawn."),
        ("files", MemoryError(), "MemoryError"),
        ("table", ValueError("boom"), "ValueError: boom"),
    ],
)
def test_the_rest_of_the_run_is_there_and_resume_draws_what_is_missing(
    hook, error, said, breaking, whole, tmp_path, monkeypatch
):
    breaking(Confusion, hook, error)
    code, printed = command(*WORDS, FIGURES, cwd=tmp_path)
    run = tmp_path / "run"
    assert code == 0, printed
    assert "Traceback" not in printed
    assert f"confusion failed: {said}" in printed
    assert pictures_of(run) == ["curves", "filters"]
    facts = read_run(run)
    assert facts["status"] == "finished"
    assert list(facts["figures_failed"]) == ["confusion"]
    assert facts["figures_failed"]["confusion"]["error"] == said
    assert "raise error" in facts["figures_failed"]["confusion"]["trace"]
    assert read_metrics(run) == read_metrics(whole)
    breaking(None, None, None)
    before = age_of(run), age_of(run, "figures/curves.png")
    code, printed = command("resume=run", cwd=tmp_path)
    assert code == 0, printed
    assert (age_of(run), age_of(run, "figures/curves.png")) == before, "neither trained nor drawn anew"
    assert pictures_of(run) == ["confusion", "curves", "filters"]
    assert read_run(run)["figures_failed"] == {}
    assert read_run(run)["status"] == "finished"
    assert json.loads((run / "figures" / "confusion.json").read_text())["numbers"]
    assert len(list((run / "tensorboard").glob("events*"))) == 2, "results and hyperparameters, and no earlier ones"
    before = age_of(run, "run.json")
    code, printed = command("resume=run", cwd=tmp_path)
    assert "is already finished" in printed
    assert age_of(run, "run.json") == before


def test_strict_fails_in_the_end(breaking, tmp_path):
    breaking(Confusion, "draw", ValueError("boom"))
    code, printed = command(*WORDS, FIGURES, "figures.strict=true", cwd=tmp_path)
    assert code == 1
    assert "Error: run: confusion: ValueError: boom (figures.strict=true" in printed
    assert read_run(tmp_path / "run")["status"] == "finished"
    assert read_metrics(tmp_path / "run")["test/acc"] >= 0
    assert pictures_of(tmp_path / "run") == ["curves", "filters"]


def test_strictness_can_be_typed_when_the_run_is_taken_up_again(breaking, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    before = age_of(tmp_path / "run")
    breaking(Confusion, "draw", ValueError("boom"))
    (tmp_path / "run" / "figures" / "confusion.png").unlink()
    code, printed = command("resume=run", "figures.strict=true", cwd=tmp_path)
    assert code == 1
    assert "confusion: ValueError: boom" in printed
    assert age_of(tmp_path / "run") == before
    code, printed = command("resume=run", cwd=tmp_path)
    assert code == 0, printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "confusion: ValueError: boom"),
        (["task=siamese", "optim.lr=0.01"], "confusion: siamese has no classes"),
    ],
)
def test_where_nothing_was_drawn_the_command_fails(words, said, breaking, tmp_path):
    breaking(Confusion, "compute", ValueError("boom"))
    code, printed = command(*WORDS, *words, "figure=[confusion]", cwd=tmp_path)
    assert code == 1
    assert f"No figure was drawn; the numbers were written. {said}." in printed
    assert read_run(tmp_path / "run")["status"] == "finished"
    assert "test/loss" in read_metrics(tmp_path / "run")


def test_a_kill_between_numbers_and_figures_leaves_the_numbers(whole, tmp_path, monkeypatch):
    def interrupt(*arguments):
        written.update(read_metrics(tmp_path / "run"))
        raise KeyboardInterrupt

    written = {}
    monkeypatch.setattr(Curves, "compute", interrupt)
    code, printed = command(*WORDS, FIGURES, cwd=tmp_path)
    run = tmp_path / "run"
    assert code == 130, printed
    assert written == read_metrics(run) == read_metrics(whole)
    assert read_run(run)["status"] == "interrupted"
    assert list((run / "tensorboard").glob("events*"))
    before = age_of(run)
    monkeypatch.undo()
    code, printed = command("resume=run", cwd=tmp_path)
    assert code == 0, printed
    assert age_of(run) == before, "training was over"
    assert pictures_of(run) == ["confusion", "curves", "filters"]
    assert read_metrics(run) == read_metrics(whole)


def test_a_picture_that_is_gone_is_drawn_and_what_was_left_out_is_not_asked_again(tmp_path):
    words = [*WORDS, "figure=[curves,filters,knn]", "trainer.max_epochs=0"]
    code, printed = command(*words, cwd=tmp_path)
    run = tmp_path / "run"
    assert code == 0, printed
    assert list(read_run(run)["figures_left_out"]) == ["curves"], "there is no epoch"
    numbers = read_metrics(run)
    (run / "figures" / "knn.png").unlink()
    code, printed = command("resume=run", cwd=tmp_path)
    assert "Drawing what is missing: knn" in printed
    assert pictures_of(run) == ["filters", "knn"]
    assert read_metrics(run) == numbers
    assert list(read_run(run)["figures_left_out"]) == ["curves"]
    assert "is already finished" in command("resume=run", cwd=tmp_path)[1]


def test_numbers_of_a_figure_that_failed_come_when_it_is_drawn(breaking, tmp_path):
    breaking(Knn, "compute", ValueError("boom"))
    words = [*WORDS, "figure=[filters,knn]"]
    assert command(*words, cwd=tmp_path)[0] == 0
    assert "test/knn20" not in read_metrics(tmp_path / "run")
    breaking(None, None, None)
    assert command("resume=run", cwd=tmp_path)[0] == 0
    assert 0 <= read_metrics(tmp_path / "run")["test/knn20"] <= 1


def test_a_number_is_kept_where_only_the_picture_failed(breaking, tmp_path):
    breaking(Knn, "draw", ValueError("boom"))
    assert command(*WORDS, "figure=[filters,knn]", cwd=tmp_path)[0] == 0
    assert 0 <= read_metrics(tmp_path / "run")["test/knn20"] <= 1


def test_another_setting_of_a_figure_trains_nothing_after_an_early_stop(tmp_path):
    words = [*WORDS, FIGURES, "trainer.max_epochs=9", "trainer.patience=1", "optim.lr=0.0"]
    assert command(*words, cwd=tmp_path)[0] == 0
    before = age_of(tmp_path / "run"), len(read_history(tmp_path / "run"))
    assert before[1] < 9
    code, printed = command("resume=run", "figure.filters.save_each=true", cwd=tmp_path)
    assert code == 0, printed
    assert (age_of(tmp_path / "run"), len(read_history(tmp_path / "run"))) == before
    assert list((tmp_path / "run" / "figures" / "filters").rglob("*.png"))


def test_a_figure_that_fails_while_training_costs_its_numbers_of_that_epoch(breaking, whole, tmp_path):
    breaking(Knn, "compute", ValueError("boom"))
    words = [*WORDS, FIGURES, "callback.online_eval.every=1", "trainer.max_epochs=2"]
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    assert printed.count("knn fails while training, and has no numbers: ValueError: boom") == 1
    history = read_history(tmp_path / "run")
    assert len(history) == 2
    assert not any("knn" in name for row in history for name in row)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Teacher and student whose comparison and whose last stage lack a picture."""
    folder = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Filters, "draw", lambda *arguments: 1 / 0)
        words = ["task=teacher_student", "data.per_class=4", "data.epoch_size=80", "stages.pseudo_labels.task.k=6"]
        code, printed = command(*WORDS, *words, "figure=[confusion,filters]", cwd=folder)
    assert code == 0, printed
    return folder / "run"


def test_a_chain_says_what_failed_and_draws_it_later(chain, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(chain, run)
    page = (run / "stages" / "report.html").read_text(encoding="utf-8")
    assert "This figure failed: ZeroDivisionError: division by zero" in page
    assert list(read_run(run)["figures_failed"]) == ["filters"]
    code, printed = command("resume=run", cwd=tmp_path)
    assert code == 0, printed
    assert same(weights(run), weights(chain))
    assert "filters" in pictures_of(run)
    assert "filters" in pictures_of(run / "stages")
    assert "This figure failed" not in (run / "stages" / "report.html").read_text(encoding="utf-8")
    before = age_of(run, "stages/report.html")
    assert "is already finished" in command("resume=run", cwd=tmp_path)[1]
    assert age_of(run, "stages/report.html") == before


def test_a_stage_whose_figure_is_gone_draws_it(chain, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(chain, run)
    picture = run / "stages" / "pseudo_labels" / "figures" / "pseudo_labels.png"
    picture.unlink()
    code, printed = command("resume=run", cwd=tmp_path)
    assert code == 0, printed
    assert picture.exists()


@pytest.mark.parametrize("strict", [False, True])
def test_a_sweep_ends_with_its_table_and_page(strict, breaking, tmp_path, monkeypatch):
    breaking(Confusion, "draw", ValueError("boom <b>"))
    monkeypatch.setattr(analysis, "PLOTS", {"sweep": lambda *arguments: 1 / 0})
    words = [word for word in WORDS if not word.startswith("hydra")]
    words += [FIGURES, "seed=0,1", "hydra.sweep.dir=sweep", f"figures.strict={str(strict).lower()}"]
    code, printed = command("-m", *words, cwd=tmp_path)
    assert code == int(strict), printed
    page = (tmp_path / "sweep" / "report.html").read_text(encoding="utf-8")
    assert "This figure failed: ValueError: boom &lt;b&gt;" in page
    assert "This figure failed: ZeroDivisionError: division by zero" in page
    assert (tmp_path / "sweep" / "results.csv").read_text().count("finished") == 2
    assert ("Run 0 failed: sweep/0: confusion: ValueError" in printed) == strict
    assert "Traceback" not in printed


def test_an_analysis_shows_what_failed_in_its_place(breaking, whole, tmp_path):
    breaking(Confusion, "table", ValueError("boom"))
    words = [f"runs={whole}", "control=null", "hydra.run.dir=looked"]
    code, printed = command(*words, "figure=[filters,confusion]", cwd=tmp_path, script="analyze.py")
    assert code == 0, printed
    page = (tmp_path / "looked" / "report.html").read_text(encoding="utf-8")
    assert page.index('id="filters"') < page.index('id="confusion"') < page.index("This figure failed: ValueError")
    assert pictures_of(tmp_path / "looked") == ["filters"]
    strict = [*words, "figure=[filters,confusion]", "figures.strict=true"]
    code, printed = command(*strict, cwd=tmp_path, script="analyze.py")
    assert code == 1
    assert "Error: looked: confusion: ValueError: boom (figures.strict=true" in printed
    code, printed = command(*words, "figure=[confusion]", cwd=tmp_path, script="analyze.py")
    assert code == 1
    assert "No figure was drawn" in printed
    assert "This figure failed" in (tmp_path / "looked" / "report.html").read_text(encoding="utf-8")


def test_a_notebook_keeps_its_run(breaking, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    breaking(Confusion, "draw", ValueError("boom <b>"))
    run = fit([*WORDS, FIGURES])
    assert run.metrics == read_metrics(whole)
    assert "confusion failed: ValueError: boom &lt;b&gt;" in run._repr_html_()
    looked = analyze([f"runs=[{run.folder}]", "figure=[filters,confusion]", "control=null"])
    assert [path.stem for path in looked.figures] == ["filters"]
    with pytest.raises(NetgazeError, match="No figure was drawn"):
        analyze([f"runs=[{run.folder}]", "figure=[confusion]", "control=null"])
    with pytest.raises(NetgazeError, match=r"confusion: ValueError: boom <b> \(figures.strict=true"):
        fit([f"resume={run.folder}", "figures.strict=true"])


def test_what_control_does_not_know_is_said_before_training(tmp_path):
    code, printed = command(*TINY, "control=full", "hydra.run.dir=run", cwd=tmp_path)
    assert code == 1
    assert "control=full" in printed
    assert not (tmp_path / "run" / "checkpoints").exists()
