"""Contenders, their scores, and the gates that a model has to pass."""
