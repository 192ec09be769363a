"""Reads the metrics with the reference parser of OpenMetrics, which refuses what breaks the standard."""

import os

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families

headers = {
    "Authorization": f"Bearer {os.environ['TOKEN']}",
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
}
answer = httpx.get(f"{os.environ['URL']}/metrics", headers=headers)
assert answer.headers["content-type"].startswith("application/openmetrics-text"), answer.headers
families = {family.name: family for family in text_string_to_metric_families(answer.text)}
assert all(name.startswith("signwave_") or name.startswith("process_") for name in families), families.keys()
assert all(family.documentation for family in families.values())
requests = families["signwave_http_requests"]
routes = {sample.labels["route"] for sample in requests.samples}
assert "/v1/records/{id}" in routes and not any("999" in route for route in routes), routes
