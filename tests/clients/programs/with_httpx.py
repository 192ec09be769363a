"""Sends records in bulk. httpx sends the whole body before it reads a byte of the answer, which is longer here than what
the kernel keeps for a connection."""

import json
import os

import httpx

COUNT = 200_000


def lines(numbers):
    """The body in parts of a hundred lines."""
    for first in range(0, len(numbers), 100):
        part = numbers[first : first + 100]
        yield "".join(f'{{"external_id":"name {n}","payload":"payload {n}"}}\n' for n in part).encode()


headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/x-ndjson"}
with httpx.Client(base_url=os.environ["URL"], headers=headers, timeout=60) as client:
    even = client.post("/v1/records/bulk", content=lines(range(0, COUNT, 2)))
    end = json.loads(even.text.splitlines()[-1])
    assert end["done"] and end["ok"] and end["inserted"] == COUNT // 2, end

    # Every second line is there already, so that each line is a range.
    with client.stream("POST", "/v1/records/bulk", content=lines(range(COUNT))) as answer:
        assert answer.status_code == 200, answer.read()
        *told, end = [json.loads(line) for line in answer.iter_lines()]
    assert end["done"] and end["ok"], end
    assert end["inserted"] == end["already_there"] == COUNT // 2, end
    assert [verdict["lines"][0] for verdict in told] == [1] + [verdict["lines"][1] + 1 for verdict in told[:-1]]
    assert told[-1]["lines"][1] == COUNT, told[-1]
