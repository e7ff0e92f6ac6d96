import { escapeText, UserError } from "../base/mod.ts";
import { isData } from "../config/mod.ts";
import { jsonDamage } from "./damage.ts";
import { isMeantAsRecording } from "./meant.ts";
import { FORMAT, type RecordedLine, type RecordingHead } from "./format.ts";

/** The longest line of a recording. A configuration with ten thousand backends has about a million characters. */
const LINE_MAX = 16 * 1024 * 1024;

/** A line of a recording, and its place. */
export interface ReadLine {
  readonly file: string;
  readonly line: number;
  readonly event: RecordedLine;
}

/** A recording cannot be read beyond a place. The message names the file, the line and the column. */
export class RecordingDamage extends UserError {
  override readonly name = "RecordingDamage";
  readonly line: number;

  constructor(
    file: string,
    line: number,
    column: number,
    message: string,
    hint?: string,
  ) {
    super(`${escapeText(file)}:${line}:${column}: ${escapeText(message)}`, {
      exitCode: 2,
      ...hint !== undefined && { hint },
    });
    this.line = line;
  }
}

const DAMAGE_HINT = "--until-damage uses everything before this place";
const FOREIGN_HINT =
  "a recording is written by `lbsim lb --record FILE`, or by `lbsim import` from the log of another program";

/** The fields that each kind of line must have: s is a text, n a number, b true or false, g a group of keys. */
const FIELDS: Readonly<
  Record<RecordedLine["type"], Readonly<Record<string, "s" | "n" | "b" | "g">>>
> = {
  run_started: { at_ms: "n", seed: "n", epoch_ms: "n", configuration: "g" },
  connection_arrived: { at_ms: "n", connection: "n", client: "s" },
  connection_opened: { at_ms: "n", connection: "n", client: "s", backend: "s", attempt: "n" },
  connect_failed: { at_ms: "n", connection: "n", backend: "s", reason: "s" },
  connection_queued: { at_ms: "n", connection: "n" },
  connection_dequeued: { at_ms: "n", connection: "n", backend: "s" },
  connection_refused: { at_ms: "n", connection: "n", client: "s", reason: "s" },
  connection_left: { at_ms: "n", connection: "n", phase: "s" },
  connection_closed: {
    ...{ at_ms: "n", connection: "n", backend: "s", end: "s" } as const,
    ...{ duration_ms: "n", bytes_to_backend: "n", bytes_to_client: "n" } as const,
  },
  probe: { at_ms: "n", backend: "s", ok: "b", probe_ms: "n" },
  backend_up: { at_ms: "n", backend: "s" },
  backend_down: { at_ms: "n", backend: "s", reason: "s" },
  backend_mode_changed: { at_ms: "n", backend: "s", mode: "s" },
  backend_fault_began: { at_ms: "n", backend: "s", fault: "s" },
  backend_fault_ended: { at_ms: "n", backend: "s", fault: "s" },
  backend_ejected: { at_ms: "n", backend: "s" },
  backend_readmitted: { at_ms: "n", backend: "s" },
  pick_explained: { at_ms: "n" },
  session_pinned: { at_ms: "n", client: "s", backend: "s" },
  session_moved: { at_ms: "n", client: "s" },
  session_evicted: { at_ms: "n", client: "s" },
  session_adopted: { at_ms: "n", client: "s" },
  session_store_opened: { at_ms: "n" },
  session_store_degraded: { at_ms: "n" },
  session_store_recovered: { at_ms: "n" },
  session_store_incomplete: { at_ms: "n" },
  config_reloaded: { at_ms: "n" },
  wishes_changed: { at_ms: "n" },
  sessions_ended: { at_ms: "n", sessions: "n" },
  shortage_began: { at_ms: "n" },
  shortage_ended: { at_ms: "n" },
  backend_picked: { at_ms: "n", connection: "n", backend: "s", attempt: "n" },
  proxy_connected: { at_ms: "n", client: "s" },
  client_named: { at_ms: "n", connection: "n", client: "s" },
  backend_answered: { at_ms: "n", connection: "n" },
  client_finished: { at_ms: "n", connection: "n" },
  client_asked: { at_ms: "n", connection: "n", idle_ms: "n" },
  queue_left: { at_ms: "n", connection: "n" },
  scheduler_stopped: { at_ms: "n" },
  session_received: {
    ...{ at_ms: "n", client: "s", backend: "s", home: "s" } as const,
    ...{ changed_ms: "n", used_ms: "n", restored: "b" } as const,
  },
  configuration_used: { at_ms: "n", configuration: "g" },
  lines_dropped: { count: "n" },
  recording_ended: { at_ms: "n" },
};

const KINDS = { s: "a text", n: "a number", b: "true or false", g: "a group of keys" } as const;

/**
 * Reads one file of a recording, whose text comes in pieces. It needs no more memory than its longest line.
 *
 * @param pieces The text, divided at any places.
 * @throws {RecordingDamage} while lines are read, at the first damaged line.
 */
export class RecordingReader {
  readonly head: RecordingHead;
  readonly #file: string;
  readonly #lines: Iterator<NumberedText>;
  #last = 0;

  /** @throws {RecordingDamage} if the text is not a recording, or is a recording in another format. */
  constructor(file: string, pieces: Iterable<string>) {
    this.#file = file;
    this.#lines = linesOf(file, pieces);
    this.head = this.#readHead();
  }

  /** The lines after the head. They can be read only once. */
  *[Symbol.iterator](): IterableIterator<ReadLine> {
    for (let next = this.#lines.next(); !next.done; next = this.#lines.next()) {
      const { text, line, isWhole } = next.value;
      if (text === "" && !isWhole) break;
      yield { file: this.#file, line, event: this.#parse(next.value) };
    }
  }

  #readHead(): RecordingHead {
    const { value: first } = this.#lines.next();
    const place = (column: number, message: string, hint: string): never => {
      throw new RecordingDamage(this.#file, 1, column, message, hint);
    };
    if (first === undefined || first.text === "") {
      return place(1, "is empty, so it is not a recording", FOREIGN_HINT);
    }
    const { text } = first;
    let head: unknown;
    try {
      head = JSON.parse(text);
    } catch {
      // If a recording was cut in its first line, the text still begins like a recording.
      if (!first.isWhole && isMeantAsRecording("", text)) {
        return place(
          text.length + 1,
          "ends in the middle of its first line",
          "no part of it can be used",
        );
      }
      return place(
        1,
        "is not a recording: its first line is not the head of a recording",
        FOREIGN_HINT,
      );
    }
    if (!isData(head) || head.type !== "recording" || typeof head.format !== "number") {
      return place(
        1,
        "is not a recording: its first line is not the head of a recording",
        FOREIGN_HINT,
      );
    }
    if (head.format !== FORMAT) {
      return place(
        columnOf(text, "format"),
        `this recording has format ${head.format}, and this version of lbsim reads format ${FORMAT}`,
        `use the version that wrote it${
          typeof head.lbsim === "string" ? `, ${escapeText(head.lbsim.slice(0, 20))},` : ""
        } or a newer one`,
      );
    }
    const { run, part, clients, lbsim } = head;
    const isRight = typeof run === "string" && Number.isInteger(part) &&
      typeof lbsim === "string" &&
      (clients === "addresses" || clients === "pseudonyms");
    if (!isRight) return place(1, "the head of the recording is not complete", FOREIGN_HINT);
    return head as unknown as RecordingHead;
  }

  #parse({ text, line, isWhole }: NumberedText): RecordedLine {
    const fail = (column: number, message: string, hint = DAMAGE_HINT): never => {
      throw new RecordingDamage(this.#file, line, column, message, hint);
    };
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      const damage = jsonDamage(text) ?? 0;
      const isCut = !isWhole && damage === text.length;
      return fail(
        damage + 1,
        isCut ? "the recording ends in the middle of a line" : "this is not JSON",
      );
    }
    if (!isData(value) || typeof value.type !== "string") {
      return fail(1, "this is not an event: it has no `type`");
    }
    const { type } = value;
    if (!Object.hasOwn(FIELDS, type)) {
      return fail(columnOf(text, "type"), `there is no event "${type.slice(0, 60)}"`);
    }
    for (const [name, kind] of Object.entries(FIELDS[type as RecordedLine["type"]])) {
      const found = value[name];
      if (isOf(kind, found)) continue;
      return found === undefined
        ? fail(1, `${type} must have \`${name}\`, ${KINDS[kind]}`)
        : fail(columnOf(text, name), `\`${name}\` must be ${KINDS[kind]}`);
    }
    if (typeof value.at_ms === "number") {
      if (value.at_ms < this.#last) {
        fail(columnOf(text, "at_ms"), "this event is earlier than the one before it");
      }
      this.#last = value.at_ms;
    }
    return value as unknown as RecordedLine;
  }
}

function isOf(kind: keyof typeof KINDS, value: unknown): boolean {
  switch (kind) {
    case "s":
      return typeof value === "string";
    case "n":
      return typeof value === "number" && Number.isFinite(value);
    case "b":
      return typeof value === "boolean";
    case "g":
      return isData(value);
  }
}

/** The column of a key's value; the first column if the key is written in an unusual way. */
function columnOf(text: string, key: string): number {
  const at = text.indexOf(`"${key}":`);
  return at === -1 ? 1 : at + key.length + 4;
}

interface NumberedText {
  readonly text: string;
  readonly line: number;
  /** Whether a newline ends it; the last line of a file that was cut has none. */
  readonly isWhole: boolean;
}

function* linesOf(file: string, pieces: Iterable<string>): Generator<NumberedText, undefined> {
  let rest = "";
  let line = 0;
  for (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const text of lines) yield { text, line: ++line, isWhole: true };
    if (rest.length <= LINE_MAX) continue;
    const hint = line === 0 ? FOREIGN_HINT : DAMAGE_HINT;
    throw new RecordingDamage(file, line + 1, LINE_MAX, "this line is too long", hint);
  }
  if (rest !== "") yield { text: rest, line: line + 1, isWhole: false };
}
