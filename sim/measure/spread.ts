import { square } from "../../lib/base/mod.ts";
import type { MeasuredBackend } from "./measured_backend.ts";
import type { Imbalance } from "../../lib/metrics/mod.ts";

/** Whether a backend should get new clients at present, and its weight. */
export interface Share {
  readonly weight: number;
  readonly eligible: boolean;
}

/**
 * How evenly connections are spread over the backends that should get clients, relative to their weights. Backups do
 * not count, nor does a backend while an operator has withdrawn it. Between two changes of mode, each backend's
 * connections are compared with its share of the connections that all of them got.
 */
export class Spread {
  readonly #backends: readonly MeasuredBackend[];
  readonly #shares: () => readonly Share[];
  /** For each backend: the connections that it got while it should get clients, and its share of all connections. */
  #received: Float64Array;
  #expected: Float64Array;
  /** For each backend: the connections that had reached it at the last change of mode. */
  #counted: Float64Array;
  #current: readonly Share[] = [];

  /** @param shares The share of each backend at the moment of the call. */
  constructor(backends: readonly MeasuredBackend[], shares: () => readonly Share[]) {
    this.#backends = backends;
    this.#shares = shares;
    this.#received = new Float64Array(backends.length);
    this.#expected = new Float64Array(backends.length);
    this.#counted = new Float64Array(backends.length);
    this.modeChanged();
  }

  /** Adds another backend, which gets no clients yet. */
  addBackend(): void {
    this.#received = Float64Array.of(...this.#received, 0);
    this.#expected = Float64Array.of(...this.#expected, 0);
    this.#counted = Float64Array.of(...this.#counted, 0);
    this.modeChanged();
  }

  /** An operator has withdrawn a backend, or returned one. */
  modeChanged(): void {
    this.#account();
    this.#current = this.#shares();
  }

  /** The spread so far. It is even if no connection has arrived. */
  result(): Imbalance {
    this.#account();
    const ratios = this.#backends.filter(({ index }) => this.#expected[index]! > 0)
      .map(({ index }) => this.#received[index]! / this.#expected[index]!);
    if (ratios.length === 0) return { maxOverMean: 1, coefficientOfVariation: 0 };
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    const variance = ratios.reduce((sum, ratio) => sum + square(ratio - mean), 0) / ratios.length;
    return {
      maxOverMean: ratios.reduce((a, b) => Math.max(a, b)) / mean,
      coefficientOfVariation: Math.sqrt(variance) / mean,
    };
  }

  /** Adds the connections since the last change of mode. */
  #account(): void {
    let weights = 0;
    let connections = 0;
    this.#current.forEach(({ eligible, weight }, i) => {
      if (!eligible) return;
      weights += weight;
      connections += this.#backends[i]!.reached - this.#counted[i]!;
    });
    this.#current.forEach(({ eligible, weight }, i) => {
      const { reached } = this.#backends[i]!;
      if (eligible) {
        this.#received[i]! += reached - this.#counted[i]!;
        this.#expected[i]! += connections * weight / weights;
      }
      this.#counted[i] = reached;
    });
  }
}
