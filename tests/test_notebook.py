"""From a notebook: the command line's words and its bits, nothing left behind, and the tour that a person runs."""

import logging
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.figure import Figure
from nbclient import NotebookClient
from tests.conftest import CONF, ROOT, TINY, typed
from tests.tiny_runs import read_rows, same, weights

import netgaze
from netgaze import analyze, fit, look, open_run
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.knn import Knn
from netgaze.inline import Comparison
from netgaze.notebook import _product

pytestmark = pytest.mark.slow  # each test trains

WORDS = [*TINY, "figure=[curves]"]
TOUR = ROOT / "notebooks" / "transfer.ipynb"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(autouse=True)
def there(place, monkeypatch):
    monkeypatch.chdir(place)


@pytest.fixture(scope="module")
def run(place):
    """A run in a folder below the working directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return fit([*WORDS, "task=rotation"])


class Norms(netgaze.figure.Figure):
    """A figure that no YAML knows, from a cell without a file."""

    title, question, needs, metrics = "Norms", "How long are the features?", ("features",), ()

    def compute(self, subject):
        norms = subject.features(subject.split).norm(dim=1)
        return Finding({"mean": float(norms.mean()), "all": norms.tolist()}, {"norms": norms.numpy()})

    def draw(self, findings):
        picture = Figure()
        for label, finding in findings.items():
            picture.gca().hist(finding.arrays["norms"], label=label)
        return picture


def test_a_run_lies_where_the_command_line_would_put_it(run):
    assert run.folder.parts[:2] == ("outputs", "rotation")
    for name in ("run.json", "metrics.json", "history.csv", "train.log", ".hydra/config.yaml", "figures/curves.png"):
        assert (run.folder / name).stat().st_size > 0


def test_the_same_words_give_the_same_bits_the_second_time_too(run):
    """The command line's process is a fresh one; here another run with another seed came between."""
    fit([*WORDS, "task=supervised", "seed=3", "trainer.deterministic=false"])
    again = fit([*WORDS, "task=rotation"])
    code, printed = typed(*WORDS, "task=rotation", "hydra.run.dir=typed", cwd=run.folder.parents[2].resolve())
    assert code == 0, printed
    (there,) = [path.parent for path in run.folder.parents[2].glob("typed/run.json")]
    assert same(weights(run.folder), weights(there))
    assert same(weights(again.folder), weights(there))
    assert read_rows(again.folder) == read_rows(there)
    stored = [(folder / ".hydra" / "config.yaml").read_text() for folder in (again.folder, there)]
    assert stored[0] == stored[1]


def test_nothing_is_left_behind(run, capsys):
    logger = logging.getLogger("netgaze")
    before = list(logger.handlers), logger.level, logger.propagate, list(logging.getLogger().handlers)
    for _ in range(2):
        fit([*WORDS, "trainer.max_epochs=1"])
        assert capsys.readouterr().out.count("epoch 1/1") == 1
        assert (list(logger.handlers), logger.level, logger.propagate, list(logging.getLogger().handlers)) == before
        assert not GlobalHydra.instance().is_initialized()


def test_a_hydra_of_the_callers_own_stays(place):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        own = GlobalHydra.instance().hydra
        fit([*WORDS, "trainer.max_epochs=0", "figure=[]"])
        assert GlobalHydra.instance().hydra is own


def test_a_run_shows_itself(run):
    assert run.history["epoch"].tolist() == [1, 2]
    assert run.metrics["best/epoch"] in (1, 2)
    assert [path.name for path in run.figures] == ["curves.png"]
    assert len(run.subject.features("test")) == run.subject.data.labels("test").numel()
    shown = run._repr_html_()
    assert "test/acc" in shown
    assert shown.count("data:image/png;base64,") == 1


def test_a_sweep_ends_in_a_table_and_a_failed_run_stays_in_it(place, capsys):
    swept = fit(["-m", *WORDS, "task=supervised,finetune", "optim.lr=0.05,1e30", "hydra.sweep.dir=sweep"])
    assert isinstance(swept, Comparison)
    assert swept.table["optim.lr"].tolist() == [0.05, 0.05, 1e30, 1e30]
    assert swept.table["task"].tolist() == ["supervised", "finetune", "supervised", "finetune"]
    assert swept.table["status"].tolist() == ["finished", "finished", "failed", "failed"]
    assert swept.report.stat().st_size > 0
    assert "curves.png" in [path.name for path in swept.figures]
    assert "winner" in swept.winner.lower()
    assert capsys.readouterr().err.count("non-finite") == 2
    assert sorted(path.name for path in swept.folder.iterdir() if path.is_dir()) == ["0", "1", "2", "3", "figures"]
    again = fit([f"resume={swept.folder}"])
    assert capsys.readouterr().out.count("is already finished") == 2
    assert again.table.shape == swept.table.shape


@pytest.mark.parametrize(
    "words", [["seed=1,2", "a=3", "b=x,y"], ["a=1", "b='p,q'", "a=2,3"], ["a=1,2", "a=3"], ["a=[1,2],3"]]
)
def test_jobs_are_those_that_hydra_would_start(words):
    parsed = OverridesParser.create().parse_overrides(words)
    assert [list(job) for job in _product(parsed)] == BasicSweeper.split_arguments(parsed, None)[0]


@pytest.mark.parametrize(
    ("words", "tasks"), [([], ["Supervised", "Rotation", "SimCLR"]), (["task=rotation"], ["Rotation"])]
)
def test_an_experiment_says_what_is_swept_unless_it_is_typed(words, tasks, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("netgaze.notebook._train", lambda config, *_: started.append(config.task["_target_"]))
    monkeypatch.setattr("netgaze.analysis.compare", lambda folder: [])
    monkeypatch.setattr("netgaze.notebook.name_winner", lambda rows: "")
    fit(["-m", "experiment=quickstart", *words, f"hydra.sweep.dir={tmp_path}"])
    assert [target.rpartition(".")[2] for target in started] == tasks


def test_a_run_goes_on(run, place):
    begun = fit([*WORDS, "schedule=constant", "hydra.run.dir=begun"])
    gone_on = fit([f"resume={begun.folder}", "trainer.max_epochs=3"])
    assert gone_on.folder == begun.folder.resolve()
    assert gone_on.history["epoch"].tolist() == [1, 2, 3]


def test_analyze_lays_side_by_side(run):
    other = fit([*WORDS, "task=rotation", "optim.lr=0.01"])
    seen = analyze([f"runs=[{run.folder},{other.folder}]", "figure=[filters]", "labels=[fast,slow]"])
    assert seen.table.index.tolist() == ["fast", "slow"]
    assert seen.figures[0].name == "filters.png"
    assert seen.winner.startswith(("Winner: fast", "Winner: slow", "No single winner"))
    assert "<table" in seen._repr_html_()


def test_a_figure_of_ones_own(run):
    before = sorted(run.folder.rglob("*"))
    picture, numbers = look(Norms(), run)
    assert isinstance(picture, Figure)
    assert isinstance(numbers, pd.DataFrame)
    assert numbers.columns.tolist() == ["rotation", "untrained", "raw pixels"]
    norms = run.subject.features("test").norm(dim=1)
    assert numbers.loc["mean", "rotation"] == pytest.approx(float(norms.mean()))
    assert "all" not in numbers.index
    assert sorted(run.folder.rglob("*")) == before
    named = look("knn", open_run(run.folder, label="a"), run.folder, control=None)
    assert named.numbers.columns.tolist() == ["a", "rotation"]
    assert named.numbers["a"].to_dict() == Knn().compute(run.subject).numbers
    assert "data:image/png;base64," in named._repr_html_()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: fit(["task=rotatoin"]), "There is no task=rotatoin. Did you mean rotation?"),
        (lambda run: fit(["optim.lr=0.1,0.2"]), "Add -m"),
        (lambda run: fit(["--cfg", "job"]), "no other flags"),
        (lambda run: fit("task=rotation data=shapes"), "['task=rotation', 'data=shapes']"),
        (lambda run: fit(["resume=nowhere"]), "there is no run"),
        (lambda run: analyze(["figure=[knn]"]), "runs is missing"),
        (lambda run: analyze(["-m", "runs=[a]"]), "no other flags"),
        (lambda run: look("kn", run), "There is no figure=kn. Did you mean knn?"),
        (lambda run: look("knn", run.subject, run.subject), "a title of its own"),
        (lambda run: look("knn"), "nothing to look at"),
    ],
)
def test_a_mistake_gets_the_command_lines_sentence(ask, said, run):
    with pytest.raises(NetgazeError) as error:
        ask(run)
    assert said in str(error.value)


def test_importing_the_package_stays_light():
    code = "import sys, netgaze; print([m for m in ('torch', 'hydra', 'pandas', 'numpy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = netgaze.nonsense


def test_without_pandas_a_sentence(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NetgazeError, match=r"pip install 'netgaze\[notebook\]'"):
        _ = run.history
    assert run.epochs[0]["epoch"] == 1, "the rows themselves need no pandas"


def cells(kind):
    return [cell for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == kind]


def test_the_tour_is_committed_without_outputs():
    nbformat.validate(nbformat.read(TOUR, as_version=4))
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells("code"))


def test_the_tour_runs(tmp_path, monkeypatch):
    """As a person runs it, but for the epochs."""
    monkeypatch.setenv("NETGAZE_DATA", str(tmp_path / "none"))
    tour = nbformat.read(TOUR, as_version=4)
    assert sum(cell.source.count("max_epochs=12") for cell in tour.cells) == 2
    for cell in tour.cells:
        cell.source = cell.source.replace("max_epochs=12", "max_epochs=2")
    NotebookClient(tour, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in tour.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    shown = [output.data.get("text/html", "") for output in outputs if output.output_type == "execute_result"]
    assert any("Winner: " in html and "<table" in html and "data:image/png;base64," in html for html in shown)
    told = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "epoch 1/" in told


def test_a_network_without_a_run():
    seen = analyze(["model=resnet_small", "input=[3,32,32]", "figure=[anatomy]"])
    assert seen.winner == ""
    assert seen.table.empty
    assert [path.name for path in seen.figures] == ["anatomy.png"]
    assert "<table" not in seen._repr_html_()
    assert "data:image/png" in seen._repr_html_()
