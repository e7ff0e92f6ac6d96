/** The same script must give the same decisions in the live balancer and in the simulated one. */
import assert from "node:assert/strict";
import { ALGORITHM_NAMES } from "../../lib/core/mod.ts";
import { createRandom } from "../../lib/base/mod.ts";
import { inOrder } from "./decisions.ts";
import { playLive } from "./live.ts";
import type { Script, Step } from "./script.ts";
import { playSimulated } from "./simulated.ts";

const IDS = ["B1", "B2", "B3", "spare"];

/** A balancer with different weights, a limit of connections and a backup. */
function config(algorithm: string, more = ""): string {
  return `
algorithm: ${algorithm}
retries: 2
backends:
  - {id: B1, weight: 1}
  - {id: B2, weight: 3, max_connections: 2}
  - {id: B3, weight: 2}
  - {id: spare, backup: true}
${more}`;
}

const STICKY = "sticky: {ttl: 2s, max_entries: 5, on_failback: return}";

async function assertParity(script: Script): Promise<void> {
  const [live, simulated] = [await playLive(script), playSimulated(script)];
  const moments = [...new Set([...live.keys(), ...simulated.keys()])].toSorted((a, b) => a - b)
    .filter((at) => at < PLAY_MS);
  const told = (decisions: Map<number, string[]>) =>
    moments.map((at) => `${at} ms: ${inOrder(decisions.get(at) ?? []).join("; ")}`);
  assert.deepEqual(told(live), told(simulated), `seed ${script.seed}`);
  assert.ok(moments.length > 5, "something was decided");
}

/** Each kind of step at least once. */
const STORY: readonly Step[] = [
  { at: 10, connect: 1, until: 900 },
  { at: 20, connect: 2, until: 300 },
  { at: 30, connect: 3, until: 5000 },
  { at: 40, connect: 4, until: 1500 },
  { at: 50, connect: 1, until: 700 },
  { at: 60, connect: 5, until: 6000 },
  { at: 100, kill: "B1" },
  { at: 110, connect: 6, until: 800 },
  { at: 120, connect: 1, until: 4000 },
  { at: 130, connect: 7, until: 4100 },
  { at: 200, probe: "B1", ok: false },
  { at: 210, probe: "B1", ok: false },
  { at: 220, connect: 2, until: 3500 },
  { at: 400, mode: "drain", of: "B3" },
  { at: 410, connect: 3, until: 450 },
  { at: 420, connect: 8, until: 4200 },
  { at: 500, mode: "maintenance", of: "B2" },
  { at: 510, connect: 9, until: 4300 },
  { at: 520, connect: 4, until: 560 },
  { at: 600, revive: "B1" },
  { at: 610, probe: "B1", ok: true },
  { at: 620, connect: 1, until: 650 },
  { at: 630, probe: "B1", ok: true },
  { at: 640, connect: 1, until: 660 },
  { at: 1000, mode: "ready", of: "B2" },
  { at: 1010, mode: "ready", of: "B3" },
  { at: 1020, connect: 9, until: 1100 },
  { at: 1030, connect: 10, until: 1110 },
  { at: 1040, connect: 11, until: 1120 },
  { at: 7000, connect: 1, until: 7100 },
];

for (const algorithm of ALGORITHM_NAMES) {
  for (const [name, more] of [["", ""], [" with sticky sessions", STICKY]] as const) {
    Deno.test(`the live balancer and the simulated one make the same decisions: ${algorithm}${name}`, async () => {
      await assertParity({ config: config(algorithm, more), ids: IDS, seed: 1, steps: STORY });
    });
  }
}

/**
 * With this latency, the times of messages have different fractions, so no two events are at the
 * same time.
 */
const LATENCY_MS = 3.7;

for (const algorithm of ALGORITHM_NAMES) {
  Deno.test(`the live balancer and the simulated one make the same decisions over a network: ${algorithm}`, async () => {
    const script = { config: config(algorithm), ids: IDS, seed: 1, steps: STORY };
    await assertParity({ ...script, latency: LATENCY_MS });
  });
}

Deno.test("the live balancer and the simulated one make the same decisions by latency, also over a slow network", async () => {
  // Nothing fails, and clients stay only for a short time: the picks depend on which backend has
  // answered faster.
  for (const algorithm of ["peak-ewma", "prequal"]) {
    for (let seed = 1; seed <= 5; seed++) {
      const { steps } = randomScript(seed);
      const short = steps.filter((step) => "connect" in step)
        .map((step, i) => ({ ...step, until: step.at + 3 + 2 * (i * 7 % 29) }));
      const even = IDS.map((id) => `  - {id: ${id}, weight: 1}`).join("\n");
      const config = `algorithm: ${algorithm}\nbackends:\n${even}\n`;
      await assertParity({ config, ids: IDS, seed, steps: short, latency: LATENCY_MS });
    }
  }
});

const RANDOM_SCRIPTS = 60;
const QUEUE_SCRIPTS = 20;
/** No client that waits in the queue reaches this timeout. */
const FOREVER_MS = 1e9;
/** Every script has ended by this time. The simulated world may continue with its own probes. */
const PLAY_MS = 1e5;

Deno.test("the live balancer and the simulated one make the same decisions in random scripts", async () => {
  for (let seed = 1; seed <= RANDOM_SCRIPTS; seed++) await assertParity(randomScript(seed));
});

Deno.test("the live balancer and the simulated one make the same decisions in random scripts over a network", async () => {
  for (let seed = 101; seed <= 100 + RANDOM_SCRIPTS / 3; seed++) {
    await assertParity({ ...randomScript(seed), latency: LATENCY_MS });
  }
});

Deno.test("the live balancer and the simulated one let the same clients wait for the same time", async () => {
  for (let seed = 1; seed <= QUEUE_SCRIPTS; seed++) {
    const { ids, steps } = randomScript(seed);
    // If several connections end at the same moment, chance decides which client tries a dead
    // backend, and when.
    const deathless = steps.filter((step) => !("kill" in step || "revive" in step))
      // A client that waits leaves later than its script says. The small fractions prevent that a client leaves at the
      // time at which another arrives.
      .map((step, i) => "until" in step ? { ...step, until: step.until + i / 1000 } : step);
    const small = ids.map((id) => `  - {id: ${id}, max_connections: 1}`).join("\n");
    const queue = `queue: {length: ${1 + seed % 7}, timeout: ${FOREVER_MS}ms}`;
    const config = `backends:\n${small}\n${queue}\n${seed % 2 === 0 ? STICKY : ""}`;
    await assertParity({ config, ids, seed, steps: deathless });
  }
});

/** A random script. */
function randomScript(seed: number): Script {
  const random = createRandom(seed);
  const draw = (below: number) => Math.floor(random.next() * below);
  const one = <T>(list: readonly T[]) => list[draw(list.length)]!;
  const dead = new Set<string>();
  const steps: Step[] = [];
  for (let i = 0; i < 60; i++) {
    // Steps have even times and ends have odd ones, so that no two are at the same time.
    const at = 20 * (i + 1);
    const lot = random.next();
    const id = one(IDS);
    if (lot < 0.65) {
      steps.push({ at, connect: 1 + draw(12), until: at + 1 + 20 * draw(30) + 2 * (i % 8) });
    } else if (lot < 0.73) {
      if (dead.delete(id)) steps.push({ at, revive: id });
      else {
        dead.add(id);
        steps.push({ at, kill: id });
      }
    } else if (lot < 0.9) steps.push({ at, probe: id, ok: !dead.has(id) });
    else steps.push({ at, mode: one(["ready", "ready", "drain", "maintenance"]), of: id });
  }
  const more = [
    // There is room for all sessions: if several connections end at the same moment, chance decides
    // which session was used last.
    ...random.next() < 0.5 ? [STICKY.replace("max_entries: 5", "max_entries: 100")] : [],
    ...random.next() < 0.3 ? ["limits: {connections: 6}"] : [],
  ];
  return { config: config(one(ALGORITHM_NAMES), more.join("\n")), ids: IDS, seed, steps };
}
