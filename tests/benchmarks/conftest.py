"""The benchmarks stand beside `src`, so the checkout has to be importable."""

from __future__ import annotations

import sys

from lakeshelf.settings import project_home

if str(project_home()) not in sys.path:
    sys.path.insert(0, str(project_home()))
