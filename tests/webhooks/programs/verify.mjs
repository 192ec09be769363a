// Verifies messages with npm's standardwebhooks: a line of JSON for each, and a line with the verdict for each.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { Webhook } = createRequire(process.env.PACKAGES)("standardwebhooks");
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    console.log(new Webhook(secret).verify(body, headers).data.position);
  } catch (error) {
    if (error.name !== "WebhookVerificationError" && error.constructor.name !== "WebhookVerificationError") throw error;
    console.log("refused");
  }
}
