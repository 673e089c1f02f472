"""Random commands train, or are answered in a sentence that names what was typed. More of them: make fuzz N=1000."""

import pytest
from tests.fuzz.draw import Command, draw_command
from tests.fuzz.verdict import judge_sentence, run_commands

pytestmark = pytest.mark.slow


def test_random_commands_are_right_or_answered(tmp_path):
    judged = list(run_commands(0, range(24), tmp_path))
    wrong = [f"{number}: {command}\n{verdict.said}" for number, command, verdict in judged if verdict.kind == "wrong"]
    assert not wrong, "\n".join(wrong)
    kinds = [verdict.kind for _, _, verdict in judged]
    assert kinds.count("trained") >= len(kinds) / 3
    assert "sentence" in kinds


def test_a_command_is_the_same_whatever_was_drawn_before():
    assert draw_command(7, 3, "run") == [draw_command(7, number, "run") for number in range(4)][3]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("optim.lr=x: expected a number, as in optim.lr=0.2.", "sentence"),
        ("optim.lr=x\n    full_key: optim.lr", "wrong"),
        ("Key 'lr' is not in struct.", "wrong"),
        ("Something is not possible.", "wrong"),
        ("optim.lr=x: __init__() got an unexpected keyword argument.", "wrong"),
        ("optim.lr=x is wrong. It is too large. It cannot be. Try again. And again.", "wrong"),
    ],
)
def test_a_sentence_is_held_to_its_rules(said, kind):
    assert judge_sentence(said, Command("train", ("optim.lr=x",))).kind == kind
