"""Whether the process of a container works: `healthcheck.py KIND PLACE`, exit code 0 if it does.

It asks the process, not its port or number.

- `http URL`: answers with a code below 500, as `/health/ready` does of one whose queries or components all run.
- `kafka HOST:PORT`: the broker tells which topics there are, to the user of the settings.
"""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def http(url: str) -> bool:
    """Whether a server answers."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the URL is the image's own
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500


def kafka(address: str) -> bool:
    """Whether a broker that has a controller answers clients."""
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - only this kind needs it

    options = {"bootstrap.servers": address, "log_level": 0}
    if os.environ.get("LAKESHELF_KAFKA_USERNAME"):
        from lakeshelf.kafka.authentication import authentication  # noqa: PLC0415 - slow to import
        from lakeshelf.settings import load_settings  # noqa: PLC0415 - with it

        options |= authentication(load_settings())
    client = AdminClient(options)
    return bool(client.list_topics(timeout=TIMEOUT_S).brokers)


KINDS = {"http": http, "kafka": kafka}


def main(kind: str, place: str) -> int:
    """Exit code for a container runtime."""
    try:
        return 0 if KINDS[kind](place) else 1
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, it is not well
        sys.stderr.write(f"{kind} {place}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
