/**
 * A random life of a scheduler, recorded: everything that a live balancer can do to it, and every event that it emits.
 * What is done, and when, is drawn from a seed.
 */
import { type Config, DiagnosticsError, parseConfig, writtenConfig } from "../../lib/config/mod.ts";
import {
  ALGORITHM_NAMES,
  closeOnDown,
  type Connection,
  Scheduler,
  toMs,
} from "../../lib/core/mod.ts";
import {
  childSeed,
  createRandom,
  type Nanoseconds,
  NS_PER_MS,
  type Random,
} from "../../lib/base/mod.ts";
import { FORMAT, RECORDED_TYPES, type RecordingHead } from "../../lib/recording/mod.ts";
import { strictEventStream } from "./events.ts";

export const HEAD: RecordingHead = {
  type: "recording",
  format: FORMAT,
  lbsim: "0.0.0",
  run: "test",
  part: 1,
  clients: "addresses",
};

const REASONS = ["refused", "timeout", "unreachable"] as const;
const ENDS = ["closed", "client_aborted", "backend_aborted", "idle_timeout"] as const;

/** The lines of a recording of a life of so many steps. */
export function recordedLife(seed: number, steps: number): string[] {
  const random = createRandom(childSeed(seed, "life"));
  const life = new RecordedLife(seed, random);
  for (let i = 0; i < steps; i++) life.step();
  life.finish();
  return life.lines;
}

class RecordedLife {
  readonly lines: string[] = [JSON.stringify(HEAD)];
  readonly #random: Random;
  readonly #events = strictEventStream();
  readonly #scheduler: Scheduler;
  #config: Config;
  #now: Nanoseconds = 1_234_567;
  /** Those that have not ended, by what was done to them last. */
  #named: Connection[] = [];
  #proxied: Connection[] = [];
  #placed: Connection[] = [];

  constructor(seed: number, random: Random) {
    this.#random = random;
    this.#config = this.#drawConfig();
    this.#events.subscribe("recording", RECORDED_TYPES, (event) => this.#write(event));
    this.#write({
      type: "run_started",
      at_ms: toMs(this.#now),
      version: "0.0.0",
      seed,
      epoch_ms: 0,
      configuration: writtenConfig(this.#config),
    });
    const lots = createRandom(childSeed(seed, "algorithm", 0));
    this.#scheduler = new Scheduler(this.#config, this.#events, lots);
    closeOnDown(
      this.#events,
      () => this.#scheduler,
      () => this.#config.onDown,
      (down) => {
        for (const one of this.#placed) {
          if (one.phase === "open" && one.backend === down) one.close("backend_down", this.#now);
        }
      },
    );
    const records = Array.from({ length: this.#draw(4) }, () => this.#session());
    this.#scheduler.restore(records, this.#now);
    for (const { id } of this.#config.backends) this.#scheduler.probed(id, true, this.#now, 1);
  }

  step(): void {
    if (this.#draw(5) > 0) this.#now += this.#draw(3 * NS_PER_MS);
    const now = this.#now;
    const scheduler = this.#scheduler;
    const kind = this.#draw(100);
    if (kind < 28) this.#named.push(scheduler.accept(this.#client(), now));
    else if (kind < 31) this.#proxied.push(scheduler.acceptProxy("10.9.9.9", now));
    else if (kind < 34) {
      const one = this.#take(this.#proxied, "arriving");
      if (one?.admit(this.#client(), now)) this.#named.push(one);
    } else if (kind < 56) {
      const one = this.#take(this.#named, "arriving");
      one?.assign(now);
      if (one !== undefined) this.#placed.push(one);
    } else if (kind < 72) this.#moveOn(now);
    else if (kind < 84) this.#end(now);
    else if (kind < 96) {
      const { id } = this.#pick(this.#config.backends);
      scheduler.probed(id, this.#draw(3) > 0, now, this.#draw(1e6), "no answer");
    } else if (kind < 97) this.#reload(now);
    else if (kind < 98) scheduler.adopt(this.#session(), now);
    else if (kind < 99) {
      const client = this.#draw(2) === 0 ? undefined : this.#client();
      const sessions = scheduler.endSessions(now, client);
      this.#write({ type: "sessions_ended", at_ms: toMs(now), client: client ?? null, sessions });
    } else this.#now += 100 * NS_PER_MS;
  }

  finish(): void {
    this.#now += 1;
    this.#scheduler.stop(this.#now);
    for (const one of [...this.#named, ...this.#proxied, ...this.#placed]) {
      if (one.phase === "open") one.close("closed_by_balancer", this.#now);
      else if (one.phase === "connecting" && this.#draw(2) === 0) {
        one.connectFailed("refused", this.#now);
      } else if (one.phase !== "ended") one.refuse("stopping", this.#now);
    }
    this.#write({ type: "recording_ended", at_ms: toMs(this.#now) });
  }

  #moveOn(now: Nanoseconds): void {
    const one = this.#pickOf(this.#placed);
    if (one === undefined) return;
    if (one.phase === "connecting") {
      if (this.#draw(4) > 0) one.connected(now);
      else one.connectFailed(this.#pick(REASONS), now, this.#draw(2) === 0 ? "why" : undefined);
    } else if (one.phase === "open") {
      const how = this.#draw(4);
      if (how < 2) one.asked(now);
      if (how === 1 || how === 2) one.answered(now);
      if (how === 3) one.clientFinished(now);
    }
  }

  #end(now: Nanoseconds): void {
    const one = this.#pickOf(this.#draw(8) === 0 ? this.#named : this.#placed);
    if (one === undefined || one.phase === "ended") return;
    if (one.phase === "open") {
      const traffic = { bytesToBackend: this.#draw(99), bytesToClient: this.#draw(99) };
      one.close(this.#pick(ENDS), now, traffic);
    } else if (one.phase === "waiting" || this.#draw(2) === 0) one.leave(now);
    else if (this.#draw(4) === 0) one.refuse("local_shortage", now, "EMFILE");
  }

  #reload(now: Nanoseconds): void {
    this.#config = this.#drawConfig();
    this.#scheduler.passTime(now);
    const configuration = writtenConfig(this.#config);
    this.#write({ type: "configuration_used", at_ms: toMs(now), configuration });
    this.#scheduler.reconfigure(this.#config, now);
    this.#write({ type: "config_reloaded", at_ms: toMs(now), changes: [], ignored: [] });
    for (const { id } of this.#config.backends) this.#scheduler.probed(id, true, now, 1);
  }

  /** A configuration without contradictions. */
  #drawConfig(): Config {
    while (true) {
      try {
        return this.#drawAnyConfig();
      } catch (error) {
        if (!(error instanceof DiagnosticsError)) throw error;
      }
    }
  }

  #drawAnyConfig(): Config {
    const some = (text: string) => this.#draw(2) === 0 ? `${text}\n` : "";
    const backends = Array.from({ length: 2 + this.#draw(4) }, (_, i) => {
      const full = this.#draw(3) === 0 ? `, max_connections: ${1 + this.#draw(4)}` : "";
      const mode = this.#pick(["ready", "ready", "ready", "drain", "maintenance"]);
      const backup = i > 0 && this.#draw(5) === 0;
      const weight = mode === "ready" && i === 0 ? 1 : this.#draw(4);
      return `  - {id: B${i + 1}, address: "10.1.1.${i + 1}:80", weight: ${weight}, ` +
        `backup: ${backup}, mode: ${i === 0 ? "ready" : mode}${full}}\n`;
    });
    const text = `listen: 127.0.0.1:0
algorithm: ${this.#pick(ALGORITHM_NAMES)}
backends:
${backends.join("")}` +
      `health_check: {rise: ${1 + this.#draw(3)}, fall: ${1 + this.#draw(3)}}\n` +
      `retries: ${this.#draw(4)}\non_down: ${this.#pick(["keep", "close"])}\n` +
      `when_none_available: ${this.#pick(["refuse", "try-anyway"])}\n` +
      some(`queue: {length: ${1 + this.#draw(5)}, timeout: ${1 + this.#draw(20)}ms}`) +
      some(
        `sticky: {ttl: ${5 + this.#draw(50)}ms, max_entries: ${2 + this.#draw(9)}, ` +
          `ipv4_prefix: ${this.#pick([24, 31, 32])}, on_failback: ${
            this.#pick(["return", "stay"])
          }, drain: ${this.#pick(["move", "allow"])}}`,
      ) +
      some(`ejection: {failures: ${1 + this.#draw(3)}, base: ${1 + this.#draw(30)}ms, max: 1s}`) +
      some(`slow_start: {duration: ${5 + this.#draw(90)}ms}`) +
      some(`limits: {connections: ${5 + this.#draw(30)}, per_client: {connections: 6}}`) +
      some("deny: [10.0.0.3]");
    return parseConfig({ file: "life", text });
  }

  #session() {
    const [backend, home] = [this.#pick(this.#config.backends), this.#pick(this.#config.backends)];
    return {
      key: this.#client(),
      backend: backend.id,
      home: home.id,
      changedAt: (this.#draw(100) - 50) * NS_PER_MS,
      usedAt: this.#now - this.#draw(20) * NS_PER_MS,
    };
  }

  #client(): string {
    return this.#draw(5) === 0 ? `2001:db8::${1 + this.#draw(4)}` : `10.0.0.${1 + this.#draw(12)}`;
  }

  #take(from: Connection[], phase: Connection["phase"]): Connection | undefined {
    const at = this.#draw(Math.max(1, from.length));
    const [one] = from.splice(at, 1);
    return one?.phase === phase ? one : undefined;
  }

  #pickOf(from: Connection[]): Connection | undefined {
    const at = this.#draw(Math.max(1, from.length));
    if (from[at]?.phase === "ended") from.splice(at, 1);
    return from[at];
  }

  #pick<T>(all: readonly T[]): T {
    return all[this.#draw(all.length)]!;
  }

  #draw(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  #write(line: unknown): void {
    this.lines.push(JSON.stringify(line));
  }
}
