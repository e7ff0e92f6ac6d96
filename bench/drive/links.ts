import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Clock, timerDelay } from "../../lib/io/mod.ts";
import type { ErrorKind, Payload, Tally } from "../core/mod.ts";
import { dial, DialError, type DialOptions } from "./dialing.ts";
import { Link } from "./link.ts";

/** What the user of the connections hears of them. */
export interface LinkEvents<User> {
  /** It is connected. */
  opened(link: Link<User>): void;
  /** Its request has its answer; `link.error` says if that is not a valid one. */
  answered(link: Link<User>): void;
  /** Its connect or its request has failed, and it is closed. */
  failed(link: Link<User>, kind: ErrorKind, message: string | undefined): void;
  /** It was closed while it carried no request. */
  endedIdle(link: Link<User>): void;
}

/** Options of all connections of a load. */
export interface LinksOptions extends DialOptions {
  readonly payload: Payload;
  /** How long a connect, and a request, may take. */
  readonly timeout: Nanoseconds;
  readonly now: Clock;
  /** Opens a connection; `dial` if left out. */
  readonly dial?: typeof dial;
}

/** Deadlines are looked at this often within a timeout, but not more often than every so many milliseconds. */
const LOOKS_PER_TIMEOUT = 50;
const LOOK_MS_MIN = 5;
const LOOK_MS_MAX = 100;

/** All connections of a load. */
export class Links<User> {
  readonly tally: Tally;
  readonly timeout: Nanoseconds;
  readonly #options: LinksOptions;
  readonly #events: LinkEvents<User>;
  readonly #all: Link<User>[] = [];
  readonly #stopping = new AbortController();
  #sweeping: ReturnType<typeof setInterval> | undefined;
  #dialing = 0;
  #allDialed = () => {};

  constructor(options: LinksOptions, tally: Tally, events: LinkEvents<User>) {
    this.#options = options;
    this.#events = events;
    this.tally = tally;
    this.timeout = options.timeout;
  }

  /** How many there are, those included that are being opened. */
  get size(): number {
    return this.#all.length;
  }

  /** How many carry a request, or are being opened for one. */
  get busy(): number {
    return this.#all.reduce((sum, link) => sum + (link.isBusy ? 1 : 0), 0);
  }

  /**
   * Begins to open a connection. A failure is reported to its user in the same way as that of a request.
   *
   * @param from Its local address; the system chooses it if left out.
   * @param client The address that a PROXY header states.
   */
  open(user: User | undefined, from?: string, client?: string): Link<User> {
    const { payload, now, timeout } = this.#options;
    const link = new Link<User>(this, payload, payload.reader(this.tally.names));
    link.user = user;
    link.isBusy = true;
    link.deadline = now() + timeout;
    link.place = this.#all.length;
    this.#all.push(link);
    this.#sweeping ??= setInterval(() => this.#sweep(), this.#lookDelay());
    void this.#dial(link, from, client);
    return link;
  }

  /** @internal */
  remove(link: Link<User>): void {
    const last = this.#all.pop()!;
    if (last === link) return;
    this.#all[link.place] = last;
    last.place = link.place;
  }

  /** @internal */
  answered(link: Link<User>): void {
    this.#events.answered(link);
  }

  /** @internal */
  failed(link: Link<User>, kind: ErrorKind, message: string | undefined): void {
    this.#events.failed(link, kind, message);
  }

  /** @internal */
  endedIdle(link: Link<User>): void {
    this.#events.endedIdle(link);
  }

  /** Closes all connections. Resolves when no connect is under way any more. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    this.#stopping.abort();
    while (this.#all.length > 0) this.#all.at(-1)!.close();
    if (this.#dialing > 0) await new Promise<void>((resolve) => this.#allDialed = resolve);
  }

  async #dial(link: Link<User>, from: string | undefined, client: string | undefined) {
    this.#dialing++;
    try {
      const { dial: open = dial } = this.#options;
      const socket = await open(this.#options, from, client, this.#stopping.signal);
      if (link.connected(socket)) {
        this.tally.connections++;
        this.#events.opened(link);
      }
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      link.fail(error.kind, error.message);
    } finally {
      if (--this.#dialing === 0) this.#allDialed();
    }
  }

  #lookDelay(): number {
    const delay = timerDelay(this.#options.timeout) / LOOKS_PER_TIMEOUT;
    return Math.min(Math.max(delay, LOOK_MS_MIN), LOOK_MS_MAX);
  }

  #sweep(): void {
    const now = this.#options.now();
    // A failure removes its connection, and may open another one at the end.
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const link = this.#all[i];
      if (link === undefined || now < link.deadline) continue;
      if (link.isBusy) link.fail("timeout", "no answer came in time");
    }
  }
}
