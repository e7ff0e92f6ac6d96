import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { BackendFaultKind, Fault } from "../../lib/scenario/types.ts";
import type { MeasuredBackend } from "./measured_backend.ts";
import type { FaultResult, Series } from "../../lib/metrics/mod.ts";

/** How many changes of state are kept. A backend that flaps for days must not fill the memory. */
const MAX_CHANGES = 10_000;

interface Detection {
  readonly fault: Extract<Fault, { backend: number }>;
  readonly detection: (Nanoseconds | null)[];
  readonly failback: (Nanoseconds | null)[];
}

/** Records when the balancers mark backends as up or down, and compares that with the faults. */
export class HealthLog {
  falseDowns = 0;
  /** How often a balancer has marked each backend as down. */
  downs: Float64Array;
  readonly changes: Series["health"][number][] = [];
  readonly #balancers: number;
  readonly #detections: Detection[];
  /**
   * After a fault has ended, a probe that began before may still fail because of it, until its timeout
   * passes.
   */
  readonly #probeTimeout: Nanoseconds;
  /** For each balancer and backend: 1 if the balancer has marked it as up. */
  #up: Uint8Array;
  /** For each balancer and backend: the time at which it was marked as down; NaN if it is not. */
  #downSince: Float64Array;
  /** For each backend: the time for which it was marked as down, summed over all balancers. */
  #downTime: Float64Array;

  constructor(
    backends: readonly MeasuredBackend[],
    balancers: number,
    faults: readonly Fault[],
    probeTimeout: Nanoseconds,
  ) {
    this.#balancers = balancers;
    this.#probeTimeout = probeTimeout;
    this.#up = new Uint8Array(balancers * backends.length);
    this.downs = new Float64Array(backends.length);
    this.#downTime = new Float64Array(backends.length);
    this.#downSince = new Float64Array(balancers * backends.length).fill(NaN);
    this.#detections = [];
    for (const fault of faults) this.addFault(fault);
  }

  /** Adds another backend. There must be only one balancer. */
  addBackend(): void {
    this.#up = Uint8Array.of(...this.#up, 0);
    this.downs = Float64Array.of(...this.downs, 0);
    this.#downTime = Float64Array.of(...this.#downTime, 0);
    this.#downSince = Float64Array.of(...this.#downSince, NaN);
  }

  /** Adds another fault. */
  addFault(fault: Fault): void {
    if (!("backend" in fault) || isPlanned(fault.kind)) return;
    const none = () => Array.from({ length: this.#balancers }, () => null);
    this.#detections.push({ fault, detection: none(), failback: none() });
  }

  /** Replaces a fault by the same fault with another end in the future. */
  replaceFault(before: Fault, after: Fault): void {
    const place = this.#detections.findIndex(({ fault }) => fault === before);
    if (place === -1 || !("backend" in after)) return;
    this.#detections[place] = { ...this.#detections[place]!, fault: after };
  }

  /** A balancer marks a backend as up or down. */
  changed(balancer: number, backend: number, up: boolean, now: Nanoseconds): void {
    if (this.changes.length < MAX_CHANGES) this.changes.push({ at: now, balancer, backend, up });
    if (up) this.#isUp(balancer, backend, now);
    else this.#isDown(balancer, backend, now);
  }

  /** A balancer has restarted and lost its state. */
  balancerRestarted(balancer: number, now: Nanoseconds): void {
    for (let backend = 0; backend < this.downs.length; backend++) {
      this.#endDowntime(balancer, backend, now);
      this.#up[this.#place(balancer, backend)] = 0;
    }
  }

  /** A fault begins. If the backend is marked as down already, the detection time is 0. */
  faultBegins(fault: Fault): void {
    const { detection, backend } = this.#detectionOf(fault) ?? {};
    detection?.forEach((_, balancer) => {
      const down = !Number.isNaN(this.#downSince[this.#place(balancer, backend!)]!);
      if (down) detection[balancer] = 0;
    });
  }

  /** A fault ends. If the backend is marked as up already, the failback time is 0. */
  faultEnds(fault: Fault): void {
    const { detection, failback, backend } = this.#detectionOf(fault) ?? {};
    failback?.forEach((_, balancer) => {
      const up = this.#up[this.#place(balancer, backend!)] === 1;
      if (up && detection![balancer] !== null) failback[balancer] = 0;
    });
  }

  /** Time for which balancers marked a backend as down, summed over balancers, since the start. */
  downTime(backend: number, now: Nanoseconds): number {
    let time = this.#downTime[backend]!;
    for (let balancer = 0; balancer < this.#balancers; balancer++) {
      const since = this.#downSince[this.#place(balancer, backend)]!;
      if (!Number.isNaN(since)) time += now - since;
    }
    return time;
  }

  /** The detection and failback times of each fault of a backend. */
  results(backends: readonly MeasuredBackend[]): FaultResult[] {
    return this.#detections.map(({ fault, detection, failback }) => ({
      backend: backends[fault.backend]!.id,
      kind: fault.kind.name,
      at: fault.at,
      ...(fault.for === Infinity ? {} : { until: fault.at + fault.for }),
      detection,
      failback,
    }));
  }

  #isDown(balancer: number, backend: number, now: Nanoseconds): void {
    this.downs[backend]!++;
    this.#up[this.#place(balancer, backend)] = 0;
    this.#downSince[this.#place(balancer, backend)] = now;
    let atFault = false;
    for (const { fault, detection } of this.#detections) {
      const until = fault.at + fault.for + this.#probeTimeout;
      if (fault.backend !== backend || now < fault.at || now > until) continue;
      atFault = true;
      detection[balancer] ??= now - fault.at;
    }
    if (!atFault) this.falseDowns++;
  }

  #isUp(balancer: number, backend: number, now: Nanoseconds): void {
    this.#endDowntime(balancer, backend, now);
    this.#up[this.#place(balancer, backend)] = 1;
    for (const { fault, detection, failback } of this.#detections) {
      const end = fault.at + fault.for;
      if (fault.backend !== backend || now < end || detection[balancer] === null) continue;
      failback[balancer] ??= now - end;
    }
  }

  #endDowntime(balancer: number, backend: number, now: Nanoseconds): void {
    const place = this.#place(balancer, backend);
    const since = this.#downSince[place]!;
    if (Number.isNaN(since)) return;
    this.#downTime[backend]! += now - since;
    this.#downSince[place] = NaN;
  }

  #detectionOf(fault: Fault): Detection & { readonly backend: number } | undefined {
    const found = this.#detections.find((detection) => detection.fault === fault);
    return found && { ...found, backend: found.fault.backend };
  }

  #place(balancer: number, backend: number): number {
    return balancer * this.downs.length + backend;
  }
}

/** Whether this is a planned action of an operator, which no probe has to detect. */
export function isPlanned(
  kind: BackendFaultKind,
): kind is Extract<BackendFaultKind, { name: "drain" | "maintenance" }> {
  return kind.name === "drain" || kind.name === "maintenance";
}
