/** Executes the commands of the page. */
import { type Nanoseconds, NS_PER_MS, UserError, VERSION } from "../../lib/base/mod.ts";
import { sentenceOf } from "../../lib/observe/mod.ts";
import { offeredLoad } from "../model/mod.ts";
import { YamlFile } from "../../lib/config/mod.ts";
import { RecordingDamage } from "../../lib/recording/mod.ts";
import { controlsOf } from "./controls.ts";
import { MissingFiles, RunDocument } from "./document.ts";
import { exported } from "./export.ts";
import { type OpenedRecording, openRecording } from "./recording.ts";
import { type Pause, Session } from "./session.ts";
import { Warmups } from "./warmups.ts";
import { whyOf } from "./why.ts";
import { describeScenarios } from "../study/mod.ts";
import { withBackend, withoutBackend } from "./backends.ts";
import type {
  Changed,
  Command,
  Intervention,
  Message,
  Opened,
  Problem,
  Request,
  Result,
  Stepped,
} from "./types.ts";

/** Raised when a message changes in a way that an older page or worker does not understand. */
export const PROTOCOL_VERSION = 2;

/** How far a paused run continues after a change. */
const MOMENT: Nanoseconds = 1000;

/** The shortest time between two reports of an export's progress, in milliseconds. */
const PROGRESS_EVERY = 200;

type Work = Generator<Pause, Result>;

/** A request that is not answered yet. */
interface Pending<T> {
  readonly request: number;
  readonly work: T;
}

/**
 * The whole worker, except its clock and its messages. Long work is done in small steps, in the ticks that follow, so
 * that other requests are answered in the meantime.
 */
export class Player {
  readonly #wallMs: () => number;
  readonly #send: (message: Message) => void;
  readonly #warmups = new Warmups();
  #session: Session | undefined;
  #recording: OpenedRecording | undefined;
  /** Requests that wait or need more time. They are done one after the other. */
  #pending: Pending<Work>[] = [];
  #export: Pending<ReturnType<typeof exported>> | undefined;
  #toldAt = 0;

  /**
   * @param wallMs A clock, in milliseconds: it paces the run.
   * @param send Takes the messages to the page.
   */
  constructor(wallMs: () => number, send: (message: Message) => void) {
    this.#wallMs = wallMs;
    this.#send = send;
    send({ kind: "started", protocol: PROTOCOL_VERSION, version: VERSION });
  }

  /** Whether there is work to do before the next message comes. */
  get isBusy(): boolean {
    if (this.#pending.length > 0 || this.#export !== undefined) return true;
    const session = this.#session;
    return session !== undefined && (session.speed > 0 && !session.isOver || session.isBusy);
  }

  /** Works for about this many milliseconds, and sends the data to draw, if it has changed. */
  tick(budgetMs: number): void {
    const from = this.#wallMs();
    const isOut = () => this.#wallMs() - from >= budgetMs;
    const isShared = this.#pending.length > 0 || this.#export !== undefined;
    const update = this.#session?.tick(isShared ? budgetMs / 2 : budgetMs);
    if (update !== undefined) this.#send(update);
    do {
      if (!this.#work()) break;
    } while (!isOut());
    if (this.#export === undefined) return;
    do this.#exportPiece(); while (this.#export !== undefined && !isOut());
  }

  /**
   * Takes a request. The reply is sent at once, or in one of the next ticks. It never throws: mistakes are answers,
   * too.
   */
  take({ request, ...command }: Request): void {
    switch (command.kind) {
      case "export":
        this.#giveUpExport("another export has begun");
        if (this.#session === undefined) return this.#fail(request, nothingOpen());
        this.#export = { request, work: exported(this.#session.document, this.#warmups) };
        return;
      case "cancel export":
        this.#giveUpExport("the export was cancelled");
        return this.#send({ kind: "reply", request, result: null });
      case "open":
      case "open recording":
        this.#giveUp("something else was opened");
        break;
      case "seek":
      case "speed":
        // The user does not want to wait for the step any more.
        if (this.#session?.isStepping) this.#giveUp("the step was ended early");
    }
    // These two commands do not change the run, so they need not wait for commands that change it.
    const isUrgent = command.kind === "speed" || command.kind === "show";
    const pending = { request, work: this.#do(command as Command) };
    if (isUrgent) this.#advance(pending);
    else {
      this.#pending.push(pending);
      if (this.#pending.length === 1) this.#work();
    }
  }

  /** Does a step of the first request that waits. Returns whether more can be done now. */
  #work(): boolean {
    const [first] = this.#pending;
    if (first === undefined) return false;
    const pause = this.#advance(first);
    if (pause === undefined && this.#pending[0] === first) this.#pending.shift();
    return pause !== "wait" && this.#pending.length > 0;
  }

  /** Does a step of a request, and answers the request after the last step. Returns the reason of a pause. */
  #advance({ request, work }: Pending<Work>): Pause | undefined {
    try {
      const { done, value } = work.next();
      if (!done) return value;
      this.#send({ kind: "reply", request, result: value });
    } catch (error) {
      this.#fail(request, error);
    }
    return undefined;
  }

  #exportPiece(): void {
    const { request, work } = this.#export!;
    try {
      const { done, value } = work.next();
      if (done) {
        this.#export = undefined;
        return this.#send({ kind: "reply", request, result: value });
      }
      const wall = this.#wallMs();
      if (wall - this.#toldAt < PROGRESS_EVERY) return;
      this.#toldAt = wall;
      this.#send({ kind: "progress", request, share: value });
    } catch (error) {
      this.#export = undefined;
      this.#fail(request, error);
    }
  }

  #fail(request: number, error: unknown): void {
    this.#send({ kind: "failed", request, problem: problemOf(error) });
  }

  #giveUp(why: string): void {
    const given = this.#pending;
    this.#pending = [];
    for (const { request, work } of given) {
      work.return(null);
      this.#fail(request, new UserError(why));
    }
  }

  #giveUpExport(why: string): void {
    const given = this.#export;
    this.#export = undefined;
    if (given !== undefined) this.#fail(given.request, new UserError(why));
  }

  *#do(command: Command): Work {
    if (command.kind === "open") {
      const { source, files = {}, set = [], at_ms = 0 } = command;
      return yield* this.#open(RunDocument.open(source, files, set), undefined, at_ms);
    }
    if (command.kind === "open recording") {
      const recording = yield* openRecording(command);
      return yield* this.#open(recording.document, recording, command.at_ms ?? 0);
    }
    const session = this.#session;
    if (session === undefined) throw nothingOpen();
    switch (command.kind) {
      case "replay": {
        const { at } = session;
        if (this.#recording?.lines === undefined) {
          throw new UserError("there is no recording whose decisions can be shown", {
            exitCode: 2,
          });
        }
        return yield* this.#open(this.#recording.document, this.#recording, at / NS_PER_MS);
      }
      case "speed":
        session.speed = positive(command.speed);
        return null;
      case "seek":
        session.seek(positive(command.at_ms) * NS_PER_MS);
        return null;
      case "step":
        return yield* this.#step(session, command.to);
      case "show": {
        const { kind: _, ...shown } = command;
        Object.assign(session.shown, shown);
        return null;
      }
      case "compare": {
        const document = session.document.withComparison(asYaml(command.compare));
        return yield* this.#show(session, document);
      }
      case "seed":
        return yield* this.#show(session, session.document.withSeed(command.seed), 0);
      case "change":
        return yield* this.#change(
          session,
          (document, at) => document.withChange(at, asYaml(command.set)),
        );
      case "add backend":
        return yield* this.#change(
          session,
          (document, at) => withBackend(session, document, at, command),
        );
      case "remove backend":
        return yield* this.#change(
          session,
          (document, at) => withoutBackend(session, document, at, command.id),
        );
      case "break": {
        const { backend, fault, load_balancer, for_s } = command;
        return yield* this.#change(session, (document, at) =>
          document.withFault(at, {
            ...for_s !== undefined && { for: `${for_s}s` },
            ...backend !== undefined && { backend },
            ...load_balancer !== undefined && { load_balancer },
            kind: fault,
          }));
      }
      case "repair":
        return yield* this.#change(
          session,
          (document, at) => document.withoutFaultsFrom(at, command.backend),
          () => `${command.backend ?? "every backend"} is repaired`,
        );
      case "withdraw":
        return yield* this.#change(
          session,
          (document) => document.withoutIntervention(command.index),
          (before, after) => `withdrawn: ${without(before, after)}`,
        );
      case "why":
        return yield* session.why(command.variant, command.dot);
      case "explain":
        return yield* session.explain(command.variant, command.client);
      case "sessions":
        return yield* session.sessions(command.variant, command.limit, command.client);
      case "csv":
        return { text: session.csv() };
      default:
        throw new UserError("there is no such command", { exitCode: 2 });
    }
  }

  /** Opens a document instead of the present one. */
  *#open(
    document: RunDocument,
    recording: OpenedRecording | undefined,
    at_ms: number,
  ): Generator<Pause, Opened> {
    const scenarios = yield* this.#warmups.of(document);
    const former = this.#session;
    const recorded = recording?.lines;
    const session = new Session(document, this.#wallMs, { scenarios, recorded });
    if (former !== undefined) Object.assign(session.shown, former.shown);
    session.speed = former?.speed ?? 0;
    if (at_ms > 0) session.seek(at_ms * NS_PER_MS);
    this.#giveUpExport("something else was opened");
    this.#session = session;
    this.#recording = recording;
    return openedOf(session, recording);
  }

  /** Shows another document of the same run. */
  *#show(session: Session, document: RunDocument, at?: Nanoseconds): Generator<Pause, Opened> {
    session.show(document, at, yield* this.#warmups.of(document));
    return openedOf(session, this.#recording);
  }

  /**
   * Everything is checked before anything changes.
   *
   * @param sentence What was done, in words, from the interventions before and after it.
   */
  *#change(
    session: Session,
    edit: (document: RunDocument, at: Nanoseconds) => RunDocument,
    sentence = (before: readonly Intervention[], after: readonly Intervention[]) =>
      without(after, before),
  ): Generator<Pause, Changed> {
    yield* session.reaching();
    const before = session.document.interventions;
    // A change of the user comes after all events that have happened until now.
    const document = edit(session.document, Math.floor(session.at) + 1);
    const scenarios = yield* this.#warmups.of(document);
    // A change takes effect when time passes: a run that is paused continues for a moment.
    const at = session.speed === 0 ? session.at + MOMENT : session.at;
    session.show(document, at, scenarios);
    return { at_ms: session.at / NS_PER_MS, text: sentence(before, document.interventions) };
  }

  *#step(session: Session, to: "event" | "pick" | "health"): Generator<Pause, Stepped> {
    const step = yield* session.stepping(to);
    const at_ms = session.at / NS_PER_MS;
    if (step === undefined) return { at_ms, text: null, variant: null, why: null };
    const { variant, pick, health } = step;
    const event = pick?.event ?? health;
    return {
      at_ms,
      text: event === undefined ? `an event at ${(at_ms / 1000).toFixed(6)} s` : sentenceOf(event),
      variant,
      why: pick === undefined ? null : whyOf(variant, pick),
    };
  }
}

/** The interventions that are not among the others, in words. */
function without(all: readonly Intervention[], others: readonly Intervention[]): string {
  const known = new Set(others.map((one) => JSON.stringify(one)));
  return all.filter((one) => !known.has(JSON.stringify(one))).map(({ text }) => text).join("; ");
}

function nothingOpen(): UserError {
  return new UserError("nothing is open", { exitCode: 2 });
}

/** The description of the open document for the page. */
function openedOf(session: Session, recording: OpenedRecording | undefined): Opened {
  const { document, scenarios } = session;
  const { study, text, files, wasConfig } = document;
  const [first] = scenarios;
  const { end, workload, loadBalancers, warmup } = first!;
  return {
    text,
    files,
    was_config: wasConfig,
    recording: recording?.info ?? null,
    title: study.title ?? null,
    watch: study.watch ?? null,
    source: study.source,
    description: describeScenarios(scenarios),
    seed: study.seed,
    duration_ms: "duration" in end ? end.duration / NS_PER_MS : null,
    connections: "connections" in end ? end.connections : null,
    warmup_ms: warmup / NS_PER_MS,
    variants: study.variants.map(({ name, labels }, i) => {
      const load = offeredLoad(scenarios[i]!);
      return {
        name,
        labels,
        algorithm: scenarios[i]!.balancer.algorithm.name,
        load: Number.isNaN(load) ? null : load,
      };
    }),
    variant_names: document.offeredNames,
    clients: workload.clients.count,
    load_balancers: loadBalancers,
    backends: first!.balancer.backends.map(({ id, weight }, i) => ({
      id,
      weight: weight ?? 1,
      speed: first!.servers[i]!.speed,
    })),
    compare: document.offered,
    expect: study.expect.map((expectation) => expectation.text),
    controls: controlsOf(document),
  };
}

function positive(value: number): number {
  if (!Number.isFinite(value) || value < 0) {
    throw new UserError(`${value} is not a number of at least 0`, { exitCode: 2 });
  }
  return value;
}

/** A mistake in words. Any other error is a defect, of which the page can only show the message. */
function problemOf(error: unknown): Problem {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const hint = error instanceof UserError ? error.hint : undefined;
  return {
    message,
    ...hint !== undefined && { hint },
    ...error instanceof MissingFiles && { missing: error.paths },
    ...error instanceof RecordingDamage && error.line > 1 && { damaged: true },
  };
}

/** The values of a form; a text is read as YAML. */
function asYaml<T>(settings: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  const read = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(read);
    if (typeof value !== "string") return value;
    const yaml = new YamlFile({ file: "form", text: value });
    // If the text is not valid YAML, the check of the whole run reports this, with its place.
    return yaml.isSound ? yaml.data : value;
  };
  return Object.fromEntries(
    Object.entries(settings).map(([path, value]) => [path, read(value) as T]),
  );
}
