"""JSON and YAML of every wrong kind: one line, in little time and memory."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import pytest

from seedmap._texts import check_types, read_json, read_text, read_yaml
from seedmap.bids import read_filter_file
from seedmap.denoising import Scrubbing, read_strategy
from seedmap.errors import ImageError, MissingFile, OptionError, SeedError, SeedmapError
from seedmap.images.run import choose_timing
from seedmap.participants.seeds import read_seed_table

LAUGHS = "a0: &a0 [x]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)
BAD_JSON = {
    "cut": b'{"a": ',
    "nested deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "half a character": b'{"a": "\\ud800"}',
    "half a character in a key": b'{"\\udfff": 1}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "empty": b"",
}
BAD_YAML = {
    "nested deep": b"[" * 20_000,
    "not UTF-8": b"a: \xff",
    "references that grow": LAUGHS.encode(),
    "no table": b"- 1",
    "a text": b"hello",
    "a date that is none": b"a: 2001-99-99",
    "a truth that is none": b"a: !!bool x",
    "a number that is none": b"a: !!int ''",
    "code": b"a: !!python/object/apply:os.getcwd []",
    "a NUL": b"a: \0",
}


def one_line(error, path):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 500 + 2 * len(str(path))
    assert text.startswith(f"{path}: ")


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(BAD_JSON[name])
    with pytest.raises(ImageError, match="sidecar") as error:
        read_json(path, "sidecar", ImageError)
    one_line(error, path)


@pytest.mark.parametrize("name", BAD_YAML)
def test_bad_yaml_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(BAD_YAML[name])
    with pytest.raises(OptionError) as error:
        read_yaml(path, "table")
    one_line(error, path)


def test_what_is_right_is_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(
        b'\xef\xbb\xbf{"a": [1, 2.5, null], "b": "\\ud83d\\ude00", "c": %s}' % (b"9" * 5000)
    )
    assert read_json(path, "x") == {"a": [1, 2.5, None], "b": "\U0001f600", "c": math.inf}
    path.write_text("1: x\nb: &b [1, 2]\nc: *b\n")
    assert read_yaml(path, "x") == {"1": "x", "b": [1, 2], "c": [1, 2]}
    path.write_text("")
    assert read_yaml(path, "x") == {}
    assert read_text(path, "x") == ""


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(MissingFile, match="this table is a folder"):
        read_text(tmp_path, "table")
    with pytest.raises(MissingFile, match="this table is not there"):
        read_text(tmp_path / "no", "table")


@dataclass
class Options:
    kind: Literal["a", "b"] = "a"
    number: int | None = None
    share: float = 0.5
    on: bool = False
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "value",
    [{"kind": 1}, {"number": "1"}, {"number": True}, {"share": [1]}, {"on": 1}, {"names": "x"},
     {"names": [1]}, {"share": None}, {"kind": None}],
)  # fmt: skip
def test_values_of_other_types_are_refused(value, tmp_path):
    with pytest.raises(OptionError, match="is wanted"):
        check_types(value, Options, tmp_path)


def test_values_of_the_right_types_are_not(tmp_path):
    check_types(
        {"kind": "c", "number": None, "share": 1, "on": True, "names": ["x"]}, Options, tmp_path
    )


@pytest.mark.parametrize(
    "text",
    [
        "name: 5", "motion: [basic]", "columns: 7", "columns: [1, 2]", "n_compcor: x", "aroma: 1",
        "scrubbing: 7", "scrubbing: {fd_threshold: [1]}", "scrubbing: {before: 1.5}",
        "scrubbing: {nothing: 1}", "name: 2001-01-01", "base: [36P]", "desc: null",
    ],
)  # fmt: skip
def test_a_strategy_of_wrong_types_is_refused(text, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(OptionError) as error:
        read_strategy(path)
    one_line(error, path)
    assert str(error.value).count(str(path)) == 1


def test_a_strategy_may_switch_off_what_its_base_has(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("base: scrubbing\nscrubbing: null\n")
    assert read_strategy(path).scrubbing is None
    path.write_text("base: scrubbing\nscrubbing: {fd_threshold: 1}\ncolumns: csf\n")
    assert read_strategy(path).scrubbing == Scrubbing(fd_threshold=1)
    assert read_strategy(path).columns == ("csf",)


@pytest.mark.parametrize(
    "content",
    ["null", "[]", "3", "[1]", '{"S": 1}', '{"S": [1]}', '{"S": [1, 2, "x"]}', '[{"name": "S"}]',
     '{"S": {"x": 1, "y": 2, "z": 1e400}}', '{"S": [1, 2, ' + "9" * 500 + "]}"],
)  # fmt: skip
def test_tables_of_seeds_of_wrong_types_are_refused(content, tmp_path):
    path = tmp_path / "seeds.json"
    path.write_text(content)
    with pytest.raises(SeedError) as error:
        read_seed_table(path)
    one_line(error, path)


def test_a_table_of_seeds_in_another_coding_is_refused(tmp_path):
    path = tmp_path / "seeds.tsv"
    path.write_bytes("name\tx\ty\tz\nS\t1\t2\t3\n".encode("utf-16"))
    with pytest.raises(SeedError, match="UTF-8"):
        read_seed_table(path)


@pytest.mark.parametrize("content", ["[]", "null", '{"bold": 3}', '{"bold": [1]}', "{}"])
def test_filters_of_wrong_types_are_refused(content, tmp_path):
    path = tmp_path / "filter.json"
    path.write_text(content)
    with pytest.raises(OptionError, match=re.escape(str(path))):
        read_filter_file(path)


@pytest.mark.parametrize(
    "value", ["[]", "{}", '"2"', "true", "-1", "0", "NaN", "Infinity", "9" * 500]
)
def test_repetition_times_of_wrong_types_are_refused(value, tmp_path):
    (tmp_path / "run.json").write_text(f'{{"RepetitionTime": {value}}}')
    with pytest.raises(SeedmapError, match="RepetitionTime is") as error:
        choose_timing(2.0, str(tmp_path / "run.nii"), None)
    assert len(str(error.value)) < 300
