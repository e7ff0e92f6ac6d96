import assert from "node:assert/strict";
import { parseConfig } from "../../../lib/config/mod.ts";
import { UserError } from "../../../lib/base/user_error.ts";

const EVERY_DURATION: readonly string[] = [
  ...["health_check: {type: tcp, interval: 1ns}", "health_check: {timeout: 1ns}"],
  ...["algorithm: {name: peak-ewma, decay: 1ns}", "algorithm: {name: peak-ewma, initial: 1ns}"],
  ...["algorithm: {name: prequal, age: 1ns}", "sticky: {ttl: 1ns}"],
  "sticky: {store: {redis: 'redis://h', timeout: 1ns}}",
  ...["ejection: {base: 1ns}", "ejection: {max: 1ns}", "slow_start: {duration: 1ns}"],
  ...["proxy_protocol: {send: v1, timeout: 1ns}", "tls: {certificate: c, key: k, timeout: 1ns}"],
  ...["queue: {timeout: 1ns}", "timeouts: {connect: 1ns}", "timeouts: {idle: 1ns}"],
  "log: {status_interval: 1ns}",
];

for (const text of EVERY_DURATION) {
  Deno.test(`parseConfig() says why a duration cannot be that short: ${text}`, () => {
    const backends = "backends: [{id: B1, address: 10.0.0.1:80, max_connections: 5}]\n";
    assert.throws(() => parseConfig({ file: "config.yaml", text: backends + text }), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /1ns is too short: at least \d+(us|ms), because \w+/);
      return true;
    });
  });
}
