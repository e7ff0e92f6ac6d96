import { assert, type Nanoseconds, VERSION } from "../../lib/base/mod.ts";
import {
  closeOnDown,
  EVENT_TYPES,
  EventBalance,
  type LbEvent,
  type RunStarted,
  type Scheduler,
  takesClients,
} from "../../lib/core/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import {
  type BalancerModel,
  checkInvariants,
  type Connection,
  Liveness,
  MANY_AT_ONCE,
  World,
} from "../model/mod.ts";
import {
  ABORT_AT_BACKEND,
  ABORT_AT_BALANCER,
  ANSWER,
  ANSWER_AT_BALANCER,
  ARRIVAL,
  BACKGROUND,
  BEGIN,
  CHANGE,
  CLIENT_DEADLINE,
  CLOSE,
  CONNECT,
  CONNECT_REPLY,
  CONNECT_TIMEOUT,
  END,
  FAULT_BEGINS,
  FAULT_ENDS,
  FLAP,
  HAS_ROOM,
  IDLE_REPORT,
  IDLE_SWEEP,
  NEXT_REQUEST,
  OPERATE,
  PROBE_CONNECT,
  PROBE_DUE,
  PROBE_REQUEST,
  PROBE_RESULT,
  REACH_BALANCER,
  REQUEST,
  RESET_AT_BALANCER,
  SLICE,
  WAKE,
  WARM,
  WORK_DONE,
} from "../engine/mod.ts";
import {
  type CumulativeTotals,
  HealthLog,
  readTotals,
  replicationResult,
  SERIES_BACKENDS_MAX,
  SLICES,
  Spread,
  TimeSeries,
  withIdleBackend,
} from "../measure/mod.ts";
import type { Extension } from "./extension.ts";
import { sliceOf } from "./slices.ts";

/** Reads the events of every balancer. */
export interface Observer {
  /** The configuration in `run_started`: in the form of config.yaml, with all defaults, and without passwords. */
  readonly configuration: RunStarted["configuration"];
  read(event: LbEvent, balancer: number): void;
}

/** Options of a run. Only `operate` changes the result. */
export interface SimulateOptions {
  /** Whether to record a time series. */
  readonly series?: boolean;
  readonly observe?: Observer | undefined;
  /** The operator's actions during the run, on the scheduler of every balancer. */
  readonly operate?: readonly {
    readonly at: Nanoseconds;
    act(scheduler: Scheduler, now: Nanoseconds): void;
  }[];
  /** Whether to check all invariants after every event. Slow; for tests. */
  readonly checked?: boolean;
}

/**
 * Runs one replication of a scenario. The same scenario and seed give the same result, bit by bit, on every
 * platform.
 *
 * @param scenario Its warm-up must be a time: `withWarmup` resolves `auto`.
 * @throws {UserError} if the run would never end.
 */
export function simulate(
  scenario: Scenario & { readonly warmup: Nanoseconds },
  seed: number,
  options: SimulateOptions = {},
): ReplicationResult {
  return new Simulation(scenario, seed, options).run();
}

/**
 * One replication that can pause at any event: `advance` handles all events before a time, `step` handles one event.
 * The pauses do not change the run.
 */
export class Simulation {
  readonly #world: World;
  readonly #seed: number;
  /** The events of each balancer so far; undefined if the run is not checked. */
  readonly #balances: readonly EventBalance[] | undefined;
  readonly #health: HealthLog;
  readonly #spread: Spread;
  readonly #liveness: Liveness;
  readonly #series: TimeSeries | undefined;
  readonly #observe: Observer | undefined;
  readonly #operate: NonNullable<SimulateOptions["operate"]>;
  #warm: CumulativeTotals | undefined;
  #end: CumulativeTotals | undefined;
  /** Whether every event is followed by checks: the run is checked, or its measurement has ended. */
  #isWatched: boolean;
  #isStarted = false;
  #isOver = false;
  /** How many events remain until the next check that virtual time advances. */
  #untilCheck = MANY_AT_ONCE;
  /** The time of the latest such check. */
  #checkedAt = -Infinity;
  /** How many events have happened since a time from which on virtual time has hardly advanced, and that time. */
  #atOnce = 0;
  #atOnceSince: Nanoseconds = 0;

  constructor(
    scenario: Scenario & { readonly warmup: Nanoseconds },
    seed: number,
    { series, observe, operate = [], checked }: SimulateOptions,
  ) {
    const world = new World(scenario, seed, scenario.warmup);
    const { queue } = world;
    this.#world = world;
    this.#seed = seed;
    this.#balances = checked
      ? world.balancers.map(({ events }) => new EventBalance(events))
      : undefined;
    this.#isWatched = this.#balances !== undefined;
    this.#liveness = new Liveness(world);
    this.#observe = observe;
    this.#operate = operate;
    this.#health = new HealthLog(
      world.backends,
      world.balancers.length,
      scenario.faults,
      scenario.balancer.healthCheck.timeout,
    );
    // An operator acts on all balancers, so one of them stands for all.
    const [first] = world.balancers as [BalancerModel];
    this.#spread = new Spread(
      world.backends,
      () => {
        const configured = new Map(
          world.scenario.balancer.backends.map((backend) => [backend.id, backend]),
        );
        return world.backends.map(({ id }) => {
          const { weight = 0, backup = false } = configured.get(id) ?? {};
          const mode = first.scheduler.backend(id)?.mode;
          return {
            weight,
            eligible: mode !== undefined && takesClients({ weight, backup, mode }),
          };
        });
      },
    );
    first.events.subscribe("spread", ["backend_mode_changed"], () => this.#spread.modeChanged());
    this.#series = series ? new TimeSeries(sliceOf(scenario), SLICES) : undefined;
    world.prober.onChange = ({ index }, backend, up, now) =>
      this.#health.changed(index, backend.index, up, now);
    const stages = [scenario.balancer, ...scenario.changes?.map(({ to }) => to.balancer) ?? []];
    for (const balancer of world.balancers) {
      const { index, events } = balancer;
      if (stages.some(({ onDown }) => onDown === "close")) {
        closeOnDown(
          events,
          () => balancer.scheduler,
          () => world.scenario.balancer.onDown,
          (backend) => world.relay.closeAllOn(balancer, backend, queue.time),
        );
      }
      events.subscribe(
        "recorder",
        ["session_moved"],
        ({ why }) => world.recorder.sessionsMoved[why]++,
      );
      if (observe !== undefined) {
        events.subscribe("observer", EVENT_TYPES, (event) => observe.read(event, index));
      }
    }
  }

  /** The simulated world, for reading only. */
  get world(): World {
    return this.#world;
  }

  /** Whether the run has ended: no event that it measures can happen any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Events handled so far. */
  get events(): number {
    const { queue } = this.#world;
    return queue.scheduled - queue.size;
  }

  /** When the next event happens; Infinity if there is none. */
  get nextTime(): Nanoseconds {
    this.#begin();
    return this.#isOver ? Infinity : this.#world.queue.nextTime;
  }

  /**
   * Runs it to its end.
   *
   * @throws {UserError} if it would never end.
   */
  run(): ReplicationResult {
    this.advance(Infinity);
    return this.result();
  }

  /**
   * Handles all events before a time, or at most a number of them. Returns the number of handled events.
   *
   * @throws {UserError} if the run would never end.
   */
  advance(before: Nanoseconds, events = Infinity): number {
    return this.#handleEvents(before, events);
  }

  /**
   * Handles the next event if it is before a time. Returns whether there was one.
   *
   * @throws {UserError} if the run would never end.
   */
  step(before: Nanoseconds = Infinity): boolean {
    return this.#handleEvents(before, 1) === 1;
  }

  /** Returns how many events were handled: at most `limit`. */
  #handleEvents(before: Nanoseconds, limit: number): number {
    this.#begin();
    if (this.#isOver) return 0;
    const { queue } = this.#world;
    let handled = 0;
    while (handled < limit) {
      if (!queue.next(before)) {
        this.#isOver = queue.size === 0;
        break;
      }
      handled++;
      if (--this.#untilCheck === 0) this.#checkProgress();
      this.#handle();
      if (this.#isWatched && this.#ends()) break;
    }
    if (this.#isOver) this.#requireCount();
    return handled;
  }

  /** Called once in `MANY_AT_ONCE` events: looking at the time of every event would make a run 3 % longer. */
  #checkProgress(): void {
    const { time } = this.#world.queue;
    if (time - this.#checkedAt <= MANY_AT_ONCE) {
      this.#atOnce += MANY_AT_ONCE;
    } else {
      this.#atOnce = 0;
      this.#atOnceSince = time;
    }
    this.#checkedAt = time;
    this.#untilCheck = MANY_AT_ONCE;
    if (this.#atOnce > 0) this.#liveness.requireProgress(this.#atOnce, this.#atOnceSince);
  }

  /** Checks the invariants if the run is checked. Returns whether the run ends with the event that was handled last. */
  #ends(): boolean {
    if (this.#balances !== undefined) checkInvariants(this.#world, this.#balances);
    if (this.#end !== undefined && this.#isDone(this.#end.at)) this.#isOver = true;
    return this.#isOver;
  }

  /** Throws an error if the run should have ended after a number of connections, and has not. */
  #requireCount(): void {
    const { end } = this.#world.scenario;
    if (this.#end !== undefined || !("connections" in end)) return;
    this.#liveness.rejectUnreachableCount(end.connections);
  }

  /**
   * Whether the run can continue with a scenario that has more changes and faults from now on, with the same result
   * as if it had begun with it. This is not possible before the run has begun, and after its measurement has ended.
   * It is also not possible if another change happens at the same instant as an added one, because changes that are
   * known from the start come first.
   */
  canExtend({ changes, faults, ends, joins }: Extension): boolean {
    if (!this.#isStarted || this.#isOver || this.#end !== undefined) return false;
    if (joins && !this.#world.canAddBackends) return false;
    const times = new Set([
      ...changes.map(({ at }) => at),
      ...faults.map(({ at }) => at),
      ...[...faults, ...ends.values()].map((fault) => fault.at + fault.for),
    ]);
    let isFree = true;
    this.#world.queue.forEach((time) => {
      if (times.has(time)) isFree = false;
    });
    return isFree;
  }

  /** Continues with a scenario for which `canExtend` is true. */
  extend({ scenario, changes: added, faults: begun, ends, joins }: Extension): void {
    const { changes = [] } = scenario;
    const world = this.#world;
    if (joins) this.#addBackends(scenario);
    // A fault that is known is found by its identity.
    const faults = world.scenario.faults.map((fault, i) => {
      const { for: length = fault.for } = ends.get(i) ?? {};
      return length === fault.for ? fault : { ...fault, for: length };
    });
    for (const i of ends.keys()) {
      this.#health.replaceFault(world.scenario.faults[i]!, faults[i]!);
      world.faults.replace(i, faults[i]!);
    }
    for (const fault of begun) {
      world.faults.add(fault);
      this.#health.addFault(fault);
    }
    const first = changes.length - added.length;
    added.forEach(({ at }, i) => world.queue.push(at, CHANGE, first + i));
    world.scenario = {
      ...world.scenario,
      faults: [...faults, ...begun],
      ...changes.length > 0 && { changes },
    };
  }

  /** What is measured of a backend that joins later is as if it had been idle from the start. */
  #addBackends(scenario: Scenario): void {
    for (const _ of this.#world.addBackends(scenario)) {
      this.#health.addBackend();
      this.#spread.addBackend();
      this.#series?.addBackend();
      if (this.#warm !== undefined) this.#warm = withIdleBackend(this.#warm);
    }
  }

  #begin(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#start();
  }

  #start(): void {
    if (this.#observe !== undefined) this.#emitStart(this.#observe);
    const { queue, scenario, faults, prober, relay, clients, warmup } = this.#world;
    queue.push(warmup, WARM, 0);
    if (this.#series !== undefined) queue.push(0, SLICE, 0);
    this.#operate.forEach(({ at }, action) => queue.push(at, OPERATE, action));
    scenario.changes?.forEach(({ at }, change) => queue.push(at, CHANGE, change));
    prober.start();
    faults.start();
    relay.start();
    this.#world.idleReports?.start();
    clients.start();
    if ("duration" in scenario.end) queue.push(scenario.end.duration, END, 0);
  }

  /** Emits `run_started`. Virtual time begins in 1970. */
  #emitStart({ configuration }: Observer): void {
    const seed = this.#seed;
    for (const { events } of this.#world.balancers) {
      events.emit({
        type: "run_started",
        at_ms: 0,
        version: VERSION,
        seed,
        epoch_ms: 0,
        configuration,
      });
    }
  }

  /** Whether every measured request has ended, or the run does not wait for the rest. */
  #isDone(end: Nanoseconds): boolean {
    return this.#world.recorder.inFlight === 0 || this.#liveness.isStuck ||
      this.#liveness.isQuiet(end);
  }

  #handle(): void {
    const world = this.#world;
    const { kind, subject, sequence, time: now } = world.queue;
    if (kind < ARRIVAL) {
      const connection = world.connections.at(subject);
      if (connection.expects(kind, sequence)) this.#handleConnection(kind, connection, now);
      return;
    }
    switch (kind) {
      case ARRIVAL:
        world.clients.arrive(now);
        if (world.clients.stopped) this.#endMeasurement(now);
        break;
      case CLIENT_DEADLINE:
        world.clients.deadline(subject, now);
        break;
      case WAKE:
        world.balancers[subject]!.wake(sequence, now);
        break;
      case IDLE_SWEEP:
        world.relay.sweepIdle(sequence, now);
        break;
      case PROBE_DUE:
      case PROBE_CONNECT:
      case PROBE_REQUEST:
      case PROBE_RESULT:
        world.prober.handle(kind, subject, sequence, now);
        break;
      case CHANGE:
        world.change(subject, now);
        this.#spread.modeChanged();
        break;
      case FAULT_BEGINS:
        this.#faultBegins(subject, now);
        break;
      case FAULT_ENDS:
        world.faults.end(subject, now);
        this.#health.faultEnds(world.scenario.faults[subject]!);
        break;
      case FLAP:
        world.faults.flap(subject, now);
        break;
      case IDLE_REPORT:
        world.idleReports!.arrive(subject, now);
        break;
      case OPERATE:
        for (const { scheduler } of world.balancers) {
          this.#operate[subject]!.act(scheduler, now);
        }
        break;
      case WARM:
        this.#warm = readTotals(world, this.#health, now);
        break;
      case END:
        world.clients.stop();
        this.#endMeasurement(now);
        break;
      case SLICE:
        this.#series!.add(readTotals(world, this.#health, now, SERIES_BACKENDS_MAX));
        if (this.#end === undefined) world.queue.push(this.#series!.nextAt, SLICE, 0);
        break;
    }
    if (kind >= BACKGROUND && this.#liveness.isStuck) this.#requireCount();
  }

  /** Handles an event of a connection. */
  #handleConnection(kind: number, connection: Connection, now: Nanoseconds): void {
    const world = this.#world;
    if (world.loops?.delays(kind, connection, now)) return;
    switch (kind) {
      case WORK_DONE:
        world.service.done(connection, now);
        break;
      case ANSWER:
        world.clients.answered(connection, now);
        break;
      case ANSWER_AT_BALANCER:
        world.relay.answerReached(connection, now);
        break;
      case REQUEST:
        world.service.request(connection, now);
        break;
      case CONNECT:
        world.relay.connectReached(connection, now);
        break;
      case CONNECT_REPLY:
        world.relay.connectReplied(connection, now);
        break;
      case REACH_BALANCER:
        world.relay.reached(connection, now);
        break;
      case CLOSE:
        world.relay.closed(connection, now);
        break;
      case NEXT_REQUEST:
        world.clients.nextRequest(connection, now);
        break;
      case BEGIN:
        world.clients.begin(connection, now);
        if (world.clients.stopped) this.#endMeasurement(now);
        break;
      case CONNECT_TIMEOUT:
        world.relay.connectFailed(connection, "timeout", now);
        break;
      case RESET_AT_BALANCER:
        world.relay.wasReset(connection, now);
        break;
      case ABORT_AT_BALANCER:
        world.relay.clientGone(connection, now);
        break;
      case ABORT_AT_BACKEND:
        world.service.clientGone(connection, now);
        break;
      case HAS_ROOM:
        world.relay.hasRoom(connection, now);
        break;
    }
  }

  #faultBegins(index: number, now: Nanoseconds): void {
    const fault = this.#world.scenario.faults[index]!;
    if ("loadBalancer" in fault) this.#health.balancerRestarted(fault.loadBalancer, now);
    this.#world.faults.begin(index, now);
    this.#health.faultBegins(fault);
  }

  /** Clients have stopped: no further request is measured. */
  #endMeasurement(now: Nanoseconds): void {
    if (this.#end !== undefined) return;
    this.#end = readTotals(this.#world, this.#health, now);
    this.#isWatched = true;
    // A run that ends during its warm-up has measured nothing.
    this.#warm ??= this.#end;
  }

  /** How often a balancer has marked each backend as down so far. */
  get downs(): Float64Array {
    return this.#health.downs;
  }

  /** The measurements. Call it when the run is over. */
  result(): ReplicationResult {
    const { recorder, balancers, backends, queue } = this.#world;
    const from = this.#warm;
    const to = this.#end;
    assert(from !== undefined && to !== undefined, "a run that is over has had its window");
    return replicationResult({
      seed: this.#seed,
      events: this.events,
      from,
      to,
      endedAt: queue.time,
      recorder,
      backends,
      balancers: balancers.length,
      spread: this.#spread,
      health: this.#health,
      readerFailures: balancers.flatMap(({ readerFailures }) => readerFailures),
      series: this.#series,
    });
  }
}
