"""How a query runs: batch by batch, a poisonous record isolated."""
