/** The forms of the playground: the settings that can change during a run. */
import assert from "node:assert/strict";
import { ALGORITHM_NAMES } from "../../../lib/core/mod.ts";
import type { Command, Control, Opened, Result } from "../../../sim/play/mod.ts";
import { Playing } from "./playing.ts";

function play(text: string, files: Record<string, { file: string; text: string }> = {}) {
  const one = new Playing();
  const ask = (command: Command): Result => one.ask(command);
  const opened = ask({ kind: "open", source: { file: "test.yaml", text }, files }) as Opened;
  return { ask, opened };
}

function controlAt({ controls }: Opened, path: string): Control {
  const found = controls.find((control) => control.path === path);
  assert.ok(found, path);
  return found;
}

/** A value that the form of a control can send. */
function valueFor({ value, input }: Control): unknown {
  if (input.kind === "flag") return input.on;
  if (input.kind === "choice") return input.options.at(-1);
  return typeof value === "number" || typeof value === "string" ? String(value) : input.example;
}

const ARRIVALS = [
  "{poisson: {load: 80%}}",
  "{poisson: 100/s}",
  "{deterministic: {rate: 100/s}}",
  "{diurnal: {load: 50%, amplitude: 50%, period: 1s}}",
  "{on_off: {rate: 100/s, on: 1s, off: 1s}}",
  "{renewal: {gap: 10ms}}",
  "{closed: {clients: 5, think: 10ms}}",
];

for (const [i, arrivals] of ARRIVALS.entries()) {
  Deno.test(`Opened.controls of ${arrivals}: each can be changed during the run`, () => {
    const { ask, opened } = play(
      `balancer: {backends: [{id: B1, max_connections: 9}, {id: B2}]}\nduration: 3s\nworkload: {arrivals: ${arrivals}}\n`,
    );
    assert.ok(opened.controls.some(({ group }) => group === "load"));
    let at_ms = 0;
    // The other controls do not depend on the arrivals.
    for (const control of opened.controls.filter(({ group }) => i === 0 || group === "load")) {
      const { path, algorithm } = control;
      assert.notEqual(control.meaning, "", path);
      ask({ kind: "seek", at_ms: ++at_ms });
      if (algorithm !== null) ask({ kind: "change", set: { "balancer.algorithm": algorithm } });
      try {
        ask({ kind: "change", set: { [path]: valueFor(control) } });
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message}`);
      }
      ask({ kind: "withdraw" });
    }
  });
}

Deno.test("Opened.controls have the values of the scenario, of the file that it extends, and defaults", () => {
  const { opened } = play(
    "extends: config.yaml\nduration: 3s\nbalancer: {retries: 7}\nworkload: {arrivals: {poisson: 50/s}}\n",
    {
      "config.yaml": {
        file: "config.yaml",
        text:
          "algorithm: {name: power-of-two, choices: 3}\nbackends: [{id: B1, address: '127.0.0.1:1', max_connections: 9}, {id: B2, address: '127.0.0.1:2'}, {id: B3, address: '127.0.0.1:3'}]\n" +
          "health_check: {interval: 5s}\nqueue: {}\n",
      },
    },
  );
  const value = (path: string) => controlAt(opened, path).value;
  assert.equal(value("balancer.retries"), 7);
  assert.equal(value("balancer.health_check.interval"), "5s");
  assert.equal(value("balancer.health_check.fall"), 3);
  assert.equal(value("balancer.algorithm"), "power-of-two");
  assert.deepEqual(value("balancer.queue"), {});
  assert.equal(value("balancer.queue.timeout"), "5s");
  assert.equal(value("balancer.sticky"), "off");
  assert.equal(value("balancer.sticky.ttl"), null);
  assert.equal(value("workload.arrivals.rate"), "50/s");
  assert.equal(value("workload.arrivals.load"), null);
  const choices = opened.controls.find(({ path, algorithm }) =>
    path === "balancer.algorithm.choices" && algorithm === "power-of-two"
  );
  assert.equal(choices!.value, 3);
  const { input } = controlAt(opened, "balancer.algorithm");
  assert.ok(input.kind === "choice");
  assert.deepEqual(input.options, ALGORITHM_NAMES);
});

Deno.test("the text of a form is read as YAML, and a mistake in it gives the message of the command line", () => {
  const { ask } = play("balancer: {backends: 2}\nduration: 3s\n");
  ask({ kind: "seek", at_ms: 1000 });
  ask({ kind: "change", set: { service: "{exponential: {mean: 5ms}}" } });
  assert.throws(
    () => ask({ kind: "change", set: { "balancer.retries": "many" } }),
    { message: /^test\.yaml:\d+:\d+: .*must be a whole number/ },
  );
  assert.throws(
    () => ask({ kind: "change", set: { service: "{exponential" } }),
    { message: /^test\.yaml:\d+:\d+: / },
  );
});
