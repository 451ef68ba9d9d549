"""What a client of Kafka says of who it is."""

from __future__ import annotations

from lakeshelf.settings import Settings


def authentication(settings: Settings) -> dict[str, str]:
    """Librdkafka settings of the configured user; none where there is no user."""
    if settings.kafka_username is None or settings.kafka_password is None:
        return {}
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": settings.kafka_username,
        "sasl.password": settings.kafka_password.get_secret_value(),
    }
