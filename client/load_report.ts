import { escapeText, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../lib/base/mod.ts";
import { Histogram } from "../lib/stats/mod.ts";
import type { LoadResult } from "./load.ts";

/** A load's results, added up. */
export class LoadTally {
  readonly #latency = new Histogram();
  readonly #errors = new Map<string, number>();
  readonly #backends = new Map<string, number>();
  #answers = 0;

  record({ latency, backend, error }: LoadResult): void {
    if (error !== undefined) {
      this.#errors.set(error, (this.#errors.get(error) ?? 0) + 1);
      return;
    }
    this.#answers++;
    this.#latency.record(latency);
    if (backend !== undefined) {
      this.#backends.set(backend, (this.#backends.get(backend) ?? 0) + 1);
    }
  }

  /** The summary, as `--json` prints it. */
  summary(duration: Nanoseconds) {
    const errors = [...this.#errors.values()].reduce((sum, count) => sum + count, 0);
    const ms = (share: number) =>
      this.#answers === 0 ? null : this.#latency.quantile(share) / NS_PER_MS;
    return {
      requests: this.#answers + errors,
      answers: this.#answers,
      errors,
      errors_by_kind: Object.fromEntries(this.#errors),
      duration_s: duration / NS_PER_S,
      answers_per_s: this.#answers / (duration / NS_PER_S),
      latency_ms: { p50: ms(0.5), p90: ms(0.9), p99: ms(0.99), max: ms(1) },
      backends: [...this.#backends].toSorted(([a], [b]) => a < b ? -1 : 1).map(([id, answers]) => ({
        id,
        answers,
        share: answers / this.#answers,
      })),
    };
  }
}

/** What a load came to. */
export type LoadSummary = ReturnType<LoadTally["summary"]>;

/** A summary as aligned lines. */
export function loadLines(summary: LoadSummary): string[] {
  const { requests, answers, errors, errors_by_kind, duration_s, answers_per_s, latency_ms } =
    summary;
  const ms = (value: number | null) => value === null ? "–" : `${value.toFixed(2)} ms`;
  const kinds = Object.entries(errors_by_kind).map(([kind, count]) => `${count} ${kind}`).join(
    ", ",
  );
  return [
    `requests  ${requests} in ${duration_s.toFixed(1)} s, ${answers_per_s.toFixed(0)}/s answered`,
    `answers   ${answers}`,
    `errors    ${errors}${kinds && ` (${kinds})`}`,
    `latency   p50 ${ms(latency_ms.p50)}   p90 ${ms(latency_ms.p90)}   ` +
    `p99 ${ms(latency_ms.p99)}   max ${ms(latency_ms.max)}`,
    ...summary.backends.map(({ id, answers, share }, i) =>
      `${i === 0 ? "backends" : ""}`.padEnd(10) +
      `${escapeText(id).padEnd(6)} ${String(answers).padStart(8)}  ${
        (share * 100).toFixed(1).padStart(5)
      } %`
    ),
  ];
}
