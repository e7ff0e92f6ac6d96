import { computed, signal } from "@preact/signals";
import { sentenceOf } from "../../lib/observe/event_words.ts";
import type { Frame, Snapshot } from "../../lib/observe/mod.ts";
import { type EventKind, kindOf } from "./event_kinds.ts";
import { History } from "./history.ts";
import type { FrameSource, LinkState, Operator } from "./source.ts";

/** The page's numbers change at most this often, so that a person can read them. The canvas draws every frame. */
const SHOWN_EVERY_MS = 200;
const EVENTS_MAX = 500;

/** A line of the event log. */
export interface LoggedEvent {
  readonly id: number;
  /** Seconds on the time axis. */
  readonly time: number;
  readonly kind: EventKind;
  readonly text: string;
}

/** The page's message about the operator's latest change. */
export interface Notice {
  readonly isError: boolean;
  readonly text: string;
}

/** The state that the components show. A source supplies it. */
export class Dashboard {
  readonly source: FrameSource;
  readonly link = signal<LinkState>({ kind: "connecting" });
  readonly snapshot = signal<Snapshot | undefined>(undefined);
  readonly frame = signal<Frame | undefined>(undefined);
  readonly history = new History();
  /** Counts the samples of the history. */
  readonly samples = signal(0);
  /** The events of the log, the latest first. */
  readonly events = signal<readonly LoggedEvent[]>([]);
  readonly notice = signal<Notice | undefined>(undefined);
  /** Counts the changes that were not made because there was no token. */
  readonly wantsToken = signal(0);
  /** The latest marked events, for screen readers. */
  readonly announcement = signal("");
  readonly hasWallClock = computed(() => (this.snapshot.value?.epoch_ms ?? 0) > 0);
  /** Clients refused per second. */
  readonly refusedPerS = computed(() => this.snapshot.value?.connections.refused_per_s ?? 0);
  #latest: Frame | undefined;
  #shownAt = -Infinity;
  #newEvents: LoggedEvent[] = [];
  #eventTimer: ReturnType<typeof setTimeout> | undefined;
  #eventIds = 0;

  constructor(source: FrameSource) {
    this.source = source;
  }

  /** The latest frame, even if it is not shown yet. */
  get latest(): Frame | undefined {
    return this.#latest;
  }

  /** Begins to read the source. Returns a function that stops it. */
  start(): () => void {
    const end = this.source.start({
      link: (state) => this.#linked(state),
      snapshot: (snapshot) => this.#took(snapshot),
      frame: (frame) => this.#show(frame),
      event: (event) => this.#log(event.at_ms, kindOf(event.type), sentenceOf(event)),
      lost: (missed) => {
        const count = missed === null ? "some" : String(missed);
        const at = this.#latest?.at_ms ?? 0;
        this.#log(at, "machine", `${count} events are missing here: the page could not keep up`);
      },
    });
    return () => {
      clearTimeout(this.#eventTimer);
      end();
    };
  }

  /**
   * Makes a change for the operator, and shows whether it succeeded.
   *
   * @param what The change, in a few words.
   * @returns Whether it succeeded.
   */
  async operate(what: string, act: (operator: Operator) => Promise<void>): Promise<boolean> {
    const { operator } = this.source;
    if (operator === undefined) return false;
    if (operator.needsToken) {
      this.notice.value = { isError: true, text: `${what}: enter the token first` };
      this.wantsToken.value++;
      return false;
    }
    try {
      await act(operator);
      this.notice.value = { isError: false, text: `${what}: done` };
      return true;
    } catch (error) {
      this.notice.value = { isError: true, text: `${what}: ${messageOf(error)}` };
      return false;
    }
  }

  #linked(state: LinkState): void {
    const { kind } = this.link.value;
    if (state.kind === kind && kind !== "lost") return;
    this.link.value = state;
  }

  #took(snapshot: Snapshot): void {
    const previous = this.snapshot.value;
    if (previous?.epoch_ms !== snapshot.epoch_ms) this.history.beginRun(snapshot.epoch_ms);
    this.snapshot.value = snapshot;
  }

  #show(frame: Frame): void {
    this.#latest = frame;
    if (this.history.add(frame)) this.samples.value++;
    const now = performance.now();
    if (frame.marks.length > 0) {
      this.announcement.value = frame.marks.map(sentenceOf).join(". ");
    } else if (now - this.#shownAt < SHOWN_EVERY_MS) return;
    this.#shownAt = now;
    this.frame.value = frame;
  }

  #log(at_ms: number, kind: EventKind, text: string): void {
    const time = ((this.snapshot.value?.epoch_ms ?? 0) + at_ms) / 1000;
    this.#newEvents.push({ id: ++this.#eventIds, time, kind, text });
    // Many events may arrive at once. Only those that fit into the log are kept.
    if (this.#newEvents.length > EVENTS_MAX) this.#newEvents.shift();
    this.#eventTimer ??= setTimeout(() => {
      this.#eventTimer = undefined;
      this.events.value = [...this.#newEvents.toReversed(), ...this.events.value]
        .slice(0, EVENTS_MAX);
      this.#newEvents = [];
    }, SHOWN_EVERY_MS);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
