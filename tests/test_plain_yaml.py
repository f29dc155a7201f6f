"""YAML of plain values: what is written is read again, and what somebody else wrote cannot cost more than its bytes."""

from pathlib import Path

import pytest
import yaml

from pinn.errors import InputError
from pinn.plain_yaml import MOST_LEVELS, MOST_VALUES, read_yaml, to_yaml

REFUSED = {
    "": "holds no mapping",
    "5": "holds no mapping",
    "- 1": "holds no mapping",
    "1: 2": "by name only; it holds the name 1",
    "null: 2": "the name None",
    "a: 2020-01-01": "it holds datetime.date",
    "a: 2020-99-99": "month must be in 1..12",
    "a: !!python/object/apply:os.system [true]": "a tag, which says how to build a value in line 1",
    "a: !!int ''": "a tag",
    "a: [1": "cannot be read: expected",
    "a: *b": "found undefined alias 'b' in line 1",
    "a: 1\n---\nb: 2": "another document",
    "a: \x00": "special characters are not allowed",
    f"a: {'9' * 5000}": "Exceeds the limit",
    f"a: 0x{'f' * 99000}": "a whole number that is too large",
    f"a: {':'.join(['59'] * 30000)}": "a whole number that is too large",
    f"a: {':'.join(['59'] * 30000)}.5": "int too large to convert to float",
    "a: &a [*a]": "a value holds itself",
    "a: &a {b: *a}": "a value holds itself",
    f"a: {'[' * 40000}": f"more than {MOST_VALUES:,} values or {MOST_LEVELS} levels in line 1",
    f"a: {'{a: ' * 5000}": "levels",
    "\n".join(" " * level + "a:" for level in range(300)): f"levels in line {MOST_LEVELS}",
    "? " * 20000: "levels",
    "- " * 20000: "levels",
    f"a: [{'1,' * MOST_VALUES}]": "more than 10,000 values",
    "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 1000)): "levels",
    "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [{9 * f'*a{i - 1},'}]" for i in range(1, 30)): "more than 10,000 values",
    "a0: &a0 {x: 1}\n"
    + "\n".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}" for i in range(1, 50)): "more than 10,000",
    "x" * 100_001: "more than 100,000 bytes",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_is_no_plain_mapping_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=REFUSED[text]) as error:
        read_yaml(tmp_path / "x.yaml")
    assert str(error.value).isprintable()


def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="can't decode byte"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(InputError, match="there is no file"):
        read_yaml(tmp_path)


def test_aliases_that_are_small_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &x {l: 1}\nb: *x\nc: {<<: *x, m: [*x, *x]}\n")
    assert read_yaml(tmp_path / "x.yaml") == {"a": {"l": 1}, "b": {"l": 1}, "c": {"l": 1, "m": [{"l": 1}, {"l": 1}]}}


def test_what_is_written_is_read_again_and_has_no_aliases(tmp_path: Path) -> None:
    shared = [1, 2.5, None, True, "1e-3", "null", "ü", float("inf"), 1e-300, 0.1, 2**63]
    content = {"b": shared, "a": {"x": shared, "": {}}}
    (tmp_path / "x.yaml").write_text(to_yaml(content), encoding="utf-8")
    assert "&" not in to_yaml(content)
    assert read_yaml(tmp_path / "x.yaml") == content
    assert list(yaml.safe_load(to_yaml(content))) == ["b", "a"]
