import type { BackendMode } from "../../lib/core/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { BackendFault, BackendFaultKind, Fault } from "../../lib/scenario/types.ts";
import { FAULT_BEGINS, FAULT_ENDS, FLAP } from "../engine/mod.ts";
import { isPlanned } from "../measure/mod.ts";
import type { World } from "./world.ts";

const CRASH: BackendFaultKind = { name: "crash" };
/** What an operator can wish for, the strictest last. */
const MODES: readonly BackendMode[] = ["ready", "drain", "maintenance"];

/** What a fault is at present. */
interface FaultState {
  readonly fault: Fault;
  active: boolean;
  /** A flapping backend is down at the moment. It is a crash of its own. */
  crashed: BackendFaultKind | undefined;
}

/** Makes things go wrong when the scenario says so. What follows is up to the world. */
export class FaultInjector {
  /** Links between a balancer and a backend that are cut, counted by partition and by hang. */
  cuts = 0;
  readonly #world: World;
  readonly #states: readonly FaultState[];

  constructor(world: World) {
    this.#world = world;
    this.#states = world.scenario.faults.map((fault) => ({
      fault,
      active: false,
      crashed: undefined,
    }));
  }

  /** Schedules all faults. */
  start(): void {
    this.#states.forEach(({ fault }, index) => {
      this.#world.queue.push(fault.at, FAULT_BEGINS, index);
      if (fault.for !== Infinity) {
        this.#world.queue.push(fault.at + fault.for, FAULT_ENDS, index);
      }
    });
  }

  /** A fault begins. */
  begin(index: number, now: Nanoseconds): void {
    const state = this.#states[index]!;
    state.active = true;
    const { fault } = state;
    if ("backend" in fault) this.#beginBackendFault(index, fault, now);
    else this.#stopBalancer(fault.loadBalancer, now);
  }

  /** A fault is over. */
  end(index: number, now: Nanoseconds): void {
    const state = this.#states[index]!;
    state.active = false;
    const { fault } = state;
    if ("backend" in fault) this.#endBackendFault(state, fault, now);
    else this.#startBalancer(fault.loadBalancer, now);
  }

  /** A flapping backend crashes or comes back. */
  flap(index: number, now: Nanoseconds): void {
    const state = this.#states[index]!;
    const { fault } = state;
    if (!state.active || !("backend" in fault) || fault.kind.name !== "flap") return;
    const { period, down } = fault.kind;
    if (state.crashed === undefined) {
      state.crashed = { ...CRASH };
      this.#applyFault(fault.backend, state.crashed, now);
      this.#world.queue.push(now + Math.round(period * down), FLAP, index);
    } else {
      this.#liftFault(fault.backend, state.crashed, now);
      state.crashed = undefined;
      this.#world.queue.push(now + Math.round(period * (1 - down)), FLAP, index);
    }
  }

  #beginBackendFault(index: number, { backend, kind }: BackendFault, now: Nanoseconds): void {
    switch (kind.name) {
      case "flap":
        this.flap(index, now);
        break;
      case "partition":
        this.#cut(backend, kind.loadBalancer, 1, now);
        break;
      case "drain":
      case "maintenance":
        this.#operate(backend, now);
        break;
      default:
        this.#applyFault(backend, kind, now);
        // To the network, a machine that is silent is one that cannot be reached.
        if (kind.name === "hang") this.#cut(backend, undefined, 1, now);
    }
  }

  #endBackendFault(state: FaultState, { backend, kind }: BackendFault, now: Nanoseconds): void {
    switch (kind.name) {
      case "flap":
        if (state.crashed !== undefined) this.#liftFault(backend, state.crashed, now);
        state.crashed = undefined;
        break;
      case "partition":
        this.#cut(backend, kind.loadBalancer, -1, now);
        break;
      case "drain":
      case "maintenance":
        this.#operate(backend, now);
        break;
      default:
        this.#liftFault(backend, kind, now);
        if (kind.name === "hang") this.#cut(backend, undefined, -1, now);
        else if (kind.name === "pause") this.#resume(backend, now);
    }
  }

  /** The operator's wish for a backend may have changed. */
  #operate(backend: number, now: Nanoseconds): void {
    const { id } = this.#world.backends[backend]!;
    const mode = this.#modeOf(backend);
    for (const { scheduler } of this.#world.balancers) scheduler.setMode(id, mode, now);
  }

  /** The strictest of the wishes for a backend that are in force. */
  #modeOf(backend: number): BackendMode {
    let strictest = MODES.indexOf(this.#world.scenario.balancer.backends[backend]!.mode ?? "ready");
    for (const { fault, active } of this.#states) {
      if (!active || !("backend" in fault) || fault.backend !== backend) continue;
      if (isPlanned(fault.kind)) strictest = Math.max(strictest, MODES.indexOf(fault.kind.name));
    }
    return MODES[strictest]!;
  }

  #applyFault(index: number, kind: BackendFaultKind, now: Nanoseconds): void {
    const backend = this.#world.backends[index]!;
    const wasDown = backend.down;
    backend.begin(kind, now);
    if (backend.down && !wasDown) this.#world.service.crash(backend, now);
  }

  #liftFault(index: number, kind: BackendFaultKind, now: Nanoseconds): void {
    const backend = this.#world.backends[index]!;
    backend.end(kind, now);
    this.#world.idleReports?.mayBeIdle(backend, now);
  }

  #cut(backend: number, only: number | undefined, change: 1 | -1, now: Nanoseconds): void {
    for (const balancer of this.#world.balancers) {
      if (only !== undefined && balancer.index !== only) continue;
      balancer.cuts[backend]! += change;
      this.cuts += change;
    }
    if (change < 0) this.#resume(backend, now);
  }

  /** Something that kept messages back is over. */
  #resume(backend: number, now: Nanoseconds): void {
    for (const balancer of this.#world.balancers) {
      this.#world.relay.resume(balancer, this.#world.backends[backend]!, now);
    }
  }

  #stopBalancer(index: number, now: Nanoseconds): void {
    const balancer = this.#world.balancers[index]!;
    if (balancer.stops++ > 0) return;
    this.#world.prober.stop(balancer, now);
    this.#world.relay.drop(balancer, now);
    balancer.restart();
    this.#world.idleReports?.balancerRestarted(balancer, now);
    for (const { fault, active } of this.#states) {
      if (!active || !("backend" in fault) || !isPlanned(fault.kind)) continue;
      const { id } = this.#world.backends[fault.backend]!;
      balancer.scheduler.setMode(id, this.#modeOf(fault.backend), now);
    }
  }

  #startBalancer(index: number, now: Nanoseconds): void {
    const balancer = this.#world.balancers[index]!;
    if (--balancer.stops === 0) this.#world.prober.restart(balancer, now);
  }
}
