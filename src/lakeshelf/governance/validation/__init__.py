"""Rules of datasets, judged by Great Expectations in a process of its own."""
