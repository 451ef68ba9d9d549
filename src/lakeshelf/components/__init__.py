"""Kafka components: services in Python that follow the business clock and decide through a journal."""
