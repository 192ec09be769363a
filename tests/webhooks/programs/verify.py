"""Verifies messages with PyPI's standardwebhooks: a line of JSON for each, and a line with the verdict for each."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    message = json.loads(line)
    try:
        body = Webhook(message["secret"]).verify(message["body"], message["headers"])
        print(body["data"]["position"])
    except WebhookVerificationError:
        print("refused")
