"""Checks the AsyncAPI document against the schema of AsyncAPI: asyncapi.py DOCUMENT SCHEMA. Every reference leads somewhere."""

import json
import pathlib
import sys

import jsonschema
import yaml

document_path, schema_path = map(pathlib.Path, sys.argv[1:])
document = yaml.safe_load(document_path.read_text())
schema = json.loads(schema_path.read_text())
validator = jsonschema.validators.validator_for(schema)(schema)
errors = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]
assert not errors, "\n".join(errors)
assert not validator.is_valid({**document, "asyncapi": "9.9.9"}) and not validator.is_valid({**document, "x": 1})


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


found = list(references(document))
for reference in found:
    if reference.startswith("#/"):
        target = document
        for part in reference[2:].split("/"):
            target = target[part]
    else:
        json.loads((document_path.parent / reference).read_text())
print(document["info"]["version"], len(found))
