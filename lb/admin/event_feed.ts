import { EVENT_TYPES, type EventStream, type EventType, type LbEvent } from "../../lib/core/mod.ts";
import { serverSentEvent, type StreamReader } from "../../lib/admin/mod.ts";

/** At least this many of the latest events are kept for readers that return. */
const KEPT = 4096;
/** Events are sent in batches. */
const FLUSH_MS = 50;
/**
 * When the last reader has left, the events of single connections are created for this time longer, because this
 * reader may return.
 */
const LINGER_MS = 30_000;

/** The events of single connections and picks. They are created only while a reader wants them. */
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

/**
 * The events that a reader of single connections gets. `pick_explained` is left out, because it costs
 * more than the pick.
 */
const CONNECTION_TYPES = [...PER_CONNECTION].filter((type) => type !== "pick_explained");

interface KeptEvent {
  readonly event: LbEvent;
  /** The text that is sent; undefined until the first reader gets it. It is created once for all readers. */
  text: string | undefined;
}

interface Reader {
  readonly stream: StreamReader;
  readonly connections: boolean;
  /** The number of the next event that it gets. */
  next: number;
}

/**
 * The events of `GET /api/events`. Each event has an id, so that a reader that returns can continue after the last
 * event that it got. The feed keeps the latest events. A reader that is too slow, or away for too long, gets a `lost`
 * event and continues with the oldest event that is kept. The balancer never waits for a reader.
 */
export class EventFeed {
  readonly #events: EventStream;
  /** Each id begins with this text, so ids of different runs differ. */
  readonly #run: string;
  readonly #kept: KeptEvent[] = [];
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

  /** The number of readers. */
  get readers(): number {
    return this.#readers.size;
  }

  /**
   * @param lastId The id of the last event that the reader has; undefined for a reader that wants only new events.
   * @param connections Whether the reader also gets the events of single connections.
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

  /** The number of the next event for a reader; −1 if it is unknown how many events the reader has missed. */
  #placeAfter(lastId: string | undefined): number {
    if (lastId === undefined) return this.#next;
    const [run, number] = lastId.split(":");
    const place = Number(number) + 1;
    const isKnown = run === this.#run && Number.isSafeInteger(place) && place <= this.#next;
    return isKnown && place >= 1 ? place : -1;
  }

  #keep(event: LbEvent): void {
    this.#kept.push({ event, text: undefined });
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

  /** Sends a reader its next events, until it has all of them or does not read fast enough. */
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
      const kept = this.#kept[reader.next - this.#first]!;
      const { type } = kept.event;
      if (!connections && PER_CONNECTION.has(type)) continue;
      kept.text ??= serverSentEvent(
        type,
        JSON.stringify(kept.event),
        `${this.#run}:${reader.next}`,
      );
      parts.push(kept.text);
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
