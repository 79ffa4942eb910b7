"""YAML that is small to write and large to read, and numbers that there are not: one line each, at once."""

import os

import pytest

from unetseg.errors import UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.yaml_files import parse_yaml, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "stands for more than"),
        ("a: " + "[" * 3000 + "]" * 3000, "is nested deeper than 50 levels"),
        ("a: " + "{b: " * 3000 + "}" * 3000, "is nested deeper than 50 levels"),
        ("&a [*a]", "refers to itself"),
        ("a: &b {c: *b}", "refers to itself"),
        ("epochs: " + "9" * 5000, "value has 5000 digits"),
        ("epochs: 0x" + "f" * 5000, "a number is too large"),
        ("epochs: " + "9" * 40, "a number is too large"),
        ("day: 2001-99-99", "month must be in 1..12"),
        ("a: 1\n" * 30_000, "bytes, no settings"),
        ('a: "\\x1b[31m" b', "line 1: not valid YAML"),
    ],
)
def test_yaml_that_would_take_time_or_memory_is_refused_by_the_name_of_its_file(tmp_path, text, words):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_yaml(tmp_path / "a.yaml")
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "a.yaml")) and words in line and line.isprintable()
    assert "sys." not in line


def test_the_value_of_a_flag_has_the_same_bounds():
    assert parse_yaml("[1, {a: 2.5}]") == [1, {"a": 2.5}]
    with pytest.raises(ValueError, match="nested deeper"):
        parse_yaml("[" * 100 + "]" * 100)


def test_references_are_taken_where_they_stay_small(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {b: 1}\nc: *a\nd: [*a, *a]\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}


@pytest.mark.parametrize("key", ["? [a, b]\n: 1", "? {a: b}\n: 1", "a: {? [b] : 1}", "? !!set {a}\n: 1"])
def test_a_key_that_is_no_word_is_told_by_its_line(tmp_path, key):
    (tmp_path / "a.yaml").write_text(f"epochs: 1\n{key}\n")
    with pytest.raises(UsageError, match=r"a\.yaml, line 2: not valid YAML: a key must be one word"):
        read_yaml(tmp_path / "a.yaml")


def test_what_never_ends_is_not_read(tmp_path):
    with pytest.raises(UsageError, match=r"/dev/zero: cannot be read \(it is a pipe or device, no file\)"):
        read_yaml("/dev/zero")
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(UsageError, match=r"a\.yaml: cannot be read \(it is a pipe or device"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_yaml(tmp_path)


def test_what_a_shell_pipes_in_is_read_up_to_the_bound(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"epochs: 3\n")
    os.close(writer)
    assert read_yaml(f"/dev/fd/{reader}") == {"epochs": 3}
    os.close(reader)
    with open("/dev/zero", "rb") as endless, pytest.raises(OSError, match="has more than 10 bytes"):
        read_file(f"/dev/fd/{endless.fileno()}", at_most=10)
