import { escapeText, type Nanoseconds } from "../lib/base/mod.ts";
import { type Alarm, Alarms, monotonicNow } from "../lib/io/mod.ts";
import { JobServer, type JobServerOptions } from "./job_server.ts";
import type { BackendServer } from "./server.ts";

/** A backend begins to serve a scenario, or stops. */
export type JobsChange = "begun" | "ended" | "expired";

/** How a backend serves a scenario now. */
export interface ActiveJobs {
  readonly options: JobServerOptions;
  /** An id that is new each time the backend begins to serve a scenario. */
  readonly run: string;
  readonly until: Nanoseconds;
  /** Busy slots and waiting requests since the backend began to serve the scenario, integrated over time. */
  readonly busyTime: number;
  readonly waitingTime: number;
}

/**
 * The backend already serves a scenario with other settings. Settings can change only after it has stopped serving this
 * scenario.
 */
export class OtherJobs extends Error {}

/**
 * Lets a backend serve the requests of a scenario for a limited time. The time must be extended again and again. So
 * if the program that drives the scenario has ended, the backend stops serving the scenario by itself.
 */
export class BackendJobs {
  readonly server: BackendServer;
  readonly #report: (change: JobsChange) => void;
  readonly #alarms = new Alarms(monotonicNow);
  readonly #end: Alarm;
  #active:
    | { readonly options: JobServerOptions; readonly run: string; jobs: JobServer }
    | undefined;

  /** @param report Called when the backend begins to serve a scenario, and when it stops. */
  constructor(server: BackendServer, report: (change: JobsChange) => void) {
    this.server = server;
    this.#report = report;
    this.#end = this.#alarms.alarm(() => void this.#stop("expired"));
  }

  /** How the backend serves a scenario now; undefined if it does not serve one. */
  get active(): ActiveJobs | undefined {
    if (this.#active === undefined) return undefined;
    const { options, run, jobs: { service } } = this.#active;
    const now = monotonicNow();
    return {
      ...{ options, run, until: this.#end.at ?? now },
      busyTime: service.busyTime(now),
      waitingTime: service.waitingTime(now),
    };
  }

  /**
   * Begins to serve a scenario, or extends the time if the backend serves one with these options already.
   *
   * @throws {OtherJobs} if the backend serves a scenario with other options.
   */
  async begin(options: JobServerOptions, duration: Nanoseconds): Promise<void> {
    if (this.#active !== undefined) {
      if (!isEqual(this.#active.options, options)) {
        throw new OtherJobs(`${this.server.id} serves a scenario already, with other settings`);
      }
      this.#end.set(monotonicNow() + duration);
      return;
    }
    const { id } = this.server;
    const jobs: JobServer = new JobServer(id, options, {
      alarms: this.#alarms,
      random: this.server.random,
      answerTo: (line) => line.startsWith("GET ") ? OK : `Hello from ${id}: ${escapeText(line)}\n`,
      onRoom: () => this.server.roomChanged(),
    });
    this.#active = { options, run: crypto.randomUUID(), jobs };
    this.#end.set(monotonicNow() + duration);
    this.#report("begun");
    await this.server.serveJobs(jobs);
  }

  /** Stops serving the scenario. Requests in progress are lost. */
  async end(): Promise<void> {
    await this.#stop("ended");
  }

  async #stop(change: JobsChange): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    this.#end.set(undefined);
    this.#report(change);
    await this.server.serveJobs(undefined);
    await active.jobs.close();
  }
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

function isEqual(a: JobServerOptions, b: JobServerOptions): boolean {
  return a.slots === b.slots && a.queue === b.queue && a.speed === b.speed &&
    a.discipline === b.discipline && a.abandoned === b.abandoned;
}
