import { square } from "../../lib/base/mod.ts";
import type { BackendModel } from "../model/mod.ts";
import type { Imbalance } from "../../lib/metrics/mod.ts";

/** Whether new clients are meant for a backend at present, and for how large a share of them. */
export interface Share {
  readonly weight: number;
  readonly eligible: boolean;
}

/**
 * How evenly connections are spread over the backends that clients are meant for, each by its weight.
 * A backup is not one of them, nor is a backend while the operator has withdrawn it: between two changes
 * of mode, each of the others is held against its share of what they got together.
 */
export class Spread {
  readonly #backends: readonly BackendModel[];
  readonly #shares: () => readonly Share[];
  /** By backend: connections that it got while clients were meant for it, and its share of all such. */
  readonly #received: Float64Array;
  readonly #expected: Float64Array;
  /** By backend: connections that had reached it at the last change of mode. */
  readonly #counted: Float64Array;
  #current: readonly Share[] = [];

  /** @param shares The share of each backend at the moment of the call. */
  constructor(backends: readonly BackendModel[], shares: () => readonly Share[]) {
    this.#backends = backends;
    this.#shares = shares;
    this.#received = new Float64Array(backends.length);
    this.#expected = new Float64Array(backends.length);
    this.#counted = new Float64Array(backends.length);
    this.modeChanged();
  }

  /** The operator has withdrawn a backend, or given one back. */
  modeChanged(): void {
    this.#account();
    this.#current = this.#shares();
  }

  /** The spread until now. It is even if no connection has come. */
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

  /** Adds what has come since the last change of mode. */
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
