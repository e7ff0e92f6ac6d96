/** Scenarios drawn at random: every feature of the simulator, in every combination. */
import assert from "node:assert/strict";
import { ALGORITHM_NAMES } from "../../lib/core/mod.ts";
import { createRandom } from "../../lib/base/mod.ts";
import { DiagnosticsError } from "../../lib/config/diagnostic.ts";
import { parseStudy } from "../../lib/scenario/study.ts";
import { type ReadyScenario, type ReplicationResult, simulate } from "../../sim/mod.ts";
import { askedSeed, seedOfCommit } from "../support/seeds.ts";

/** The text of a scenario, and the seed from which it was drawn. */
export interface RandomScenario {
  readonly seed: number;
  readonly text: string;
  readonly trace: string;
}

/** Draws random values, one after the other. */
class Lot {
  readonly #random;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  chance(share: number): boolean {
    return this.#random.next() < share;
  }

  integer(min: number, max: number): number {
    return min + Math.floor(this.#random.next() * (max - min + 1));
  }

  one<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }

  maybe<T>(share: number, value: T): T | undefined {
    return this.chance(share) ? value : undefined;
  }
}

/**
 * The duration of a run. 500 such runs take less than a minute, although they are checked after
 * every event.
 */
const DURATION_MS = 3000;
const ENTRIES = 300;

/**
 * Draws a scenario. Half of the scenarios have few features. So combinations that are rare beside many other features
 * are common there.
 */
export function randomScenario(seed: number): RandomScenario {
  const lot = new Lot(seed);
  const plain = lot.chance(0.5);
  const rare = plain ? 0.15 : 0.5;
  const n = lot.integer(1, 5);
  const ids = Array.from({ length: n }, (_, i) => `B${i + 1}`);
  const balancers = lot.chance(rare) ? lot.integer(2, 6) : 1;
  const unit = lot.one([1, 5, 20]);
  const work = () =>
    lot.one([
      `${unit}ms`,
      "0s",
      { exponential: { mean: `${unit}ms` } },
      { lognormal: { mean: `${unit}ms`, sigma: 1 } },
      { pareto: { min: `${unit / 5}ms`, max: "1s", alpha: 1.5 } },
      { uniform: { min: "0s", max: `${2 * unit}ms` } },
      { erlang: { stages: 3, mean: `${unit}ms` } },
      { hyperexponential: { mean: `${unit}ms`, scv: 20 } },
      { empirical: { values: ["0s", `${unit}ms`, `${9 * unit}ms`], weights: [5, 3, 1] } },
    ]);
  const latency = () =>
    lot.one(["0s", "1ms", "5ms", { uniform: { min: "0s", max: "3ms" } }, {
      exponential: { mean: "2ms" },
    }]);
  const interval = lot.one([50, 100, 300]);
  const closed = lot.chance(0.3);
  const limited = lot.chance(rare);
  const chosen = algorithm(lot, n);
  const isHash = ["source-hash", "ring-hash", "maglev"].includes(chosen.name);
  const hasWeights = chosen.name !== "first-available" && chosen.name !== "join-idle-queue";
  const scenario = {
    balancer: {
      algorithm: chosen,
      backends: ids.map((id) => ({
        id,
        weight: id === "B1" ? lot.integer(1, 3) : lot.one([1, 1, 1, 2, 4, ...plain ? [] : [0]]),
        max_connections: limited ? lot.maybe(id === "B1" ? 1 : 0.5, lot.integer(1, 4)) : undefined,
        backup: id !== "B1" && lot.chance(rare / 3) || undefined,
        mode: lot.maybe(rare / 4, lot.one(["drain", "maintenance"])),
      })),
      health_check: {
        type: lot.one(["tcp", "tcp", "expect", "http", "none"]),
        expect: "ok",
        interval: `${interval}ms`,
        timeout: `${lot.one([interval / 5, interval / 2, interval])}ms`,
        rise: lot.integer(1, 3),
        fall: lot.integer(1, 3),
        jitter: lot.one(["0%", "10%", "50%"]),
      },
      retries: lot.integer(0, 3),
      on_down: lot.one(["keep", "close"]),
      when_none_available: lot.maybe(rare, "try-anyway"),
      timeouts: {
        connect: lot.one(["5ms", "13ms", "100ms", "1s"]),
        idle: lot.one(["30ms", "300ms", "5m"]),
      },
      limits: {
        connections: lot.one([3, 20, 10_000]),
        per_client: lot.maybe(
          rare / 2,
          lot.one([{ connections: 1 }, { connections: 2 }, { rate: "20/s" }, {
            connections: 3,
            rate: "50/s",
          }]),
        ),
      },
      deny: lot.maybe(rare / 3, ["10.0.0.3/32"]),
      sticky: lot.maybe(rare, {
        ttl: lot.one(["100ms", "1s"]),
        max_entries: lot.one([3, 1000]),
        on_failback: lot.one(["return", "stay"]),
        drain: lot.one(["move", "allow"]),
        ipv4_prefix: lot.one([0, 30, 32]),
        store: lot.one(["memory", { sqlite: "x.db" }, { redis: "redis://127.0.0.1" }]),
      }),
      slow_start: lot.maybe(hasWeights ? rare : 0, {
        duration: lot.one(["200ms", "1s"]),
        floor: "10%",
      }),
      ejection: lot.maybe(n > 1 ? rare : 0, {
        failures: lot.integer(1, 4),
        base: "100ms",
        max: lot.one(["100ms", "2s"]),
        max_share: lot.one(["50%", "100%"]),
      }),
      queue: lot.maybe(limited ? 0.7 : 0, {
        length: lot.one([1, 3, 50]),
        timeout: lot.one(["20ms", "1s"]),
      }),
    },
    load_balancers: balancers,
    idle_reports: chosen.name === "join-idle-queue" && lot.chance(0.5) || undefined,
    hash_placement: lot.maybe(isHash ? 0.5 : 0, "fixed"),
    duration: `${DURATION_MS}ms`,
    warmup: lot.one(["0s", "300ms"]),
    workload: {
      arrivals: closed
        ? {
          closed: {
            clients: lot.integer(1, 12),
            think: lot.one([
              "10ms",
              { exponential: { mean: "20ms" } },
              { hyperexponential: { mean: "20ms", scv: 20 } },
            ]),
          },
        }
        : lot.one<unknown>([
          { poisson: { rate: `${lot.one([30, 100, 300])}/s` } },
          { poisson: { rate: `${lot.one([30, 100, 300])}/s` } },
          { deterministic: { rate: "200/s" } },
          { renewal: { gap: { uniform: { min: "0s", max: "10ms" } } } },
          {
            mmpp: {
              states: [{ rate: "300/s", stay: "200ms" }, {
                rate: "none",
                stay: "200ms",
              }],
            },
          },
          { on_off: { rate: "400/s", on: "200ms", off: "300ms" } },
          { diurnal: { rate: "100/s", amplitude: "90%", period: "1s" } },
          { trace: "t.csv" },
        ]),
      clients: { count: lot.one([1, 5, 50]), zipf: lot.one([0, 1]) },
      requests_per_connection: lot.one<unknown>([
        ...[1, 1, 1, 2.5, 3],
        { uniform: { min: 1, max: 5 } },
        { exponential: { mean: 3 } },
        { empirical: { values: [1, 20] } },
      ]),
      think_time: lot.one<unknown>(["0s", "10ms", { exponential: { mean: "40ms" } }, work()]),
      timeout: lot.one(["none", "20ms", "50ms", "300ms"]),
      retries: {
        max: lot.integer(0, 3),
        backoff: lot.one(["0s", "1ms", "20ms"]),
        multiplier: lot.one([0.5, 1, 2]),
        jitter: lot.one(["0%", "10%", "100%"]),
      },
    },
    service: work(),
    servers: {
      default: {
        slots: lot.one([1, 2, 5, "unlimited"]),
        queue: lot.one([0, 1, 20, "unlimited"]),
        discipline: lot.one(["fifo", "processor-sharing"]),
        abandoned: lot.one(["serve", "drop"]),
      },
      B1: lot.maybe(rare, { speed: lot.one([0.5, 4]) }),
    },
    network: lot.chance(0.5)
      ? { latency: latency() }
      : { client_latency: latency(), backend_latency: latency() },
    faults: Array.from({ length: lot.integer(0, plain ? 2 : 8) }, () => fault(lot, ids, balancers)),
  };
  const trace = Array.from(
    { length: ENTRIES },
    () => lot.integer(0, DURATION_MS * 1.1) / 1000,
  ).toSorted((a, b) => a - b).map((at) => `${at},${lot.integer(0, 9)},${lot.integer(0, unit)}ms`);
  return {
    seed,
    text: JSON.stringify(scenario),
    trace: ["at,client,service", ...trace].join("\n"),
  };
}

function algorithm(lot: Lot, n: number) {
  const name = lot.one(ALGORITHM_NAMES);
  const bounded = lot.maybe(0.4, 1.25);
  switch (name) {
    case "power-of-two":
      return { name, choices: lot.integer(1, n) };
    case "prequal":
      return { name, pool: lot.one([2, 16]), probes: lot.integer(1, 3) };
    case "source-hash":
      return { name, bounded_load: bounded };
    case "ring-hash":
      return { name, points: 20, bounded_load: bounded };
    case "maglev":
      return { name, table_size: 251, bounded_load: bounded };
    default:
      return { name };
  }
}

function fault(lot: Lot, ids: readonly string[], balancers: number): unknown {
  // Tenths of a second, so that faults often begin and end at the same moment.
  const at = `${lot.integer(0, DURATION_MS / 100 - 1) * 100}ms`;
  const length = lot.maybe(0.85, `${lot.integer(1, 15) * 100}ms`);
  if (lot.chance(0.15)) {
    return { at, for: length, load_balancer: lot.integer(1, balancers), kind: "lb-restart" };
  }
  const kind = lot.one<unknown>([
    ...["crash", "hang", "pause", "partition", "drain", "maintenance"],
    { slow: lot.one([0.01, 0.5, 5, 1e6]) },
    { "fail-rate": lot.one(["30%", "100%"]) },
    { "fast-errors": lot.one(["50%", "100%"]) },
    { gray: { rate: lot.one(["0%", "30%", "100%"]), slow: 2 } },
    {
      flap: {
        period: lot.one(["7ms", "50ms", "100ms", "300ms"]),
        down: lot.one(["0%", "20%", "50%", "100%"]),
      },
    },
  ]);
  return {
    at,
    for: length,
    // Often the same backend, because faults of a backend should overlap.
    backend: lot.one([ids[0], ids[0], lot.one(ids), ids]),
    load_balancer: kind === "partition" ? lot.maybe(0.5, lot.integer(1, balancers)) : undefined,
    kind,
  };
}

/**
 * Checks this many scenarios: half of them are the same every time, half of them differ with every commit. With
 * `LBSIM_SEED=1234` in the environment, it checks only the scenario of this seed.
 */
export async function checkRandomScenarios(count: number): Promise<void> {
  const asked = askedSeed();
  if (asked !== undefined) {
    checkRandomScenario(asked);
    return;
  }
  const firsts = [1, await seedOfCommit()];
  const half = Math.ceil(count / 2);
  console.log(`seeds: ${firsts.map((first) => `${first} to ${first + half - 1}`).join(", ")}`);
  const failures: string[] = [];
  let refused = 0;
  for (const first of firsts) {
    for (let seed = first; seed < first + half; seed++) {
      try {
        checkRandomScenario(seed);
      } catch (error) {
        // A scenario may be refused because its settings exclude each other. This is not a failure
        // of the simulator.
        if ((error as Error).cause instanceof DiagnosticsError) refused++;
        else failures.push((error as Error).message);
      }
    }
  }
  assert.deepEqual(failures, []);
  assert.ok(refused <= count / 20, `${refused} of ${count} scenarios were refused`);
}

/**
 * Runs a scenario with every invariant checked after every event.
 *
 * @throws {Error} with what is wrong, and the seed that draws the scenario again.
 */
export function checkRandomScenario(seed: number): ReplicationResult {
  const { text, trace } = randomScenario(seed);
  try {
    const study = parseStudy({
      scenario: { file: "random.yaml", text },
      files: { "t.csv": { file: "t.csv", text: trace } },
      set: [],
    });
    const scenario = study.variants[0]!.scenario as ReadyScenario;
    const result = simulate(scenario, seed, { checked: true });
    const { offered, done, failed, refused, timedOut, unfinished } = result.requests;
    assert.equal(offered, done + failed + refused + timedOut + unfinished, "every request ends");
    if (seed % 10 === 0) {
      const plain = simulate(scenario, seed);
      assert.equal(JSON.stringify(plain), JSON.stringify(result), "the same seed, the same bytes");
    }
    return result;
  } catch (error) {
    throw new Error(`LBSIM_SEED=${seed}: ${(error as Error).message}\n${text}`, { cause: error });
  }
}
