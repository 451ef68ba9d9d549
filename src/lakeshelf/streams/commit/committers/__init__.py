"""Two committers behind one sink: `driver` (Arrow and delta-rs) and `spark` (Spark's own Delta writer).

Both leave the same rows and the same `txn` action, so that a table may change from one to the other
between two runs (docs/design/exactly-once.md#committers).
"""
