"""The list of breakages fits the code as it is; `make mutants` sees the tests fail."""

import ast

import pytest
from tests.mutants.collect import ROOT, collect

MUTANTS = collect()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_breakage_applies_and_its_tests_are_there(mutant):
    broken = mutant.apply((ROOT / "src" / "netgaze" / mutant.file).read_text("utf-8"))
    if mutant.file.endswith(".py"):
        ast.parse(broken)
    assert mutant.tests
    assert all((ROOT / test.partition("::")[0]).is_file() for test in mutant.tests)


def test_no_breakage_is_listed_twice():
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
