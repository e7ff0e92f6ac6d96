import { computed, signal } from "@preact/signals";
import { CONDITIONS } from "../../lib/observe/frame.ts";
import { type FaultKind, FAULTS } from "./faults.ts";
import type { Library } from "./lessons.ts";
import { measure } from "./measure.ts";
import type {
  Changed,
  Command,
  Exported,
  Intervention,
  OpenCommand,
  Opened,
  OpenRecordingCommand,
  Result,
  RunState,
  Statistics,
  Stepped,
  TextFile,
  Update,
  VariantFrame,
  Why,
} from "./protocol.ts";
import { CommandFailed, type WorkerLink } from "./worker_link.ts";

/** Numbers in the page change at most this often, so that a person can read them. The canvas draws every frame. */
const SHOWN_EVERY_MS = 200;

/** The longest time that the page waits for the frames of a point in time. */
const SEEK_MS_MAX = 1000;

/** The page's message about the latest action. */
export interface Notice {
  readonly isError: boolean;
  readonly text: string;
  /** A button with which the user can react to it. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** The state that the components show, and everything that a user can do. */
export class Playground {
  readonly opened = signal<Opened | undefined>(undefined);
  readonly run = signal<RunState | undefined>(undefined);
  /** The run as a scenario, with the changes by hand. */
  readonly text = signal("");
  readonly interventions = signal<readonly Intervention[]>([]);
  readonly statistics = signal<Statistics | null>(null);
  /** A frame of each variant, a few times a second. */
  readonly frames = signal<readonly VariantFrame[]>([]);
  readonly notice = signal<Notice | undefined>(undefined);
  readonly why = signal<Why | undefined>(undefined);
  /** The fault that a click on a backend causes, and its numbers. */
  readonly chosenFault = signal(FAULTS[0]!.name);
  readonly faultValues = signal<readonly string[]>([]);
  /** The variant whose details are shown. */
  readonly variant = signal(0);
  /** The part of the page's address from which the present run was opened. */
  readonly route = signal("");
  /** The number of the lesson that is open. */
  readonly lesson = signal<number | undefined>(undefined);
  /** The digest of the last export, and the name of its file. */
  readonly exported = signal<{ readonly digest: string; readonly file: string } | undefined>(
    undefined,
  );
  /** The progress of an export, from 0 to 1; undefined if none is in progress. */
  readonly exporting = signal<number | undefined>(undefined);
  /** The files of the recording that is open. */
  parts: readonly TextFile[] | undefined;
  readonly library = signal<Library>({ examples: [], lessons: [] });
  /** The name of the file from which the text comes. */
  readonly file = signal("scenario.yaml");
  /** The number of pictures drawn in the last second, and of dots in the latest of them. */
  readonly drawn = signal({ pictures_per_s: 0, dots: 0 });
  readonly isPaused = computed(() => (this.run.value?.speed ?? 0) === 0);
  /** The speed at which the run continues after a pause. */
  readonly speed = signal(1);
  /** A sentence for screen readers. */
  readonly announcement = signal("");
  /** Resolves when the run is on the screen and its buttons work, or when no run could be opened. */
  readonly interactive: Promise<void>;
  #becomeInteractive = () => {};
  /** The algorithm of each variant, at the present time. */
  readonly algorithms = computed(() => this.frames.value.map(({ algorithm }) => algorithm).join());
  /** The changes of settings, by time. */
  readonly #changes = computed(() =>
    this.interventions.value.filter(({ set }) => set !== null)
      .toSorted((a, b) => a.at_ms - b.at_ms)
  );
  /**
   * The number of changes that have been made. Forms depend on this number and not on the time, which changes
   * continually.
   */
  readonly #changesMade = computed(() => {
    const now = this.run.value?.at_ms ?? 0;
    return this.#changes.value.filter(({ at_ms }) => at_ms <= now).length;
  });
  readonly #link: WorkerLink;
  readonly #readers = new Set<(update: Update) => void>();
  #latest: Update | undefined;
  #shownAt = -Infinity;
  #epoch = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connect: (playground: Playground) => WorkerLink) {
    this.#link = connect(this);
    this.interactive = new Promise((resolve) => this.#becomeInteractive = resolve);
  }

  /** The run has been painted for the first time. */
  painted(): void {
    measure("interactive");
    this.#becomeInteractive();
  }

  /** Makes the rest of the page wait no longer for a run, because there may be none to show. */
  waitNoMore(): void {
    if (this.opened.peek() === undefined) this.#becomeInteractive();
  }

  /** The latest update, even if it is not shown yet. */
  get latest(): Update | undefined {
    return this.#latest;
  }

  /** Calls `read` with every update from now on. Returns a function that stops this. */
  onUpdate(read: (update: Update) => void): () => void {
    this.#readers.add(read);
    return () => this.#readers.delete(read);
  }

  /** Takes an update of the worker. */
  take(update: Update): void {
    const { run, statistics } = update;
    if (run.text !== null) this.text.value = run.text;
    if (run.interventions !== null) this.interventions.value = run.interventions;
    if (statistics !== null) this.statistics.value = statistics;
    this.#latest = update;
    for (const read of this.#readers) read(update);
    const waited = performance.now() - this.#shownAt;
    const isJump = run.epoch !== this.#epoch || run.progress !== this.run.peek()?.progress;
    if (isJump || statistics !== null || waited >= SHOWN_EVERY_MS) return this.#show();
    // The last update of a run that pauses is shown, too.
    this.#timer ??= setTimeout(() => this.#show(), SHOWN_EVERY_MS - waited);
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { run, variants } = this.#latest!;
    this.#epoch = run.epoch;
    this.#shownAt = performance.now();
    this.run.value = run;
    this.frames.value = variants;
    if (this.variant.peek() >= variants.length) this.variant.value = 0;
  }

  /** Shows an error message. */
  fail(words: string): void {
    this.notice.value = { isError: true, text: words };
  }

  /** Opens a text. Returns whether it could be opened. */
  async open(command: Omit<OpenCommand, "kind">): Promise<boolean> {
    const opened = await this.#try<Opened>({ kind: "open", ...command });
    if (opened === undefined) return false;
    this.file.value = command.source.file;
    this.parts = undefined;
    this.why.value = undefined;
    this.#took(opened);
    return true;
  }

  /** Opens a recording. Returns whether it could be opened. */
  async openRecording(
    parts: readonly TextFile[],
    options: Pick<OpenRecordingCommand, "until_damage" | "at_ms"> = {},
  ): Promise<boolean> {
    this.say("the decisions of the recording are repeated…");
    try {
      const command = { kind: "open recording", parts, ...options } as const;
      const opened = await this.#link.ask<Opened>(command);
      this.file.value = `${opened.recording!.file}.yaml`;
      this.parts = parts;
      this.why.value = undefined;
      this.#took(opened);
      return true;
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      this.notice.value = {
        isError: true,
        text: error.message,
        ...error.problem.damaged && {
          action: {
            label: "Open the part before the damage",
            run: () => void this.openRecording(parts, { ...options, until_damage: true }),
          },
        },
      };
      return false;
    }
  }

  /** Shows the recorded decisions again, instead of a simulation. */
  async replay(): Promise<void> {
    const opened = await this.#try<Opened>({ kind: "replay" });
    if (opened !== undefined) this.#took(opened);
  }

  async compare(compare: Readonly<Record<string, readonly unknown[]>>): Promise<void> {
    const opened = await this.#try<Opened>({ kind: "compare", compare });
    if (opened !== undefined) this.#took(opened);
  }

  async reseed(seed: number): Promise<void> {
    const opened = await this.#try<Opened>({ kind: "seed", seed });
    if (opened !== undefined) this.#took(opened);
  }

  #took(opened: Opened): void {
    this.notice.value = undefined;
    this.opened.value = opened;
    this.text.value = opened.text;
    this.exported.value = undefined;
  }

  /** @param speed Virtual seconds per second. If the run was paused, it continues. */
  async play(speed: number = this.speed.peek()): Promise<void> {
    this.speed.value = speed;
    await this.#setSpeed(speed);
  }

  async pause(): Promise<void> {
    await this.#setSpeed(0);
  }

  async #setSpeed(speed: number): Promise<void> {
    if (await this.#try({ kind: "speed", speed }) === undefined) return;
    if (this.#latest === undefined) return;
    // If nothing moves, no update follows, so this shows the latest one.
    this.#latest = { ...this.#latest, run: { ...this.#latest.run, speed } };
    this.#show();
  }

  /** Moves to a time. Resolves when the page has the frames of that time. */
  async seek(at_ms: number): Promise<void> {
    const isThere = ({ run }: Update) =>
      run.progress === null && Math.abs(run.at_ms - at_ms) < 0.0005;
    let end = () => {};
    const came = new Promise<void>((resolve) => {
      end = this.onUpdate((update) => {
        if (isThere(update)) resolve();
      });
      // A run that continues may have passed this time already.
      setTimeout(resolve, SEEK_MS_MAX);
    });
    const isDone = await this.#try({ kind: "seek", at_ms }) !== undefined;
    if (isDone && (this.#latest === undefined || !isThere(this.#latest))) await came;
    end();
  }

  async step(to: "event" | "pick" | "health"): Promise<void> {
    const stepped = await this.#try<Stepped>({ kind: "step", to });
    if (stepped === undefined) return;
    if (stepped.why !== null) this.why.value = stepped.why;
    this.say(stepped.text ?? "the run is over");
  }

  /** Changes the run, and shows a message about the change. Returns whether it succeeded. */
  async change(command: Command): Promise<boolean> {
    const changed = await this.#try<Changed>(command);
    if (changed === undefined) return false;
    this.say(changed.text);
    return true;
  }

  /** The value that a change has given to a setting by now; undefined if no change has. */
  valueOf(path: string): unknown {
    let value: unknown;
    for (const { set } of this.#changes.value.slice(0, this.#changesMade.value)) {
      for (const [key, to] of Object.entries(set!)) value = partOf(key, to, path) ?? value;
    }
    return value;
  }

  /** Changes a setting now. A text is read as YAML. Returns whether it succeeded. */
  async set(path: string, value: unknown): Promise<boolean> {
    return await this.change({ kind: "change", set: { [path]: value } });
  }

  /** Chooses the fault that a click on a backend causes. */
  chooseFault(name: string): void {
    this.chosenFault.value = name;
    this.faultValues.value = faultNamed(name).parameters.map(({ initial }) => initial);
  }

  /** Breaks a backend with the chosen fault, or repairs it if it has any. */
  async toggleFault(backend: string): Promise<void> {
    const frame = this.#latest?.variants[0];
    const isBroken = frame !== undefined && isHurt(frame, frame.truth.ids.indexOf(backend));
    await this.change(
      isBroken ? { kind: "repair", backend } : {
        kind: "break",
        backend,
        fault: faultNamed(this.chosenFault.peek()).kindOf(this.faultValues.peek()),
      },
    );
  }

  async explain(variant: number, dot?: number): Promise<void> {
    const why = await this.#try<Why | null>({
      kind: "why",
      variant,
      ...dot !== undefined && { dot },
    });
    if (why === null) this.say("there was no pick yet");
    else if (why !== undefined) this.why.value = why;
  }

  /** Exports the run. Undefined if it failed. */
  async export(): Promise<Exported | undefined> {
    this.exporting.value = 0;
    const exported = await this.#try<Exported>(
      { kind: "export" },
      (share) => this.exporting.value = share,
    );
    this.exporting.value = undefined;
    return exported;
  }

  async cancelExport(): Promise<void> {
    await this.#try({ kind: "cancel export" });
  }

  /** The series of all variants as CSV. Undefined if it failed. */
  async csv(): Promise<string | undefined> {
    return (await this.#try<{ readonly text: string }>({ kind: "csv" }))?.text;
  }

  /** Sends a command, for callers that show a failure themselves. @throws {CommandFailed} */
  ask<T extends Result>(command: Command): Promise<T> {
    return this.#link.ask<T>(command);
  }

  /** Shows a message about the latest action. */
  say(text: string): void {
    this.notice.value = { isError: false, text };
    this.announcement.value = text;
  }

  async #try<T extends Result>(
    command: Command,
    progress?: (share: number) => void,
  ): Promise<T | undefined> {
    try {
      return await this.#link.ask<T>(command, progress);
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      this.fail(error.message);
      return undefined;
    }
  }
}

function faultNamed(name: string): FaultKind {
  return FAULTS.find((fault) => fault.name === name)!;
}

/** Whether a backend has a fault, or is in drain or maintenance. */
export function isHurt({ truth, beliefs }: VariantFrame, index: number): boolean {
  const condition = CONDITIONS[beliefs[0]?.condition[index] ?? -1];
  return (truth.faults[index] ?? "") !== "" || condition === "drain" || condition === "maintenance";
}

/** The value that a setting gives to a path: its whole value, or a part of it. */
function partOf(key: string, value: unknown, path: string): unknown {
  if (key === path) return value;
  if (!path.startsWith(`${key}.`)) return undefined;
  return path.slice(key.length + 1).split(".").reduce<unknown>((group, step) => {
    if (Array.isArray(group)) return group.find(({ id }) => id === step);
    return typeof group === "object" && group !== null
      ? (group as Readonly<Record<string, unknown>>)[step]
      : undefined;
  }, value);
}
