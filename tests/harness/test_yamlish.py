"""The strict YAML reader: YAML 1.2 scalars, no duplicates, no aliases, lines everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from opconform.harness.yamlish import SpecError, load, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e3", 1000.0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("10", 10),
        ("0x1f", 31),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("nan", "nan"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = loads(f"key: {text}\n", "file")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice (first on line 1)"),
        ("a:\n  b: 1\n  b: 2\n", 3, "stands twice"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("? [1]\n: 2\n", 1, "a key is a list"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tag"),
        ("a: !!set {x: 1}\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("a: &x [1]\nb: *x\n", 1, "alias"),
        ("&x a: *x\n", 1, ""),
        ("", 1, "empty"),
        ("---\na: 1\n---\nb: 2\n", 3, "not valid YAML"),
        ("\t- a\n", 1, "not valid YAML"),
        ("a: " + "[" * 30 + "]" * 30 + "\n", 1, "deeper than 20"),
    ],
)
def test_what_is_doubtful_is_one_line_with_the_line_number(text: str, line: int, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(text, "some.yaml")
    assert str(caught.value).startswith(f"some.yaml:{line}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 15)]
    with pytest.raises(SpecError, match="alias"):
        loads("\n".join(lines), "bomb")


def test_keys_and_items_know_their_lines() -> None:
    top = loads("a: 1\n\nb:\n  - x\n  - y\n", "file")
    assert top.lines == {"a": 1, "b": 3}
    assert top["b"].lines == [4, 5]


@pytest.mark.parametrize("data", [b"a: \xff\xfe\n", b"a: \x00\n"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    with pytest.raises(SpecError, match=r"x\.yaml:1: "):
        load(tmp_path / "x.yaml")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="check the path"):
        load(tmp_path / "none.yaml")
