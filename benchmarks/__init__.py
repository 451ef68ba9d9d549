"""Benchmarks: programs that anyone can run, with results as files; see docs/benchmarks.md."""
