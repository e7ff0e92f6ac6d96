import { NS_PER_S } from "../../lib/base/mod.ts";
import type { Flows } from "../../lib/observe/mod.ts";
import type { ShownRun } from "./shown_run.ts";

/** Rates are measured over this time of the machine's clock, in milliseconds. */
const WINDOW_MS = 300;

interface Reading {
  readonly wall: number;
  readonly at: number;
  readonly toBackend: Float64Array;
  readonly done: Float64Array;
  readonly failed: Float64Array;
  readonly refused: Float64Array;
}

/** Computes the rates along the edges from the totals of a run. */
export class Flowmeter {
  readonly #run: ShownRun;
  readonly #readings: Reading[] = [];

  constructor(run: ShownRun) {
    this.#run = run;
  }

  /** The rates of the last 300 ms of the machine's clock. */
  read(wall: number): Flows {
    const { schedulers, ids, totals, now } = this.#run;
    const latest: Reading = {
      wall,
      at: now,
      toBackend: Float64Array.from(
        schedulers.flatMap((scheduler) => ids.map((id) => scheduler.backend(id)?.connections ?? 0)),
      ),
      done: Float64Array.from(totals.done),
      failed: Float64Array.from(totals.failed),
      refused: Float64Array.from(totals.refused),
    };
    this.#readings.push(latest);
    while (this.#readings.length > 2 && this.#readings[1]!.wall <= wall - WINDOW_MS) {
      this.#readings.shift();
    }
    const from = this.#readings[0]!;
    const seconds = (now - from.at) / NS_PER_S;
    const rates = (read: (reading: Reading) => Float64Array) => {
      const before = read(from);
      return Float32Array.from(
        read(latest),
        // A restarted balancer counts from 0 again.
        (total, i) => seconds > 0 ? Math.max(0, total - (before[i] ?? 0)) / seconds : 0,
      );
    };
    const toBackend = rates(({ toBackend }) => toBackend);
    const refusals = rates(({ refused }) => refused);
    return {
      to_balancer: Float32Array.from(schedulers, (_, balancer) => {
        const own = toBackend.subarray(balancer * ids.length, (balancer + 1) * ids.length);
        return own.reduce((sum, rate) => sum + rate, refusals[balancer]!);
      }),
      to_backend: toBackend,
      done: rates(({ done }) => done),
      failed: rates(({ failed }) => failed),
      refused: refusals,
    };
  }
}
