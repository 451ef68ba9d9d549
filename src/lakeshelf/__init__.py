"""Lakeshelf: a streaming lakehouse for retail stock."""

__version__ = "0.1.0"
