"""Merged rows on their way to the topics that the jobs obey."""
