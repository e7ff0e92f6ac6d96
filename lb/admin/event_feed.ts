import { EVENT_TYPES, type EventStream, type EventType, type LbEvent } from "../../lib/core/mod.ts";
import { serverSentEvent, type StreamReader } from "./stream.ts";

/** Events that readers may still ask for. */
const KEPT = 4096;
/** Events are sent in batches. */
const FLUSH_MS = 50;
/** After the last reader has gone, the events of single connections are kept up for this long: it may return. */
const LINGER_MS = 30_000;

/** These come with each connection or pick: they are made only while a reader wants them. */
const PER_CONNECTION: ReadonlySet<EventType> = new Set<EventType>([
  "connection_arrived",
  "connection_opened",
  "connection_queued",
  "connection_dequeued",
  "connection_left",
  "connection_closed",
  "session_pinned",
  "session_adopted",
  "pick_explained",
]);

/** Of single connections too, but for picks: to explain each costs more than the pick. */
const CONNECTION_TYPES = [...PER_CONNECTION].filter((type) => type !== "pick_explained");

interface Reader {
  readonly stream: StreamReader;
  readonly connections: boolean;
  /** The number of the next event that it gets. */
  next: number;
}

/**
 * The events of `GET /api/events`. Each has an id, by which a reader that returns goes on where it was. The last
 * events are kept; a reader that is too slow, or away for too long, loses its place, is told so, and goes on with the
 * oldest event that is kept. Nothing waits for a reader.
 */
export class EventFeed {
  readonly #events: EventStream;
  /** Begins each id, so that an id of an earlier run is not taken for one of this run. */
  readonly #run: string;
  readonly #kept: LbEvent[] = [];
  /** The number of the oldest event that is kept. */
  #first = 1;
  readonly #readers = new Set<Reader>();
  readonly #unsubscribe: () => void;
  #unsubscribeConnections: (() => void) | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(events: EventStream, run: string) {
    this.#events = events;
    this.#run = run;
    const types = EVENT_TYPES.filter((type) => !PER_CONNECTION.has(type));
    this.#unsubscribe = events.subscribe("admin", types, (event) => this.#keep(event));
  }

  /** How many read. */
  get readers(): number {
    return this.#readers.size;
  }

  /**
   * @param lastId The id of the last event that the reader knows; undefined: it wants what happens from now on.
   * @param connections Whether it wants the events of single connections, too.
   */
  add(stream: StreamReader, lastId: string | undefined, connections: boolean): void {
    const reader = { stream, connections, next: this.#placeAfter(lastId) };
    this.#readers.add(reader);
    stream.onEnd(() => this.#remove(reader));
    if (connections) this.#wantConnections();
    stream.write("retry: 1000\n\n");
    this.#send(reader);
    if (this.#isBehind(reader)) this.#flushSoon();
  }

  stop(): void {
    clearTimeout(this.#flush);
    clearTimeout(this.#linger);
    this.#unsubscribe();
    this.#unsubscribeConnections?.();
  }

  get #next(): number {
    return this.#first + this.#kept.length;
  }

  /** Where a reader goes on; −1: not all that it missed is known. */
  #placeAfter(lastId: string | undefined): number {
    if (lastId === undefined) return this.#next;
    const [run, number] = lastId.split(":");
    const place = Number(number) + 1;
    const isKnown = run === this.#run && Number.isSafeInteger(place) && place <= this.#next;
    return isKnown && place >= 1 ? place : -1;
  }

  #keep(event: LbEvent): void {
    this.#kept.push(event);
    if (this.#kept.length > 2 * KEPT) this.#first += this.#kept.splice(0, KEPT).length;
    if (this.#readers.size > 0) this.#flushSoon();
  }

  #flushSoon(): void {
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      let isAnyBehind = false;
      for (const reader of this.#readers) {
        this.#send(reader);
        isAnyBehind ||= this.#isBehind(reader);
      }
      if (isAnyBehind) this.#flushSoon();
    }, FLUSH_MS);
  }

  #isBehind({ next }: Reader): boolean {
    return next < this.#next;
  }

  /** Sends what a reader has not got, for as long as it takes it. */
  #send(reader: Reader): void {
    const { stream, connections } = reader;
    if (stream.isBehind) return;
    const parts: string[] = [];
    if (reader.next < this.#first) {
      const missed = reader.next < 0 ? null : this.#first - reader.next;
      parts.push(serverSentEvent("lost", JSON.stringify({ missed })));
      reader.next = this.#first;
    }
    for (; reader.next < this.#next; reader.next++) {
      const event = this.#kept[reader.next - this.#first]!;
      if (!connections && PER_CONNECTION.has(event.type)) continue;
      parts.push(serverSentEvent(event.type, JSON.stringify(event), `${this.#run}:${reader.next}`));
      if (parts.length < 256) continue;
      stream.write(parts.join(""));
      parts.length = 0;
      if (stream.isBehind) {
        reader.next++;
        return;
      }
    }
    if (parts.length > 0) stream.write(parts.join(""));
  }

  #remove(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#unsubscribeConnections === undefined) return;
    if ([...this.#readers].some(({ connections }) => connections)) return;
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      this.#unsubscribeConnections?.();
      this.#unsubscribeConnections = undefined;
    }, LINGER_MS);
  }

  #wantConnections(): void {
    clearTimeout(this.#linger);
    this.#unsubscribeConnections ??= this.#events.subscribe(
      "admin",
      CONNECTION_TYPES,
      (event) => this.#keep(event),
    );
  }
}
