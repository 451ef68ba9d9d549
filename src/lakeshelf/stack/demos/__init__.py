"""Demos: receipts replayed and reconciled, and the loop of a simulated shop."""
