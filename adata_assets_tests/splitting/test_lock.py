"""The lock: a group that was dealt never moves, and nobody moves it unasked."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.splitting.lock import LOCK, find_lock_change, keep_lock, read_lock
from adata_assets_tests.splitting.dealing import cells_of, deal, nothing, shares_of, split_of

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}
LOCKED = {("donor", "a"): "train", ("donor", "b"): "test", ("donor", "c"): "validation"}


def test_old_groups_never_move_when_donors_are_added():
    """Year after year five donors come; the fractions are met all the same."""
    locked, before = {}, {}
    for n_donors in range(10, 45, 5):
        sizes = {f"d{(7 * i) % 50:02d}": 60 + 13 * i % 70 for i in range(n_donors)}
        keys = cells_of(sizes)
        dealt = deal(keys, THREE, locked=locked)
        found = split_of(keys, dealt)
        assert {name: found[name] for name in before} == before
        locked, before = dealt.locked, found
    assert len(locked) == 40
    assert all(abs(shares_of(dealt)[name] - 100 * share) <= 2 for name, share in THREE.items())


def test_a_new_group_goes_where_the_deficit_is_largest():
    keys = cells_of({"a": 500, "b": 100, "c": 60, "new": 50})
    dealt = deal(keys, THREE, locked=LOCKED)
    assert split_of(keys, dealt)["new"] == "train"
    keys = cells_of({"a": 900, "b": 100, "c": 20, "new": 50})
    assert split_of(keys, deal(keys, THREE, locked=LOCKED))["new"] == "validation"


def test_groups_that_left_the_data_stay_locked():
    keys = cells_of({"b": 10, "c": 10, "d": 80})
    assert deal(keys, THREE, locked=LOCKED).locked == {**LOCKED, ("donor", "d"): "train"}


def joined() -> tuple[pd.DataFrame, pd.Series]:
    """Three locked donors; one cell of b has the counts of one of a."""
    keys, copies = cells_of({"a": 80, "b": 10, "c": 10}), nothing(100)
    copies[[5, 85]] = "cell5"
    return keys, copies


def test_cells_that_join_locked_groups_stop_the_build_by_name():
    keys, copies = joined()
    with pytest.raises(InputError) as raised:
        deal(keys, THREE, copies=copies, locked=LOCKED)
    told = str(raised.value)
    assert "1 cell(s) join groups that splits.lock.csv locks to different splits" in told
    assert "cell 'cell85' joins donor 'b' (test) to counts equal to those of cell 'cell5'" in told
    assert "on_lock_conflict to quarantine" in told


def test_cells_of_two_columns_that_join_are_named():
    keys = cells_of({"a": 80, "b": 10, "c": 10}).assign(study="s1")
    keys.loc[95:, "study"] = "s2"
    locked = {("donor", "a"): "train", ("donor", "c"): "test", ("study", "s1"): "train"}
    with pytest.raises(
        InputError, match=r"cell 'cell9[0-4]' joins donor 'c' \(test\) to study 's1'"
    ):
        deal(keys, THREE, locked=locked)


def test_joining_cells_can_be_left_out_instead():
    keys, copies = joined()
    rules = {**THREE, "on_lock_conflict": "quarantine"}
    dealt = deal(keys, rules, copies=copies, locked=LOCKED)
    assert dealt.left_out.index.tolist() == [85]
    assert "joins donor 'b' (test)" in dealt.left_out[85]
    assert dealt.split[85] is None
    assert dealt.split.isna().sum() == 1
    assert split_of(keys.drop(85), dealt) == {"a": "train", "b": "test", "c": "validation"}


def test_the_joining_cells_do_not_depend_on_the_order_of_rows():
    keys, copies = joined()
    rules = {**THREE, "on_lock_conflict": "quarantine"}
    dealt = deal(keys[::-1], rules, copies=copies[::-1], locked=LOCKED)
    assert dealt.left_out.index.tolist() == [85]


def test_a_lock_against_a_held_out_value_is_an_error():
    keys = cells_of({"a": 80, "b": 10, "c": 10})
    held = nothing(100)
    held[0] = "test"
    with pytest.raises(InputError, match="'a' is locked to train.*held out for test"):
        deal(keys, THREE, held=held, locked=LOCKED)


@pytest.mark.parametrize(
    ("locked", "told"),
    [
        ({("patient", "a"): "train"}, r"locks values of \['patient'\].*group columns are"),
        ({("donor", "a"): "test"}, "'a' to test, which is not asked for"),
    ],
)
def test_a_lock_that_does_not_fit_the_yaml_is_an_error(locked, told):
    keys = cells_of({"a": 80, "b": 10})
    with pytest.raises(InputError, match=told):
        deal(keys, {"train": 0.9, "validation": 0.1, "test": 0}, locked=locked)


def test_what_was_written_is_read_back(tmp_path):
    locked = {("donor", 'a, "b"\n'): "train", ("study", "ä"): "test"}
    assert read_lock(tmp_path) == {}
    left = keep_lock(tmp_path, locked)
    assert (left["state"], left["n_groups"]) == ("written", 2)
    assert read_lock(tmp_path) == locked
    assert keep_lock(tmp_path, dict(reversed(locked.items())))["state"] == "unchanged"
    assert (tmp_path / LOCK).read_text().splitlines()[0] == "column,group,split"
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_change_of_the_file_is_seen(tmp_path):
    left = keep_lock(tmp_path, LOCKED)
    assert find_lock_change(tmp_path, left) is None
    (tmp_path / LOCK).write_text("column,group,split\ndonor,a,test\n")
    assert find_lock_change(tmp_path, left) == "changed"
    (tmp_path / LOCK).unlink()
    assert find_lock_change(tmp_path, left) == "is gone"


def test_without_groups_or_folder_the_reason_is_told(tmp_path):
    assert "one by one" in keep_lock(tmp_path, None)["reason"]
    assert "not known" in keep_lock(None, LOCKED)["reason"]
    (tmp_path / LOCK).write_text("column,group,split\ndonor,a,test\n")
    assert find_lock_change(tmp_path, keep_lock(tmp_path, None)) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr("os.replace", refuse)
    left = keep_lock(tmp_path, LOCKED)
    assert (left["state"], left["sha256"]) == ("none", None)
    assert "cannot be written (Permission denied): groups may move" in left["reason"]
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    keep_lock(tmp_path, LOCKED)
    assert find_lock_change(tmp_path, left) == "is new"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "first line is"),
        ("group,split\n", "first line is"),
        ("column,group,split\ndonor,a\n", "line 2: .*is not column, group and one of"),
        ("column,group,split\ndonor,a,tset\n", "line 2"),
        ("column,group,split\ndonor,a,test\ndonor,a,train\n", "line 3: donor 'a' is locked to"),
    ],
)
def test_a_broken_lock_names_the_line(tmp_path, text, told):
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(InputError, match=told):
        read_lock(tmp_path)
