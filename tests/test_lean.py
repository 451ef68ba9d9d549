"""What processes do without: pandas, until code that is somebody's own, or the holidays, asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IDLE = """
import sys
from lakeshelf import lean
lean.without("pandas")
from lakeshelf.governance.services import adopting
from lakeshelf.settings import load_settings
from lakeshelf.stack.serving import api_process, beside
beside.shop(load_settings())
import pyarrow as pa
assert pa.array([1]).to_pylist() == [1]
print(*({"pandas", "duckdb", "pyarrow.dataset", "great_expectations", "pyspark"} & set(sys.modules)))
"""
DRIVER = """
import sys
from lakeshelf import lean
lean.without("pandas")
from lakeshelf.components import registry
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision import driving, supervisor
from lakeshelf.streams.declare import registry as jobs
homes = load_settings().homes
registry.discover(*homes), jobs.discover(*homes)
import duckdb
import pyarrow as pa
duckdb.execute("SET enable_progress_bar = false")  # a busy machine would have it print one
rows = pa.table({"number": [1, 2]})
assert duckdb.sql("SELECT sum(number) FROM rows").fetchall() == [(3,)]
print(*({"pandas", "sqlalchemy", "rich", "typer"} & set(sys.modules)))
"""
FRAMES = """
import sys
from lakeshelf import lean
lean.without("pandas")
import pyarrow as pa
pa.table({"number": [1]})
lean.admit("pandas")
import pandas as pd
column = pd.Series([1, None], dtype="category")
print(pa.array(column).type, pa.array(pd.Series([1.5, float("nan")])).null_count)
"""
MISSING = """
import sys
from lakeshelf import lean
class Gone:
    def find_spec(self, name, path, target=None):
        if name == "pandas":
            raise ModuleNotFoundError("not installed", name=name)
sys.meta_path.insert(0, Gone())
lean.without("pandas")
import pyarrow as pa
pa.table({"number": [1]})
lean.admit("pandas")
print(pa.array([1]).to_pylist())
"""
LOGS = "import sys\n{}from lakeshelf import logs\n"
WAVE = "from lakeshelf import lean\nlean.without('wave')\n"


def printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_the_api_loads_no_engine_before_somebody_asks() -> None:
    assert printed(IDLE) == ""


@pytest.mark.slow
def test_what_drives_decides_and_supervises_loads_no_pandas() -> None:
    assert printed(DRIVER) == ""


@pytest.mark.slow
def test_pyarrow_reads_frames_as_ever_once_pandas_is_admitted() -> None:
    """It looks for pandas once, and would make a list of a column whose values are categories."""
    assert printed(FRAMES) == printed(FRAMES.replace('lean.without("pandas")', ""))


@pytest.mark.slow
def test_a_project_needs_no_pandas() -> None:
    """Where it is not installed, nothing changes by its being admitted."""
    assert printed(MISSING) == "[1]"


@pytest.mark.slow
def test_who_has_not_loaded_pyarrow_loads_nothing_when_pandas_is_admitted() -> None:
    admitted = (
        "import sys\nfrom lakeshelf import lean\nlean.without('pandas')\nlean.admit('pandas')\n"
    )
    assert printed(admitted + "print({'pandas', 'pyarrow'} & set(sys.modules))") == "set()"


def test_the_log_loads_nothing_that_prints_in_colours() -> None:
    """And who prints in colours still can, before and after."""
    show = "print(*sorted({'rich', 'pygments'} & set(sys.modules)))\n"
    assert printed(LOGS.format("") + show) == ""
    assert printed(LOGS.format("import rich.console\n") + show) == "rich"
    assert printed(LOGS.format("") + "import rich.traceback\n" + show) == "pygments rich"


def test_what_a_process_does_without_cannot_be_imported_until_it_is_admitted() -> None:
    use = "try:\n    import wave\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    assert printed(WAVE + use) == "this process does without wave"
    assert printed(WAVE + "lean.admit('wave')\nimport wave\nprint(wave.__name__)") == "wave"


def test_it_is_still_said_to_be_installed() -> None:
    ask = "from importlib.util import find_spec\nprint(find_spec('wave') is not None)"
    assert printed(WAVE + ask) == "True"
