"""The API holds little: what it does not need while nobody asks is not loaded, and pandas never."""

from __future__ import annotations

import subprocess
import sys

import pytest

IDLE = """
import sys
from lakeshelf.stack.serving import api_process, beside
api_process.without("pandas")
from lakeshelf.governance.services import adopting
from lakeshelf.settings import load_settings
beside.shop(load_settings())
import pyarrow as pa
assert pa.array([1]).to_pylist() == [1]
print(*({"pandas", "duckdb", "pyarrow.dataset", "great_expectations", "pyspark"} & set(sys.modules)))
"""


def printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_the_api_loads_no_engine_before_somebody_asks() -> None:
    assert printed(IDLE) == ""


def test_what_a_process_does_without_cannot_be_imported() -> None:
    lean = "from lakeshelf.stack.serving.lean import without\nwithout('wave')\n"
    use = "try:\n    import wave\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    assert printed(lean + use) == "this process does without wave"
