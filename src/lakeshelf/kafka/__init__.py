"""Kafka without Spark: reading topics, their offsets and settings, for jobs and components alike."""
