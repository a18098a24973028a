"""What the command line writes is what it wrote: names, tables, sidecars and maps.

An intended change is recorded anew by ``python tests/golden/golden.py record``, and the difference
of the record is read before it is committed.
"""

import importlib.util
import json
import os
from pathlib import Path

import pytest

# Another processor or BLAS rounds otherwise; six digits are recorded.
TOLERANCE = 2e-4

_spec = importlib.util.spec_from_file_location("golden", Path(__file__).with_name("golden.py"))
assert _spec is not None
assert _spec.loader is not None
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def test_differences_are_found():
    old = {"a.tsv": [["r"], ["0.5"]], "b.json": {"Frames": 3}, "gone": 1}
    new = {"a.tsv": [["r"], ["0.50001"]], "b.json": {"Frames": 4}}
    assert len(golden.differences(old, new)) == 3
    assert golden.differences(old, new, 1e-3) == ["/gone: only in one", "/b.json/Frames: 3 -> 4"]


@pytest.mark.full
def test_outputs_are_as_recorded(tmp_path):
    folder = os.environ.get("SEEDMAP_TEST_DATA")
    data = Path(folder).resolve() if folder and Path(folder).is_dir() else None
    found = golden.summaries(golden.outputs_of(golden.SOURCE, tmp_path, data))
    recorded = json.loads(golden.RECORD.read_text())
    wanted = {
        name: one
        for name, one in recorded.items()
        if data or not name.startswith(("real", "surface"))
    }
    assert golden.differences(wanted, found, TOLERANCE) == []
