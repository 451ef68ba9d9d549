"""Where a query goes on: its checkpoint, and whether ledger, tables and topics agree with it."""
