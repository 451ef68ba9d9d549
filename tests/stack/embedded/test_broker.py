from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lakeshelf.errors import BrokerError, ToolchainError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded import broker as embedded
from lakeshelf.stack.embedded import broker_data
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.broker_config import MAX_MESSAGE_BYTES
from lakeshelf.stack.machine.processes import identify, read_pid_file
from tests.support import eventually, mounted

pytestmark = pytest.mark.slow
TOPIC = "shelf_events"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that its tests leave as they found it, but for topics of their own."""
    broker = Broker(load_settings(lake_root=tmp_path_factory.mktemp("lake")))
    yield up(broker)
    broker.stop()


def up(broker: Broker) -> Broker:
    broker.start()
    broker.wait_healthy()
    return broker


def create_topic(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(60)


def produce(broker: Broker, *values: str) -> None:
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "acks": "all", "log_level": 0}
    )
    for value in values:
        producer.produce(TOPIC, value)
    assert producer.flush(60) == 0


def consume(broker: Broker, count: int) -> list[str]:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "test", "log_level": 0}
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    try:
        messages = consumer.consume(count, timeout=120)
        return [(message.value() or b"").decode() for message in messages]
    finally:
        consumer.close()


def test_acknowledged_messages_survive_kill_of_the_broker(broker: Broker) -> None:
    create_topic(up(broker))
    produce(broker, "a", "b")
    address = broker.bootstrap_servers

    broker.kill()
    assert not broker.is_running()
    up(broker)

    assert broker.bootstrap_servers == address
    assert consume(broker, 2) == ["a", "b"]


def test_a_broker_that_is_killed_while_it_is_looked_at_leaves_no_zombie(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = up(broker).process
    assert process is not None

    def killed(_: Path) -> None:
        monkeypatch.undo()
        process.send(signal.SIGKILL)
        assert process.wait_gone(60)

    monkeypatch.setattr(embedded, "read_pid_file", killed)
    up(broker)
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def test_a_full_volume_is_named_and_with_room_every_acknowledged_message_is_there(
    broker: Broker, settings: Settings
) -> None:
    home = settings.stack_dir / "broker"
    home.parent.mkdir(parents=True)
    with mounted(home, 32):
        create_topic(up(broker))
        acknowledged = fill(broker)
        said = f"{broker.data}: No space left on device; free some space"
        assert broker.last_words() == said
        subprocess.run(["mount", "-o", "remount,size=256m", str(home)], check=True)
        assert consume(up(broker), len(acknowledged)) == acknowledged
        broker.stop()


def fill(broker: Broker) -> list[str]:
    """What a broker acknowledged until it ended for want of room."""
    acknowledged: list[str] = []
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "acks": "all", "log_level": 0}
    )
    numbers = itertools.count()

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            acknowledged.append((message.value() or b"").decode())

    def ended() -> bool:
        producer.produce(TOPIC, f"{next(numbers)} ".ljust(100_000, "x"), on_delivery=delivered)
        producer.flush(0.1)
        return not broker.is_running()

    eventually(ended, "the volume is full")
    return acknowledged


def test_another_command_finds_and_stops_the_broker_and_data_stay(
    broker: Broker, settings: Settings
) -> None:
    create_topic(up(broker))
    produce(broker, "a")
    other = Broker(settings)
    assert other.is_running()
    other.start()
    assert other.process == broker.process

    other.stop()
    assert not broker.is_running()

    assert consume(up(Broker(settings)), 1) == ["a"]


def test_taken_port_is_named_with_a_way_out(broker: Broker) -> None:
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(BrokerError, match=f"port {port} .*taken.* remove .*ports.json"):
            broker.start()
        assert not broker.is_running()

    broker.ports_file.unlink()
    up(broker)


def test_half_formatted_storage_is_formatted_again(broker: Broker, settings: Settings) -> None:
    part = settings.stack_dir / "broker" / "data.part"
    part.mkdir(parents=True)
    (part / "bootstrap.checkpoint").write_bytes(b"half")

    up(broker)

    assert not part.exists()


def test_broker_that_cannot_read_its_data_says_why(broker: Broker, settings: Settings) -> None:
    up(broker).stop()
    (settings.stack_dir / "broker" / "data" / "meta.properties").write_text("version=77\n")

    broker.start()

    with pytest.raises(BrokerError, match=r"the broker ended: .+; see .*broker\.log"):
        broker.wait_healthy()


def test_broker_of_another_lake_on_the_port_is_not_taken_for_ours(
    broker: Broker, settings: Settings, tmp_path: Path
) -> None:
    up(broker)
    meta = settings.stack_dir / "broker" / "data" / "meta.properties"
    meta.write_text("cluster.id=another\n")

    with pytest.raises(BrokerError, match=r"another Kafka \(cluster .+\) answers"):
        broker.wait_healthy()


def test_message_over_the_limit_is_refused_and_the_broker_goes_on(shared: Broker) -> None:
    create_topic(shared)
    limits = {
        "bootstrap.servers": shared.bootstrap_servers,
        "message.max.bytes": 20_000_000,
        "log_level": 0,
    }
    refused: list[str] = []
    producer = Producer(limits)
    producer.produce(
        TOPIC,
        b"x" * (10 * MAX_MESSAGE_BYTES),
        on_delivery=lambda error, _: refused.append(error.name() if error else "accepted"),
    )
    producer.flush(60)

    produce(shared, "small")

    assert refused == ["MSG_SIZE_TOO_LARGE"]
    assert consume(shared, 1) == ["small"]


def test_unknown_topics_are_not_created(shared: Broker) -> None:
    producer = Producer(
        {"bootstrap.servers": shared.bootstrap_servers, "message.timeout.ms": 1000, "log_level": 0}
    )
    producer.produce("no_such_topic", "x")
    producer.flush(10)

    admin = AdminClient({"bootstrap.servers": shared.bootstrap_servers, "log_level": 0})
    assert "no_such_topic" not in admin.list_topics(timeout=60).topics


def test_tethered_broker_ends_with_its_parent(broker: Broker, settings: Settings) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    program = (
        "import sys, pathlib\n"
        "from lakeshelf.settings import load_settings\n"
        "from lakeshelf.stack.embedded.broker import Broker\n"
        "broker = Broker(load_settings(lake_root=pathlib.Path(sys.argv[1])))\n"
        "broker.start(die_with_parent=True); broker.wait_healthy(); print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(settings.lake_root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        process = broker.process
        parent.send_signal(signal.SIGKILL)

    assert process is not None
    assert process.wait_gone(120)


def test_pid_file_of_a_process_number_used_again_is_stale(tmp_path: Path) -> None:
    alive = identify(1)
    file = tmp_path / "pid"
    file.write_text(json.dumps({"pid": 1, "started": "another time"}))

    assert alive.is_alive
    assert read_pid_file(file) is None


def test_missing_jars_are_reported_before_anything_starts(
    settings: Settings, tmp_path: Path
) -> None:
    without = settings.model_copy(update={"cache_dir": tmp_path / "empty"})

    with pytest.raises(ToolchainError, match="make setup"):
        Broker(without).start()


def test_no_listener_leaves_the_loopback_interface(shared: Broker) -> None:
    properties = (shared.ports_file.parent / "server.properties").read_text()
    listeners = next(line for line in properties.splitlines() if line.startswith("listeners="))

    assert listeners.count("127.0.0.1") == listeners.count("://") == 2


def test_data_that_lost_their_end_are_cut_before_the_record_that_is_not_whole(
    tmp_path: Path,
) -> None:
    broker = up(Broker(load_settings(lake_root=tmp_path)))
    try:
        create_topic(broker)
        for value in ("first", "second", "third"):
            produce(broker, value)
        broker.stop()
        assert list(broker_data.cut_off(broker.data)) == []
        (segment,) = broker.data.glob(f"{TOPIC}-0/*.log")
        segment.write_bytes(segment.read_bytes()[:-1])
        assert list(broker_data.cut_off(broker.data)) == [segment]
        up(broker)
        produce(broker, "fourth")
        assert consume(broker, 3) == ["first", "second", "fourth"]
    finally:
        broker.stop()


@pytest.mark.parametrize("end", [b"\0" * 100, b"\0" * 5, b"\xff" * 40])
def test_what_is_no_batch_at_the_end_of_data_is_seen(tmp_path: Path, end: bytes) -> None:
    whole = (0).to_bytes(8, "big") + (30).to_bytes(4, "big") + bytes(30)
    segment = tmp_path / "topic-0" / "0.log"
    segment.parent.mkdir()
    segment.write_bytes(whole * 3)
    assert list(broker_data.cut_off(tmp_path)) == []
    segment.write_bytes(whole * 3 + end)
    assert list(broker_data.cut_off(tmp_path)) == [segment]
