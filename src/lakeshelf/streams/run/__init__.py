"""How a query runs: batch by batch, on from where its ledger ends, a poisonous record isolated."""
