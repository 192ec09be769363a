"""Checks each line of a file against a JSON Schema, which must itself be one: schema.py SCHEMA FILE. Prints how many."""

import json
import sys

import jsonschema
import jsonschema_rs

schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema_rs.Draft202012Validator(schema)
events = [json.loads(line) for line in open(sys.argv[2])]
for event in events:
    validator.validate(event)
# It can fail: each property is needed, no other may be there, and none may have any value.
first = events[0]
broken = [{name: value for name, value in first.items() if name != left_out} for left_out in first]
broken += [{**first, name: "x"} for name in first] + [{**first, "more": 1}]
broken += [{**first, "data": [{**first["data"][0], name: "?"}]} for name in first["data"][0] if name != "external_id"]
broken += [{**first, "data": [{k: v for k, v in first["data"][0].items() if k != name}]} for name in first["data"][0]]
for event in broken:
    assert not validator.is_valid(event), event
print(len(events))
