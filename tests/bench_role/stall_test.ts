/** A server that stalls by known amounts, in controlled time: each percentile is known exactly. */
import assert from "node:assert/strict";
import { BackendNames, linePayload, PooledLoad, Tally } from "../../bench/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { Histogram } from "../../lib/stats/mod.ts";
import { createArrivals } from "../../lib/workload/mod.ts";

/** Answers each request at once, except from `stall.from` to `stall.to`: then at `stall.to`. */
class StallingServer {
  readonly #now: () => number;
  readonly #stall: { readonly from: number; readonly to: number };
  #answers: (() => void)[] = [];

  constructor(now: () => number, stall: { readonly from: number; readonly to: number }) {
    this.#now = now;
    this.#stall = stall;
  }

  /** The stall is over. */
  goOn(): void {
    this.#answers.splice(0).forEach((answer) => answer());
  }

  connect() {
    let reading: { buffer: Uint8Array; resolve: (count: number) => void } | undefined;
    const answer = () => {
      const bytes = new TextEncoder().encode("fine\n");
      reading!.buffer.set(bytes);
      const { resolve } = reading!;
      reading = undefined;
      resolve(bytes.length);
    };
    return {
      read: (buffer: Uint8Array) =>
        new Promise<number | null>((resolve) => reading = { buffer, resolve }),
      write: (bytes: Uint8Array) => {
        const now = this.#now();
        if (now >= this.#stall.from && now < this.#stall.to) this.#answers.push(answer);
        else answer();
        return Promise.resolve(bytes.length);
      },
      closeWrite: () => Promise.resolve(),
      close: () => {},
    };
  }
}

/** Lets all promises settle that need no timer and no socket. */
async function settled(): Promise<void> {
  for (let i = 0; i < 500; i++) await Promise.resolve();
}

/** Sends 100 requests a second for ten seconds; the server stalls from 5 s to 7 s. */
async function run(connections: number): Promise<Tally> {
  let now = 0;
  const server = new StallingServer(() => now, { from: 5 * NS_PER_S, to: 7 * NS_PER_S });
  const tally = new Tally(new BackendNames());
  const load = new PooledLoad({
    address: { host: "127.0.0.1", port: 1 },
    payload: linePayload(),
    timeout: 60 * NS_PER_S,
    now: () => now,
    dial: () => Promise.resolve(server.connect()),
    arrivals: createArrivals({ kind: "deterministic", rate: 100 }, createRandom(1)),
    until: 10 * NS_PER_S,
    connections,
    isFilled: true,
    requestsPerConnection: Infinity,
  }, tally);
  await load.prepare();
  for (now = 0; !load.isDone; now = Math.min(load.nextAt, now + 10 * NS_PER_MS)) {
    if (now === 7 * NS_PER_S) server.goOn();
    await settled();
    load.ring(now);
    await settled();
  }
  await load.close();
  assert.equal(tally.answers, 1000);
  return tally;
}

/** The buckets of a histogram are 0.4 % wide. */
function assertQuantiles(histogram: Histogram, expected: Readonly<Record<string, number>>): void {
  for (const [share, seconds] of Object.entries(expected)) {
    const value = histogram.quantile(Number(share)) / NS_PER_S;
    assert.ok(
      Math.abs(value - seconds) <= 0.004 * seconds + 1e-6,
      `${share}: ${value}, not ${seconds}`,
    );
  }
}

Deno.test("corrected latencies of a stall are those of all requests with a planned start in it", async () => {
  const { corrected } = await run(1);
  // 200 of 1,000 requests waited: 2.00 s, 1.99 s … 0.01 s.
  assertQuantiles(corrected, { 0.5: 0, 0.8: 0, 0.85: 0.5, 0.9: 1, 0.99: 1.9, 0.999: 1.99, 1: 2 });
  assert.ok(Math.abs(corrected.mean / NS_PER_S - 0.201) < 1e-6, `${corrected.mean}`);
});

Deno.test("uncorrected latencies of a stall are those of the few requests that were sent", async () => {
  const one = await run(1);
  // Only the request that was on the way when the stall began; the others waited for the connection.
  assertQuantiles(one.uncorrected, { 0.5: 0, 0.99: 0, 0.999: 0, 1: 2 });
  const ten = await run(10);
  assertQuantiles(ten.uncorrected, { 0.5: 0, 0.99: 0, 0.995: 1.95, 1: 2 });
  assertQuantiles(ten.corrected, { 0.5: 0, 0.9: 1, 0.99: 1.9, 1: 2 });
});

Deno.test("the lag of the generator is none of the server's stall", async () => {
  const { lag } = await run(1);
  assert.equal(lag.count, 1000);
  assert.equal(lag.max, 0);
});
