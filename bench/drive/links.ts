import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Clock, type Connection, type MakeTimer, systemTimers } from "../../lib/io/mod.ts";
import type { ErrorKind, Payload, Tally } from "../core/mod.ts";
import { Deadlines } from "./deadlines.ts";
import { dial, DialError, type DialOptions } from "./dialing.ts";
import { Link } from "./link.ts";

/** The events of connections for their user. */
export interface LinkEvents<User> {
  /** It is connected. */
  opened(link: Link<User>): void;
  /** Its request has its answer. If the answer is not valid, `link.error` is set. */
  answered(link: Link<User>): void;
  /** Its connect or its request has failed, and it is closed. */
  failed(link: Link<User>, kind: ErrorKind, message: string | undefined): void;
  /** It was closed while it carried no request. */
  endedIdle(link: Link<User>): void;
}

/** Opens a connection for its user: `dial`, or a replacement. */
export type Dial<User> = (
  options: DialOptions,
  from: string | undefined,
  client: string | undefined,
  signal: AbortSignal,
  user: User | undefined,
) => Promise<Connection>;

/** Options of all connections of a load. `User` is the type of the data that a user keeps with a connection. */
export interface LinksOptions<User = unknown> extends DialOptions {
  readonly payload: Payload;
  /** How long a connect, and a request, may take. May be Infinity. */
  readonly timeout: Nanoseconds;
  readonly now: Clock;
  /** Creates the timers of the timeouts; if left out, the timers of the system are used. */
  readonly timers?: MakeTimer;
  /** Opens a connection; `dial` if left out. */
  readonly dial?: Dial<User>;
}

/** All connections of a load. */
export class Links<User> {
  readonly tally: Tally;
  readonly #options: LinksOptions<User>;
  readonly #events: LinkEvents<User>;
  readonly #all: Link<User>[] = [];
  readonly #stopping = new AbortController();
  readonly #timers: MakeTimer;
  /** One list for each timeout that there has been; the last list is for the present timeout. */
  readonly #deadlines: Deadlines<User>[] = [];
  #timeout: Nanoseconds;
  #dialing = 0;
  #allDialed = () => {};

  constructor(options: LinksOptions<User>, tally: Tally, events: LinkEvents<User>) {
    this.#options = options;
    this.#events = events;
    this.#timers = options.timers ?? systemTimers(options.now);
    this.tally = tally;
    this.#timeout = options.timeout;
    this.#deadlines.push(new Deadlines(options.now, this.#timers));
  }

  /** How long a connect, and a request, may take. A new timeout applies to those that begin from now on. */
  get timeout(): Nanoseconds {
    return this.#timeout;
  }

  set timeout(timeout: Nanoseconds) {
    if (timeout === this.#timeout) return;
    this.#timeout = timeout;
    this.#deadlines.push(new Deadlines(this.#options.now, this.#timers));
  }

  /** @internal */
  get deadlines(): Deadlines<User> {
    return this.#deadlines.at(-1)!;
  }

  /** The number of connections, including those that are being opened. */
  get size(): number {
    return this.#all.length;
  }

  /** The number of connections that carry a request, or are being opened for one. */
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
    const { payload, now } = this.#options;
    const link = new Link<User>(this, payload, payload.reader(this.tally.names));
    link.user = user;
    link.isBusy = true;
    link.deadline = now() + this.#timeout;
    link.place = this.#all.length;
    this.#all.push(link);
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

  /** Closes all connections. Resolves when no connect is in progress any more. */
  async close(): Promise<void> {
    this.#stopping.abort();
    while (this.#all.length > 0) this.#all.at(-1)!.close();
    for (const deadlines of this.#deadlines) deadlines.stop();
    if (this.#dialing > 0) await new Promise<void>((resolve) => this.#allDialed = resolve);
  }

  async #dial(link: Link<User>, from: string | undefined, client: string | undefined) {
    this.#dialing++;
    try {
      const { dial: open = dial } = this.#options;
      const socket = await open(this.#options, from, client, this.#stopping.signal, link.user);
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
}
