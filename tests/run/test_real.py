"""On the real CIFAR-10, from the command to the numbers; skipped where it is not."""

import pytest
from tests.commands import command
from tests.tiny_runs import read_metrics, read_run, train

REAL = ["data=cifar10", "data.verify=false"]


@pytest.mark.slow
def test_published_weights_score_their_published_error(real_cifar, tmp_path):
    """ResNet-20 of others, 91.73% on the test set: 9,173 of 10,000 right."""
    weights = real_cifar / "weights" / "resnet20-12fca82f.th"
    if not weights.exists():
        pytest.skip("the published weights are not here (NETGAZE_DATA)")
    words = [*REAL, f"data.dir='{real_cifar}'", "model=resnet20", f"init='{weights}'", "figure=[]"]
    words += ["data.mean=[0.485,0.456,0.406]", "data.std=[0.229,0.224,0.225]"]
    words += ["trainer.max_epochs=0", "trainer.precision=32", "trainer.threads=1"]
    train(tmp_path, *words)
    assert read_metrics(tmp_path)["test/acc"] == pytest.approx(0.9173, abs=1e-6)
    loaded = read_run(tmp_path)["init"]
    assert (loaded["skipped"], loaded["new"]) == ({}, [])


@pytest.mark.slow
def test_two_networks_end_in_a_report(real_cifar, tmp_path):
    """A thousand images, three epochs, both tasks, every figure: better than chance, and a page."""
    words = ["-m", *REAL, f"data.dir={real_cifar}", "experiment=two_networks", "task=supervised,rotation"]
    words += ["data.limit=1000", "data.batch_size=50", "model.widths=[16,32,64,128]", "optim.lr=0.05"]
    words += ["trainer.max_epochs=3", "trainer.precision=32", "control=null", "hydra.sweep.dir=sweep"]
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    chance = {"0": 0.1, "1": 0.25}
    for job, level in chance.items():
        numbers = read_metrics(tmp_path / "sweep" / job)
        assert numbers["test/acc"] > 1.3 * level
    assert "Winner: " in printed
    assert (tmp_path / "sweep" / "report.html").stat().st_size > 200_000
