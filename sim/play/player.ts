/** Answers what the page asks: the commands of the playground. */
import { type Nanoseconds, NS_PER_MS, UserError, VERSION } from "../../lib/base/mod.ts";
import { sentenceOf } from "../../lib/observe/mod.ts";
import { offeredLoad } from "../model/mod.ts";
import { YamlFile } from "../../lib/config/mod.ts";
import { controlsOf } from "./controls.ts";
import { MissingFiles, RunDocument } from "./document.ts";
import { Session } from "./session.ts";
import { whyOf } from "./why.ts";
import { describeScenarios, Replicator, reportDigest, summarise } from "../study/mod.ts";
import { withBackend, withoutBackend } from "./backends.ts";
import type {
  Changed,
  Command,
  Exported,
  Message,
  Opened,
  Problem,
  Request,
  Result,
  Stepped,
  Update,
} from "./types.ts";

/** Raised when a message changes in a way that an older page or worker does not understand. */
export const PROTOCOL_VERSION = 1;

/** How far a paused run goes on after a change. */
const MOMENT: Nanoseconds = 1000;

/** The whole of the worker but for its clock and its messages. */
export class Player {
  readonly #wallMs: () => number;
  #session: Session | undefined;

  /** @param wallMs A clock, in milliseconds: it paces the run. */
  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** The first message to the page. */
  get started(): Message {
    return { kind: "started", protocol: PROTOCOL_VERSION, version: VERSION };
  }

  /** Whether there is work to do before the next message comes. */
  get isBusy(): boolean {
    const session = this.#session;
    return session !== undefined && (session.speed > 0 && !session.isOver || session.isBusy);
  }

  /** Does about as many milliseconds of work. Returns what is to be drawn, if that has changed. */
  tick(budgetMs: number): Update | undefined {
    return this.#session?.tick(budgetMs);
  }

  /** Answers a request. It never throws: mistakes are answers, too. */
  answer(request: Request): Message {
    try {
      return { kind: "reply", request: request.request, result: this.#do(request) };
    } catch (error) {
      return { kind: "failed", request: request.request, problem: problemOf(error) };
    }
  }

  #do(command: Command): Result {
    if (command.kind === "open") {
      const { source, files = {}, set = [], at_ms = 0 } = command;
      const document = RunDocument.open(source, files, set);
      const shown = this.#session?.shown;
      const speed = this.#session?.speed ?? 0;
      const session = new Session(document, this.#wallMs);
      if (shown !== undefined) Object.assign(session.shown, shown);
      session.speed = speed;
      if (at_ms > 0) session.seek(at_ms * NS_PER_MS);
      this.#session = session;
      return openedOf(session);
    }
    const session = this.#session;
    if (session === undefined) throw new UserError("nothing is open", { exitCode: 2 });
    switch (command.kind) {
      case "speed":
        session.speed = positive(command.speed);
        return null;
      case "seek":
        session.seek(positive(command.at_ms) * NS_PER_MS);
        return null;
      case "step":
        return this.#step(session, command.to);
      case "show": {
        const { kind: _, ...shown } = command;
        Object.assign(session.shown, shown);
        return null;
      }
      case "compare":
        session.show(session.document.withComparison(asYaml(command.compare)));
        return openedOf(session);
      case "seed":
        session.show(session.document.withSeed(command.seed), 0);
        return openedOf(session);
      case "change":
        return this.#change(
          session,
          (document, at) => document.withChange(at, asYaml(command.set)),
        );
      case "add backend":
        return this.#change(session, (document, at) => withBackend(session, document, at, command));
      case "remove backend":
        return this.#change(
          session,
          (document, at) => withoutBackend(session, document, at, command.id),
        );
      case "break": {
        const { backend, fault, load_balancer, for_s } = command;
        return this.#change(session, (document, at) =>
          document.withFault(at, {
            ...for_s !== undefined && { for: `${for_s}s` },
            ...backend !== undefined && { backend },
            ...load_balancer !== undefined && { load_balancer },
            kind: fault,
          }));
      }
      case "repair":
        return this.#change(
          session,
          (document, at) => document.withoutFaultsFrom(at, command.backend),
        );
      case "withdraw":
        return this.#change(session, (document) => document.withoutIntervention(command.index));
      case "why":
        return session.why(command.variant, command.dot);
      case "explain":
        return session.explain(command.variant, command.client);
      case "sessions":
        return session.sessions(command.variant, command.limit, command.client);
      case "export":
        return exported(session.document);
      case "csv":
        return { text: session.csv() };
    }
  }

  /** Everything is checked before anything changes. */
  #change(
    session: Session,
    edit: (document: RunDocument, at: Nanoseconds) => RunDocument,
  ): Changed {
    session.finish();
    const before = session.document.interventions;
    // What is done by hand comes after everything that has happened until now.
    const document = edit(session.document, Math.floor(session.at) + 1);
    // A change takes effect when time passes: a run that is paused goes on for a moment.
    session.show(document, session.speed === 0 ? session.at + MOMENT : session.at);
    const known = new Set(before.map((one) => JSON.stringify(one)));
    const added = document.interventions.filter((one) => !known.has(JSON.stringify(one)));
    return {
      at_ms: session.at / NS_PER_MS,
      text: added.map(({ text }) => text).join("; "),
    };
  }

  #step(session: Session, to: "event" | "pick" | "health"): Stepped {
    const step = session.step(to);
    const at_ms = session.at / NS_PER_MS;
    if (step === undefined) return { at_ms, text: null, variant: null, why: null };
    const { variant, pick } = step;
    return {
      at_ms,
      text: pick === undefined ? to : sentenceOf(pick.event),
      variant,
      why: pick === undefined ? null : whyOf(variant, pick),
    };
  }
}

/** The run as files, with the digest of `lbsim sim`. */
function exported(document: RunDocument): Exported {
  const { study, text, files } = document.exported();
  const replicator = new Replicator(study);
  const results = study.variants.map((_, variant) => [
    replicator.run({ variant, replication: 0 }),
  ]);
  return {
    text,
    files,
    digest: reportDigest(study.seed, summarise(study, results)),
  };
}

/** What is open, for the page. */
function openedOf(session: Session): Opened {
  const { document, scenarios, runs } = session;
  const { study, text, files, wasConfig } = document;
  const [first] = scenarios;
  const { end, workload, loadBalancers, warmup } = first!;
  return {
    text,
    files,
    was_config: wasConfig,
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
        algorithm: runs[i]!.scenario.balancer.algorithm.name,
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
    throw new UserError(`${value} is not a number from 0 on`, { exitCode: 2 });
  }
  return value;
}

/** A mistake in words. An error that is none of the user's is a defect; its message is all that the page can show. */
function problemOf(error: unknown): Problem {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const hint = error instanceof UserError ? error.hint : undefined;
  return {
    message,
    ...hint !== undefined && { hint },
    ...error instanceof MissingFiles && { missing: error.paths },
  };
}

/** Values as typed in a form: a text is read as YAML. */
function asYaml<T>(settings: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  const read = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(read);
    if (typeof value !== "string") return value;
    const yaml = new YamlFile({ file: "form", text: value });
    // What cannot be read is a mistake that the check of the whole run reports, with its place.
    return yaml.isSound ? yaml.data : value;
  };
  return Object.fromEntries(
    Object.entries(settings).map(([path, value]) => [path, read(value) as T]),
  );
}
