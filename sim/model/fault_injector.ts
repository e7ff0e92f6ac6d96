import type { BackendMode } from "../../lib/core/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { ServerFault } from "../../lib/fault/mod.ts";
import type { BackendFault, Fault } from "../../lib/scenario/types.ts";
import { FAULT_BEGINS, FAULT_ENDS, FLAP } from "../engine/mod.ts";
import { isPlanned } from "../measure/mod.ts";
import type { World } from "./world.ts";

const CRASH: ServerFault = { name: "crash" };
/** The modes that an operator can set, the strictest last. */
const MODES: readonly BackendMode[] = ["ready", "drain", "maintenance"];

/** A fault and its present state. */
interface FaultState {
  fault: Fault;
  active: boolean;
  /** While a flapping backend is down: the crash that represents this. */
  crashed: ServerFault | undefined;
}

/** Begins and ends the faults of the scenario. Their effects are computed by the affected parts of the world. */
export class FaultInjector {
  /**
   * How many links between balancers and backends are cut at present; a link cut by two faults counts twice.
   */
  cuts = 0;
  readonly #world: World;
  readonly #states: FaultState[];

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
    this.#states.forEach((_, index) => this.#schedule(index));
  }

  #schedule(index: number): void {
    const { fault } = this.#states[index]!;
    this.#world.queue.push(fault.at, FAULT_BEGINS, index);
    this.#scheduleEnd(index);
  }

  #scheduleEnd(index: number): void {
    const { fault } = this.#states[index]!;
    if (fault.for === Infinity) return;
    this.#world.queue.push(fault.at + fault.for, FAULT_ENDS, index);
  }

  /** Schedules another fault, which is now the last one of the scenario. */
  add(fault: Fault): void {
    this.#states.push({ fault, active: false, crashed: undefined });
    this.#schedule(this.#states.length - 1);
  }

  /** Replaces a fault without an end by the same fault with an end. */
  replace(index: number, fault: Fault): void {
    this.#states[index]!.fault = fault;
    this.#scheduleEnd(index);
  }

  /** A fault begins. */
  begin(index: number, now: Nanoseconds): void {
    this.#change(index, true, now);
  }

  /** A fault ends. */
  end(index: number, now: Nanoseconds): void {
    this.#change(index, false, now);
  }

  /** A flapping backend crashes or returns. */
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

  #change(index: number, active: boolean, now: Nanoseconds): void {
    const state = this.#states[index]!;
    state.active = active;
    const { fault } = state;
    if ("backend" in fault) this.#changeBackendFault(index, state, fault, now);
    else if (active) this.#stopBalancer(fault.loadBalancer, now);
    else this.#startBalancer(fault.loadBalancer, now);
  }

  #changeBackendFault(
    index: number,
    state: FaultState,
    { backend, kind }: BackendFault,
    now: Nanoseconds,
  ): void {
    const { active } = state;
    const change = active ? 1 : -1;
    switch (kind.name) {
      case "flap":
        if (active) {
          this.flap(index, now);
        } else if (state.crashed !== undefined) {
          this.#liftFault(backend, state.crashed, now);
          state.crashed = undefined;
        }
        break;
      case "partition":
        this.#cut(backend, kind.loadBalancer, change, now);
        break;
      case "drain":
      case "maintenance":
        this.#setMode(backend, now);
        break;
      default:
        if (active) this.#applyFault(backend, kind, now);
        else this.#liftFault(backend, kind, now);
        // In the network, a silent machine looks like one that cannot be reached.
        if (kind.name === "hang") this.#cut(backend, undefined, change, now);
        else if (kind.name === "pause" && !active) this.#resume(backend, now);
    }
  }

  /** The configuration has changed: sets the modes that faults ask for again. */
  configurationChanged(now: Nanoseconds): void {
    for (const { fault, active } of this.#states) {
      if (active && "backend" in fault && isPlanned(fault.kind)) this.#setMode(fault.backend, now);
    }
  }

  /** Sets a backend to the mode that the present faults ask for. */
  #setMode(backend: number, now: Nanoseconds): void {
    const { id } = this.#world.backends[backend]!;
    const mode = this.#modeOf(backend);
    for (const { scheduler } of this.#world.balancers) {
      if (scheduler.backend(id) !== undefined) scheduler.setMode(id, mode, now);
    }
  }

  /** The strictest mode that the configuration or a present fault asks for. */
  #modeOf(backend: number): BackendMode {
    const { id } = this.#world.backends[backend]!;
    const { backends } = this.#world.scenario.balancer;
    const configured = backends[backend]?.id === id
      ? backends[backend]
      : backends.find((one) => one.id === id);
    let strictest = MODES.indexOf(configured?.mode ?? "ready");
    for (const { fault, active } of this.#states) {
      if (!active || !("backend" in fault) || fault.backend !== backend) continue;
      if (isPlanned(fault.kind)) strictest = Math.max(strictest, MODES.indexOf(fault.kind.name));
    }
    return MODES[strictest]!;
  }

  #applyFault(index: number, kind: ServerFault, now: Nanoseconds): void {
    const backend = this.#world.backends[index]!;
    const wasDown = backend.down;
    backend.begin(kind, now);
    if (backend.down && !wasDown) this.#world.service.crash(backend, now);
  }

  #liftFault(index: number, kind: ServerFault, now: Nanoseconds): void {
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

  /** A partition, a hang or a pause has ended: messages that were held back are sent. */
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
      if (balancer.scheduler.backend(id) === undefined) continue;
      balancer.scheduler.setMode(id, this.#modeOf(fault.backend), now);
    }
  }

  #startBalancer(index: number, now: Nanoseconds): void {
    const balancer = this.#world.balancers[index]!;
    if (--balancer.stops === 0) this.#world.prober.restart(balancer, now);
  }
}
