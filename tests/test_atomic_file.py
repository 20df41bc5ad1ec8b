"""A file is there whole, or not at all."""

import os

import pytest

from slopewise.atomic_file import atomic_replace
from slopewise.errors import DataError, StoreError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_the_block_ends(tmp_path):
    with atomic_replace(tmp_path / "a.txt") as beside:
        beside.write_text("whole")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [DataError("no rows"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)), atomic_replace(tmp_path / "a.txt") as beside:
        beside.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_a_sentence(tmp_path):
    sentence = r"a\.txt could not be written: No space left on device\. Nothing was left"
    with pytest.raises(StoreError, match=sentence), atomic_replace(tmp_path / "a.txt") as beside:
        beside.write_text("half")
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    sentence = "there is no folder .*nowhere; make it first"
    with pytest.raises(StoreError, match=sentence), atomic_replace(tmp_path / "nowhere" / "a.txt"):
        pass


@pytest.mark.parametrize("path", [".", os.devnull])
def test_only_files_are_replaced(path):
    with pytest.raises(StoreError, match="it is not a file; give a file name"), atomic_replace(path):
        pass


def test_a_closed_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(StoreError, match="no permission in"), atomic_replace(tmp_path / "a.txt"):
        pass


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with atomic_replace(tmp_path / "link.txt") as beside:
        beside.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_the_mode_of_a_file_replaced_is_kept(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "a.txt").chmod(0o640)
    with atomic_replace(tmp_path / "a.txt") as beside:
        beside.write_text("new")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_two_writers_never_meet(tmp_path):
    with atomic_replace(tmp_path / "a.txt") as one, atomic_replace(tmp_path / "a.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(("name", "sentence"), [("a" * 256, "more than 255 bytes"), ("a\0b", "it is no path")])
def test_a_name_that_no_file_can_have(tmp_path, name, sentence):
    with pytest.raises(StoreError, match=sentence), atomic_replace(f"{tmp_path}/{name}"):
        pass


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    with atomic_replace(tmp_path / ("a" * 255)) as beside:
        beside.write_text("new")
    assert names(tmp_path) == ["a" * 255]
