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
interface Course {
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
  readonly #courses: readonly Course[];

  constructor(world: World) {
    this.#world = world;
    this.#courses = world.scenario.faults.map((fault) => ({
      fault,
      active: false,
      crashed: undefined,
    }));
  }

  /** Schedules all faults. */
  start(): void {
    this.#courses.forEach(({ fault }, index) => {
      this.#world.queue.push(fault.at, FAULT_BEGINS, index);
      if (fault.for !== Infinity) {
        this.#world.queue.push(fault.at + fault.for, FAULT_ENDS, index);
      }
    });
  }

  /** A fault begins. */
  begins(index: number, now: Nanoseconds): void {
    const course = this.#courses[index]!;
    course.active = true;
    const { fault } = course;
    if ("backend" in fault) this.#backendFaultBegins(index, fault, now);
    else this.#balancerStops(fault.loadBalancer, now);
  }

  /** A fault is over. */
  ends(index: number, now: Nanoseconds): void {
    const course = this.#courses[index]!;
    course.active = false;
    const { fault } = course;
    if ("backend" in fault) this.#backendFaultEnds(course, fault, now);
    else this.#balancerStarts(fault.loadBalancer, now);
  }

  /** A flapping backend crashes or comes back. */
  flaps(index: number, now: Nanoseconds): void {
    const course = this.#courses[index]!;
    const { fault } = course;
    if (!course.active || !("backend" in fault) || fault.kind.name !== "flap") return;
    const { period, down } = fault.kind;
    if (course.crashed === undefined) {
      course.crashed = { ...CRASH };
      this.#goesWrong(fault.backend, course.crashed, now);
      this.#world.queue.push(now + Math.round(period * down), FLAP, index);
    } else {
      this.#comesRight(fault.backend, course.crashed, now);
      course.crashed = undefined;
      this.#world.queue.push(now + Math.round(period * (1 - down)), FLAP, index);
    }
  }

  #backendFaultBegins(index: number, { backend, kind }: BackendFault, now: Nanoseconds): void {
    switch (kind.name) {
      case "flap":
        this.flaps(index, now);
        break;
      case "partition":
        this.#cut(backend, kind.loadBalancer, 1, now);
        break;
      case "drain":
      case "maintenance":
        this.#operate(backend, now);
        break;
      default:
        this.#goesWrong(backend, kind, now);
        // To the network, a machine that is silent is one that cannot be reached.
        if (kind.name === "hang") this.#cut(backend, undefined, 1, now);
    }
  }

  #backendFaultEnds(course: Course, { backend, kind }: BackendFault, now: Nanoseconds): void {
    switch (kind.name) {
      case "flap":
        if (course.crashed !== undefined) this.#comesRight(backend, course.crashed, now);
        course.crashed = undefined;
        break;
      case "partition":
        this.#cut(backend, kind.loadBalancer, -1, now);
        break;
      case "drain":
      case "maintenance":
        this.#operate(backend, now);
        break;
      default:
        this.#comesRight(backend, kind, now);
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
    for (const { fault, active } of this.#courses) {
      if (!active || !("backend" in fault) || fault.backend !== backend) continue;
      if (isPlanned(fault.kind)) strictest = Math.max(strictest, MODES.indexOf(fault.kind.name));
    }
    return MODES[strictest]!;
  }

  #goesWrong(index: number, kind: BackendFaultKind, now: Nanoseconds): void {
    const backend = this.#world.backends[index]!;
    const wasDown = backend.down;
    backend.begin(kind, now);
    if (backend.down && !wasDown) this.#world.service.crash(backend, now);
  }

  #comesRight(index: number, kind: BackendFaultKind, now: Nanoseconds): void {
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

  #balancerStops(index: number, now: Nanoseconds): void {
    const balancer = this.#world.balancers[index]!;
    if (balancer.stops++ > 0) return;
    this.#world.prober.stop(balancer, now);
    this.#world.relay.drop(balancer, now);
    balancer.restart();
    this.#world.idleReports?.forgotten(balancer, now);
    for (const { fault, active } of this.#courses) {
      if (!active || !("backend" in fault) || !isPlanned(fault.kind)) continue;
      const { id } = this.#world.backends[fault.backend]!;
      balancer.scheduler.setMode(id, this.#modeOf(fault.backend), now);
    }
  }

  #balancerStarts(index: number, now: Nanoseconds): void {
    const balancer = this.#world.balancers[index]!;
    if (--balancer.stops === 0) this.#world.prober.restart(balancer, now);
  }
}
