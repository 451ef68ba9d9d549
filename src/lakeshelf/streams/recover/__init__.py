"""Ways on while the jobs are stopped: continue, rebuild, accept a gap, send refused records again."""
