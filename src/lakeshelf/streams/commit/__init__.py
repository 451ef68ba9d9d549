"""How a batch is committed: folds and their tables, the ledger, then what is published."""
