"""The list as a table: aligned, within the terminal, each value under its title."""

import pytest
from tests.run_list.made import make_run

from netgaze.run_list.find import find_entries
from netgaze.run_list.table import draw_table, format_age, format_size, tabulate
from netgaze.text import count_columns


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "<1 min"), (59, "<1 min"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (5e5, "5 d")],
)
def test_an_age_is_in_its_largest_whole_unit(seconds, words):
    assert format_age(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"), [(18_800, "18.8 kB"), (20_240_000, "20.2 MB"), (999_000_000, "999 MB"), (1.2e9, "1.20 GB")]
)
def test_a_size_is_in_its_largest_unit(size, words):
    assert format_size(size) == words


def test_each_value_stands_under_its_title(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = make_run(
        tmp_path / "outputs" / "a", numbers={"val/acc": 0.9371, "test/loss": 0.01234}, epochs=[{"epoch": 4}]
    )
    (folder / "x").write_bytes(b"x" * (2_000_000 - sum(path.stat().st_size for path in folder.iterdir())))
    titles, cells = tabulate(find_entries("outputs"), ["age", "test/loss", "optim.lr", "experiment", "val/acc"])
    assert len(set(titles)) == len(titles)
    shown = dict(zip(titles, cells, strict=True))
    assert shown.pop("age").endswith(" d")
    assert shown == {
        "name": "outputs/a",
        "task": "supervised",
        "model": "resnet_small",
        "data": "shapes",
        "status": "finished",
        "epoch": "4/9",
        "val/acc": "93.7%",
        "test/loss": "0.0123",
        "optim.lr": "0.1",
        "experiment": "-",
        "size": "2.00 MB",
    }


def test_where_runs_were_chosen_by_different_numbers_each_says_its_own(tmp_path):
    make_run(tmp_path / "a", started="2026-01-02T00:00:00+0000", numbers={"val/acc": 0.5})
    make_run(tmp_path / "b", started="2026-01-01T00:00:00+0000", numbers={"val/loss": 1.5}, monitor="val/loss")
    make_run(tmp_path / "c", "failed", started="2025-01-01T00:00:00+0000")
    titles, *cells = tabulate(find_entries(tmp_path))
    place = titles.index("key number")
    assert [line[place] for line in cells] == ["val/acc 50.0%", "val/loss 1.50", "-"]


@pytest.fixture
def wide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "outputs" / "猫の写真を見分ける長い名前の実験" / "2026-01-01_00-00-00_000001")
    make_run(tmp_path / "outputs" / "an experiment with a rather long name" / "2026-01-01_00-00-00_000002")
    make_run(tmp_path / "outputs" / "a\x1b[31mb\nc")
    return find_entries("outputs")


@pytest.mark.parametrize("width", [100, 120])
def test_names_are_shortened_to_the_terminal_and_keep_their_ends(wide, width):
    lines = draw_table(wide, width=width).split("\n")
    assert len(lines) == 4
    assert max(map(count_columns, lines)) <= width
    assert any("000001 " in line for line in lines)
    assert any("000002 " in line for line in lines)


def test_columns_begin_at_one_place_whatever_the_letters(wide):
    for width in (None, 100):
        lines = draw_table(wide, width=width).split("\n")
        starts = {count_columns(line[: line.index("supervised")]) for line in lines[1:]}
        assert starts == {count_columns(lines[0][: lines[0].index("task")])}


def test_without_a_terminal_names_are_whole_and_still_cannot_steer_it(wide):
    table = draw_table(wide)
    assert "outputs/猫の写真を見分ける長い名前の実験/2026-01-01_00-00-00_000001 " in table
    assert "\x1b" not in table
    assert r"a\x1b[31mb\nc" in table
