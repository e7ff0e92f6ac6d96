import { assert } from "../../base/mod.ts";
import type { EventStream } from "./events.ts";

/** The events with which a connection begins and ends, and those that come only in between. */
const TYPES = [
  "connection_arrived",
  "connection_opened",
  "connect_failed",
  "connection_queued",
  "connection_dequeued",
  "connection_closed",
  "connection_refused",
  "connection_left",
] as const;

/**
 * Checks that the events of a scheduler balance: each connection arrives once and ends once, and has no event before
 * its arrival or after its end. If it was opened, it ends with a close; otherwise it is refused, or its client
 * leaves. Tests, and runs with checks, use this class.
 */
export class EventBalance {
  /** For each connection that has not ended: whether it was opened. */
  readonly #present = new Map<number, boolean>();

  /** Reads a stream from its beginning. */
  constructor(events: EventStream) {
    events.subscribe("balance", TYPES, ({ type, connection }) => {
      const isOpen = this.#present.get(connection);
      const about = `${type} of connection ${connection}`;
      if (type === "connection_arrived") {
        assert(isOpen === undefined, `a connection arrives once: ${about}`);
        this.#present.set(connection, false);
        return;
      }
      assert(isOpen !== undefined, `a connection is there from its arrival to its end: ${about}`);
      assert(isOpen === (type === "connection_closed"), `only what is open is closed: ${about}`);
      if (type === "connection_opened") this.#present.set(connection, true);
      const isEnd = type === "connection_closed" || type === "connection_refused" ||
        type === "connection_left";
      if (isEnd) this.#present.delete(connection);
    });
  }

  /** How many connections have not ended. */
  get present(): number {
    return this.#present.size;
  }
}
