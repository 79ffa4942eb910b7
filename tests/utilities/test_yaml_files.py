"""YAML that is small to write and large to read, and numbers that there are not: one line each, at once."""

import pytest

from unetseg.errors import UsageError
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
        ("epochs: " + "9" * 5000, "5000 digits"),
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


def test_the_value_of_a_flag_has_the_same_bounds():
    assert parse_yaml("[1, {a: 2.5}]") == [1, {"a": 2.5}]
    with pytest.raises(ValueError, match="nested deeper"):
        parse_yaml("[" * 100 + "]" * 100)


def test_references_are_taken_where_they_stay_small(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {b: 1}\nc: *a\nd: [*a, *a]\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}
