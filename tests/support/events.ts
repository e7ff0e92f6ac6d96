/** Streams of events whose readers are tests: a reader that throws fails the test. */
import { EventStream, type LbEvent } from "../../lib/core/mod.ts";
import type { Observer } from "../../sim/mod.ts";

/** A stream that throws what a reader throws to whatever made the event. */
export function strictEventStream(): EventStream {
  return new EventStream((failure) => {
    throw failure;
  });
}

/** Reads the events of a simulation of which no configuration was written. */
export function observer(read: Observer["read"]): Observer {
  return { configuration: {}, read };
}

/** The events without the first, `run_started`. */
export function afterStart(events: readonly LbEvent[]): LbEvent[] {
  return events.filter(({ type }) => type !== "run_started");
}
