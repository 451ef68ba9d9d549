"""The streaming runtime: a job is a declaration plus pure SQL; everything else is given here, once.

Rooms: `declare` < `take` < `commit` < `run` < `recover`; each may use those before it.
"""
