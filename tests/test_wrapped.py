"""Networks of one's own in a notebook: the numbers of a run, nothing of the person's changed, and what cannot be."""

import copy

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from tests.conftest import NO_FIGURES, ROOT, TINY
from tests.tiny_runs import train
from torch import nn
from torch.utils.data import TensorDataset

from netgaze import look, wrap
from netgaze.errors import NetgazeError
from netgaze.figure import join_related
from netgaze.figures.similarity import Similarity
from netgaze.files import cache_root
from netgaze.models.own_net import OwnNet
from netgaze.notebook import _open_all
from netgaze.run import Run
from netgaze.subjects import controls

SIZE, NUM = 16, 40
LABELS = torch.arange(NUM) % 4


class Net(nn.Module):
    """As people write them: in-place layers, dropout, and a head after a global average."""

    def __init__(self, num_classes=4):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.MaxPool2d(2)
        )
        self.head = nn.Linear(8, num_classes)

    def forward(self, images):
        return self.head(self.body(images).mean(dim=(2, 3)))


class WithToken(Net):
    """What no module draws: a bias of its own."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.arange(4.0))

    def forward(self, images):
        return self.head(self.body(images).mean(dim=(2, 3)) + self.token.repeat(2))


class Forgetful(nn.Linear):
    """Draws its bias alone."""

    def reset_parameters(self):
        nn.init.normal_(self.bias)


def make(kind=Net, seed=0, **arguments):
    torch.manual_seed(seed)
    network = kind(**arguments)
    network(torch.randn(64, 3, SIZE, SIZE))  # statistics of its own
    return network


def draw_images(num=NUM):
    return torch.randint(256, (num, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)).byte()


IMAGES = draw_images()
DATA = (IMAGES, LABELS)
SPLITS = {"train": (draw_images(60), torch.arange(60) % 4), "test": (IMAGES, LABELS)}


def open_one(network, data=DATA):
    (subject,) = _open_all([network], data)
    return subject


class TestWhatANetworkSees:
    @pytest.mark.parametrize(
        ("mean", "std"), [(None, None), (0.5, 0.25), ([0.5, 0.4, 0.3], torch.tensor([0.2, 0.3, 0.4]))]
    )
    def test_logits_are_its_own(self, mean, std):
        network = make()
        shown = IMAGES / 255
        if mean is not None:
            mean_of_each, std_of_each = (torch.as_tensor(each).view(-1, 1, 1) for each in (mean, std))
            shown = (shown - mean_of_each) / std_of_each
        outputs = open_one(wrap(network, mean=mean, std=std)).outputs("test")
        with torch.no_grad():
            expected = copy.deepcopy(network).eval()(shown)
        torch.testing.assert_close(torch.from_numpy(outputs.logits), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(torch.from_numpy(outputs.targets), LABELS)

    def test_images_that_come_normalized_are_those_that_do_not(self):
        wrapped = wrap(make(), mean=[0.5, 0.4, 0.3], std=0.25)
        mean = torch.tensor([0.5, 0.4, 0.3]).view(-1, 1, 1)
        normalized = TensorDataset((IMAGES / 255 - mean) / 0.25, LABELS)
        one, other = (open_one(wrapped, data) for data in ((IMAGES, LABELS), normalized))
        assert torch.equal(one.data.images("test"), other.data.images("test"))
        assert (one.outputs("test").logits == other.outputs("test").logits).all()

    def test_a_compiled_network_is_the_one_that_was_compiled(self):
        network = make()
        one, other = open_one(network), open_one(torch.compile(network))
        assert other.label == "Net"
        assert (one.outputs("test").logits == other.outputs("test").logits).all()

    def test_its_weights_are_those_of_now(self):
        wrapped = wrap(make())
        before = open_one(wrapped).outputs("test").logits
        with torch.no_grad():
            wrapped.network.head.bias += 1
        torch.testing.assert_close(
            torch.from_numpy(open_one(wrapped).outputs("test").logits),
            torch.from_numpy(before + 1),
            rtol=1e-4,
            atol=1e-5,
        )

    def test_what_no_digest_tells_is_not_read_back(self, tmp_path, monkeypatch):
        """The same weights and code, another activation: nothing of the first look is kept anywhere."""
        monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))
        network = make()
        before = look("knn", network, data=SPLITS).numbers
        network.body[2] = nn.Tanh()
        after = look("knn", network, data=SPLITS).numbers
        assert before["Net"].tolist() != after["Net"].tolist()
        assert not [path for name in ("features", "outputs") for path in (cache_root() / name).glob("*")]


def test_the_network_is_as_it_was():
    network = make().train()
    network.body[1].eval()
    network.head.weight.requires_grad_(False)
    calls = []
    network.head.register_forward_hook(lambda *_: calls.append(1))
    network(IMAGES[:2].float()).sum().backward()
    modes = [module.training for module in network.modules()]
    state, grads = copy.deepcopy(network.state_dict()), [copy.deepcopy(each.grad) for each in network.parameters()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for figure in ("cam", "knn", "filters", "explore"):
        look(figure, network, data=SPLITS)
    assert torch.equal(torch.rand(3), expected), "the random numbers of the notebook go on"
    assert [module.training for module in network.modules()] == modes
    assert network.body[2].inplace
    assert not network.head.weight.requires_grad
    assert len(network.head._forward_hooks) == 1
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    for parameter, grad in zip(network.parameters(), grads, strict=True):
        assert (parameter.grad is None and grad is None) or torch.equal(parameter.grad, grad)


@pytest.mark.parametrize(
    "figure", ["cam", "confusion", "knn", "tsne", "neighbors", "filters", "layers", "explore", "data_card"]
)
def test_figures_of_a_network(figure):
    seen = look(figure, wrap(make(), class_names=list("abcd")), data=SPLITS)
    assert seen.numbers.columns[0] == "Net"
    assert "data:image/png;base64," in seen._repr_html_()


class TestControls:
    def list_controls(self, *networks):
        return controls(_open_all(networks, (IMAGES, LABELS)), "untrained")

    def test_the_untrained_network_is_drawn_as_its_modules_draw(self):
        network = make()
        untrained, pixels = self.list_controls(network)
        assert (untrained.label, pixels.label) == ("untrained", "raw pixels")
        own, drawn = network.state_dict(), untrained.model.network.state_dict()
        assert torch.equal(drawn["body.1.running_mean"], torch.zeros(8))
        assert torch.equal(drawn["body.1.running_var"], torch.ones(8))
        for name in ("body.0.weight", "head.weight", "head.bias"):
            assert not torch.equal(drawn[name], own[name])
        # Kaiming's uniform draw, as of torch's layers: within 1 / sqrt(fan-in), and near it.
        for name, fan_in in (("body.0.weight", 27), ("head.weight", 8)):
            assert 0.8 * fan_in**-0.5 < drawn[name].abs().max() <= fan_in**-0.5
        assert not untrained.task.training
        torch.rand(1)  # wherever the notebook's own random numbers stand
        again, _ = self.list_controls(network)
        assert all(torch.equal(value, drawn[name]) for name, value in again.model.network.state_dict().items())

    def test_what_no_module_draws_is_shuffled(self):
        network = make(WithToken)
        drawn = self.list_controls(network)[0].model.network.token
        assert drawn.tolist() != network.token.tolist()
        assert sorted(drawn.tolist()) == sorted(network.token.tolist())

    def test_nothing_stays_that_was_learned(self):
        """Where weights are computed from others, and where a draw forgets some of its own."""
        network = make()
        network.body[0] = torch.nn.utils.parametrizations.weight_norm(network.body[0])
        network.head = Forgetful(8, 4)
        nn.init.normal_(network.head.weight)
        before = network.state_dict()
        drawn = self.list_controls(network)[0].model.network.state_dict()
        learned = [name for name in before if name.startswith(("head", "body.0"))]
        assert len(learned) == 5
        assert not [name for name in learned if torch.equal(before[name], drawn[name])]

    def test_equal_untrained_networks_are_one(self):
        twins = self.list_controls(wrap(make(seed=1), label="a"), wrap(make(seed=2), label="b"))
        assert [it.label for it in twins] == ["untrained", "raw pixels"]
        apart = self.list_controls(wrap(make(seed=1), label="a"), wrap(make(seed=1), label="b", mean=0.5, std=0.5))
        assert [it.label for it in apart] == ["untrained (a)", "untrained (b)", "raw pixels"]

    def test_a_draw_that_fails_is_named(self):
        network = make()
        network.body[3].reset_parameters = lambda: 1 / 0
        with pytest.raises(NetgazeError, match=r"Dropout\.reset_parameters\(\) fails.*control=None"):
            look("cam", network, data=DATA)
        look("cam", network, data=DATA, control=None)


class TestClasses:
    def test_names_are_typed_or_the_datas_or_numbers(self):
        named = TensorDataset(IMAGES, LABELS)
        named.classes = ["cat", "dog", "fox", "owl"]
        assert open_one(make()).task.class_names == ["class 0", "class 1", "class 2", "class 3"]
        assert open_one(make(), named).task.class_names == named.classes
        typed = open_one(wrap(make(), class_names=list("abcd")), named)
        assert typed.task.class_names == typed.data.class_names == list("abcd")
        assert typed.names_classes

    def test_fewer_classes_than_outputs(self):
        names = [f"kind {number}" for number in range(9)]
        subject = open_one(wrap(make(num_classes=9), class_names=names))
        assert subject.names_classes
        seen = look("confusion", wrap(make(num_classes=9), class_names=names), data=DATA, control=None)
        assert 0 <= seen.numbers.loc["acc", "Net"] <= 1

    def test_a_network_of_other_classes_is_no_classifier_of_these(self):
        named = TensorDataset(IMAGES, LABELS)
        named.classes = ["cat", "dog", "fox", "owl"]
        subject = open_one(make(num_classes=9), named)
        assert not subject.names_classes
        with pytest.raises(NetgazeError, match="Net has no classes"):
            look("cam", make(num_classes=9), data=named)
        assert "knn20" in look("knn", make(num_classes=9), data={"train": named, "test": named}).numbers.index


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: wrap("resnet18"), "expected a network, a torch.nn.Module, got a str"),
        (lambda: wrap(make(), class_names="cat dog"), "expected a list of class_names"),
        (lambda: wrap(make(), mean=0.5), "mean=0.5 and std=None go together"),
        (lambda: wrap(make(), mean=[123.7], std=[58.4]), "Divide those of pixels in 0..255 by 255"),
        (lambda: wrap(make(), mean=[0.5], std=[0.0]), "each std is above 0"),
        (lambda: look("cam", make()), "Net has no data. Give data="),
        (
            lambda: look("filters", nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 4)), data=DATA),
            "This network has no convolution",
        ),
        (lambda: look("cam", data=DATA), "data= is for your own networks"),
        (lambda: look("cam", make(), make(), data=DATA), r"wrap\(network, label=\.\.\.\)"),
        (lambda: look("knn", make(), data=DATA), r'no training images \(in a notebook, pass data=\{"train"'),
        (lambda: look("layers", make(), data=DATA), "no training images .* and no known classes"),
        (lambda: look("curves", make(), data=DATA), "nothing to look at. Net has no history"),
        (lambda: look("similarity", make(), data=DATA), "Give two or more networks"),
        (lambda: look("cam", make(), data=(IMAGES, LABELS + 9)), "the labels of test are 9 to 12"),
        (lambda: look("cam", wrap(make(), class_names=["a"]), data=DATA), "Net has 4 outputs, but 1 class_names"),
        (lambda: look("cam", make(), data=(IMAGES[:, :1], LABELS)), "Net: Net cannot read images of 1x16x16"),
        (lambda: look("cam", wrap(make(), map_layer="body.9"), data=DATA), "Net: map_layer=body.9 gives"),
        (lambda: look("cam", wrap(make(), mean=0.5, std=0.5), wrap(make(), mean=0.4, std=0.5, label="b"),
                      data=(IMAGES / 100, LABELS)), r"values lie in 0\.\.2\.55.* for all networks the same"),
        (lambda: look("cam", make(), data=DATA, control="trained"), "Choose untrained, or null for none"),
    ],
)  # fmt: skip
def test_a_mistake_gets_a_sentence(ask, said):
    with pytest.raises(NetgazeError, match=said):
        ask()


def test_a_network_that_cannot_be_copied_is_named():
    network = make()
    network.cache = torch.ones(1, requires_grad=True) * 2
    with pytest.raises(NetgazeError, match="Net cannot be copied, and showing it would change it: Only Tensors"):
        look("cam", network, data=DATA)


def test_several_networks_without_a_run_repeat_nothing():
    one, other = _open_all([wrap(make(), label="a"), wrap(make(), label="b")], (IMAGES, LABELS))
    assert one.setting != other.setting


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    """Its network is from a cell: its code lies in no file."""
    notebook = nbformat.read(ROOT / "notebooks" / "own_network.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    shown = [output.data.get("text/html", "") for output in outputs if output.output_type == "execute_result"]
    assert ["data:image/png;base64," in html for html in shown] == [True] * 4
    assert "<iframe" in shown[-1]
    assert all("mine" in html and "untrained" in html for html in shown)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(train(tmp_path_factory.mktemp("run"), *TINY, *NO_FIGURES))


@pytest.mark.slow
class TestBesideARun:
    def test_it_has_the_numbers_of_the_same_network_as_a_run(self, run):
        subject = run.open(precision="32")
        data = subject.data
        images = {split: (data.images(split), data.labels(split)) for split in ("train", "val", "test")}
        same = wrap(subject.task.model, class_names=data.class_names, mean=data.mean, std=data.std)
        for figure in ("cam", "knn", "confusion", "layers"):
            expected = look(figure, subject, control=None).numbers
            found = look(figure, same, data=images, control=None).numbers
            found.index = found.index.str.replace("network.", "")  # stages lie one module deeper
            assert expected.index.tolist() == found.index.tolist()
            for name in expected.index:
                values = expected.iloc[:, 0][name], found.iloc[:, 0][name]
                assert values[1] == (
                    values[0] if isinstance(values[0], str) else pytest.approx(values[0], rel=1e-4, abs=1e-4)
                ), name

    def test_it_looks_at_the_runs_data(self, run):
        model = run.subject.task.model
        mine = wrap(model, label="mine")
        seen = look("cam", mine, run).numbers
        assert seen.columns.tolist() == ["mine", "supervised", "untrained (mine)", "untrained (supervised)"]
        both = look("knn", run, mine).numbers
        assert both.columns[-1] == "raw pixels"
        assert both["supervised"].tolist() == pytest.approx(both["mine"].tolist(), abs=0.05)
        assert look("explore", run, mine).page

    def test_the_same_images_are_the_same_however_they_are_normalized(self, run):
        mine = wrap(run.subject.task.model, mean=0.3, std=0.9, label="mine")

        subject, other = _open_all([run, mine], None)
        assert subject.data.fingerprint != other.data.fingerprint
        asked = Similarity(num_permutations=5)
        findings = {it.label: asked.compute(it) for it in (subject, other)}
        join_related(asked, findings, [subject, other])
        assert asked.compare(findings)["cka_last of supervised and mine"] > 0.5

    def test_a_data_set_of_the_project(self, run):
        subject = open_one(wrap(run.subject.task.model), run.subject.data)
        assert subject.data.mean == run.subject.data.mean
        assert isinstance(subject.model, OwnNet)
        assert (subject.outputs("test").targets == run.subject.outputs("test").targets).all()

    def test_data_beside_a_run_is_refused(self, run):
        with pytest.raises(NetgazeError, match=r"has its own data\. Leave data= out"):
            look("cam", make(), run, data=DATA)
        with pytest.raises(NetgazeError, match="data= is for your own networks"):
            look("cam", run, data=DATA)
