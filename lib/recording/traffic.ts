import { parseConfig, writtenConfig } from "../config/mod.ts";
import { VERSION } from "../base/mod.ts";
import type { ConnectionEnd, LbEvent, RefusalReason } from "../core/mod.ts";
import { FORMAT, type Origin, type RecordedLine, type RecordingHead } from "./format.ts";

/** A connection in the log of another program. Times are in milliseconds. */
export interface TrafficRow {
  /** When the client connected, counted from any fixed moment. */
  readonly at: number;
  readonly client: string;
  /** The backend; undefined if it reached none. */
  readonly backend?: string | undefined;
  /** The time from its arrival until it reached the backend. */
  readonly connected?: number | undefined;
  /** The time from then until its end; undefined if the log does not have it. */
  readonly service?: number | undefined;
  readonly end?: ConnectionEnd | undefined;
  /** Why it reached no backend; `left`: the client did not wait. */
  readonly refused?: RefusalReason | "left" | undefined;
  readonly bytesToBackend?: number | undefined;
  readonly bytesToClient?: number | undefined;
}

/** Reads a log of one format, line by line. */
export interface TrafficReader {
  readonly origin: Origin;
  /** The assumptions of the reader, one sentence each. */
  readonly assumptions: readonly string[];
  /** The connections of a line; undefined: the line is not understood. */
  rows(line: string): Iterable<TrafficRow> | undefined;
}

/** The characters that a backend's id in a recording cannot have. */
const STRANGE = /[^A-Za-z0-9._-]/g;
const ASSUMED_BACKENDS = 3;

/** Events in the order of their times. Events with the same time are in the order in which they were added. */
class Agenda {
  readonly #heap: { readonly at: number; readonly order: number; readonly act: () => void }[] = [];
  #order = 0;

  get next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: number, act: () => void): void {
    const heap = this.#heap;
    const item = { at, order: this.#order++, act };
    let place = heap.push(item) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(item, heap[above]!)) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = item;
  }

  take(): () => void {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let place = 0;
      while (true) {
        let below = 2 * place + 1;
        if (below >= heap.length) break;
        if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
        if (!isBefore(heap[below]!, last)) break;
        heap[place] = heap[below]!;
        place = below;
      }
      heap[place] = last;
    }
    return first!.act;
  }
}

function isBefore(
  a: { readonly at: number; readonly order: number },
  b: { readonly at: number; readonly order: number },
): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Facts about all connections, which are known before the first is written. */
export interface TrafficFacts {
  readonly reader: TrafficReader;
  /** The names of the backends, as the log has them. */
  readonly backends: Iterable<string>;
  readonly run: string;
}

/**
 * Writes connections as the lines of a recording. Only those that have not ended are kept in memory.
 *
 * @param rows In the order of their times.
 */
export function* recordingOf(
  rows: Iterable<TrafficRow>,
  { reader, backends: names, run }: TrafficFacts,
): Generator<RecordingHead | RecordedLine> {
  const ids = idsOf(names);
  const isAssumed = ids.size === 0;
  for (let i = 1; isAssumed && i <= ASSUMED_BACKENDS; i++) ids.set(`B${i}`, `B${i}`);
  const assumed = isAssumed
    ? [
      `the log names no backends: ${ASSUMED_BACKENDS} are assumed; --backends compares other numbers`,
    ]
    : [];
  yield {
    ...{ type: "recording", format: FORMAT, lbsim: VERSION, run, part: 1 } as const,
    ...{ clients: "addresses", origin: reader.origin } as const,
    assumptions: [
      ...reader.assumptions,
      "the algorithm was round-robin, and no backend was probed",
      ...assumed,
    ],
  };
  const inFlight = new Map<string, number>();
  const agenda = new Agenda();
  const due: LbEvent[] = [];
  let start: number | undefined;
  let connection = 0;
  for (const row of rows) {
    if (start === undefined) {
      start = row.at;
      yield {
        ...{ type: "run_started", at_ms: 0, version: VERSION, seed: 0 } as const,
        epoch_ms: Math.max(0, Math.round(start)),
        configuration: configurationOf([...ids.values()]),
      };
    }
    const at = row.at - start;
    while (agenda.next <= at) agenda.take()();
    plan(row, ++connection, at);
    yield* due.splice(0);
  }
  while (agenda.next < Infinity) {
    agenda.take()();
    yield* due.splice(0);
  }

  /** Adds the events of a connection: at once, or when they are due. */
  function plan(row: TrafficRow, number: number, at: number): void {
    const about = { connection: number, client: row.client };
    due.push({ type: "connection_arrived", at_ms: at, ...about });
    const { connected = 0, service = 0, end = "closed" } = row;
    const backend = row.backend === undefined ? undefined : ids.get(row.backend)!;
    const since_arrival_ms = connected + service;
    if (row.refused !== undefined) {
      agenda.add(at + since_arrival_ms, () =>
        due.push(
          row.refused === "left"
            ? {
              ...{ type: "connection_left", at_ms: at + since_arrival_ms, ...about } as const,
              ...{ phase: "waiting", attempts: 0, since_arrival_ms } as const,
            }
            : {
              ...{ type: "connection_refused", at_ms: at + since_arrival_ms, ...about } as const,
              ...{ reason: row.refused!, attempts: 0 },
            },
        ));
      return;
    }
    // A connection without a backend in the log is given to the first one.
    const where = backend ?? ids.values().next().value!;
    agenda.add(at + connected, () => {
      const in_flight = (inFlight.get(where) ?? 0) + 1;
      inFlight.set(where, in_flight);
      due.push({
        ...{ type: "connection_opened", at_ms: at + connected, ...about } as const,
        ...{ backend: where, attempt: 1, connect_ms: connected },
        ...{ since_arrival_ms: connected, in_flight },
      });
      if (row.service === undefined) return;
      agenda.add(at + since_arrival_ms, () => {
        const in_flight = inFlight.get(where)! - 1;
        inFlight.set(where, in_flight);
        due.push({
          ...{ type: "connection_closed", at_ms: at + since_arrival_ms, ...about } as const,
          ...{ backend: where, end, duration_ms: service, since_arrival_ms },
          bytes_to_backend: row.bytesToBackend ?? 0,
          bytes_to_client: row.bytesToClient ?? 0,
          in_flight,
        });
      });
    });
  }
}

/** An id for each name: the name itself, if it is a valid id. */
function idsOf(names: Iterable<string>): Map<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of names) {
    const plain = name.replaceAll(STRANGE, "-").slice(0, 50);
    let id = plain;
    for (let i = 2; taken.has(id); i++) id = `${plain}-${i}`;
    taken.add(id);
    ids.set(name, id);
  }
  return ids;
}

/** A configuration with these backends, whose addresses are not known. */
function configurationOf(ids: readonly string[]): ReturnType<typeof writtenConfig> {
  const backends = ids.map((id, i) => ({
    id,
    address: `192.0.2.${i % 254 + 1}:${1 + Math.floor(i / 254)}`,
  }));
  const config = parseConfig({
    file: "import",
    text: JSON.stringify({ listen: "127.0.0.1:8000", backends, health_check: { type: "none" } }),
  });
  return writtenConfig(config);
}
