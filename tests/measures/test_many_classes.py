"""Memory of an evaluation is linear in the classes: a test and its figures under a ceiling, in a process of its own."""

import json
import subprocess
import sys

import pytest
from tests.conftest import ROOT
from tests.measures.many_classes import FIGURES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ceiling is one of Linux")


@pytest.mark.slow
def test_two_thousand_classes_under_one_gigabyte(tmp_path):
    command = [sys.executable, "-m", "tests.measures.many_classes", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    assert not said["failed"]
    assert 0 <= said["numbers"]["test/acc_macro"] <= said["numbers"]["test/top5"] <= 0.1
    assert set(said["sizes"]) == {f"{figure.__name__}.json" for figure in FIGURES}
    assert max(said["sizes"].values()) < 1_000_000, "no matrix is written as text"
