"""Sends records in bulk. httpx sends the whole body before it reads a byte of the answer."""

import json
import os

import httpx

COUNT = 100_000


def lines():
    for first in range(0, COUNT, 100):
        numbers = range(first, first + 100)
        yield "".join(f'{{"external_id":"name {n}","payload":"payload {n}"}}\n' for n in numbers).encode()


headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/x-ndjson"}
with httpx.Client(base_url=os.environ["URL"], headers=headers, timeout=60) as client:
    with client.stream("POST", "/v1/records/bulk?verdicts=each", content=lines()) as answer:
        assert answer.status_code == 200, answer.read()
        verdicts = [json.loads(line) for line in answer.iter_lines()]
    *told, end = verdicts
    assert end["done"] and end["ok"] and end["inserted"] == COUNT, end
    covered = sum(verdict["lines"][1] - verdict["lines"][0] + 1 for verdict in told)
    assert covered == COUNT and told[0]["lines"][0] == 1, (covered, told[:2])

    again = client.post("/v1/records/bulk", content=lines())
    end = json.loads(again.text.splitlines()[-1])
    assert end["ok"] and end["already_there"] == COUNT and end["inserted"] == 0, end
