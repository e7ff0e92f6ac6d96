import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/mod.ts";
import { rolesOf } from "../../live/up_command.ts";

const lan = (listen: string) =>
  parseConfig({
    file: "config.yaml",
    text: `listen: ${listen}
backends:
  - {id: B1, address: 192.168.1.11:9000}
  - {id: B2, address: 192.168.1.12:9000}
  - {id: B3, address: 192.168.1.12:9001}
`,
  });

const CASES: readonly (readonly [string, string, readonly string[], boolean, readonly string[]])[] =
  [
    ["a balancer", "192.168.1.10:8000", ["127.0.0.1", "192.168.1.10"], true, []],
    ["a backend", "192.168.1.10:8000", ["127.0.0.1", "192.168.1.11"], false, ["B1"]],
    ["two backends on one machine", "192.168.1.10:8000", ["192.168.1.12"], false, ["B2", "B3"]],
    ["a balancer and a backend on one machine", "192.168.1.11:8000", ["192.168.1.11"], true, [
      "B1",
    ]],
    ["no role for another machine", "192.168.1.10:8000", ["10.0.0.1"], false, []],
    [
      "no role for a wildcard address, which names no machine",
      "0.0.0.0:8000",
      ["10.0.0.1"],
      false,
      [],
    ],
    [
      "the balancer of a loopback address on every machine",
      "127.0.0.1:8000",
      ["10.0.0.1"],
      true,
      [],
    ],
  ];

for (const [what, listen, local, balancer, backends] of CASES) {
  Deno.test(`rolesOf() finds ${what}`, () => {
    const roles = rolesOf(lan(listen), local);
    assert.equal(roles.balancer, balancer);
    assert.deepEqual(roles.backends.map(({ id }) => id), backends);
  });
}
