import { Command, Option } from "@commander-js/extra-typings";
import { fileOption, integerOption, type Io, nameOption } from "../lib/cli/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import { loadConfig } from "../lib/files/mod.ts";
import { didYouMean } from "../lib/base/mod.ts";
import {
  canonicalIp,
  createRandom,
  escapeAll,
  escapedJson,
  parseIp,
  UserError,
} from "../lib/base/mod.ts";
import {
  ALGORITHM_NAMES,
  EventStream,
  type ExplainedBackend,
  Explanation,
  type PickExplained,
  Scheduler,
} from "../lib/core/mod.ts";
import { refusalInWords } from "./event_log.ts";
import { aligned } from "../lib/report/mod.ts";

/** `lbsim explain`: which backend would a client get, and why? */
export function explainCommand(io: Io) {
  return new Command("explain")
    .description(
      "Show which backend a client would get, and why. It opens no connection.",
    )
    .option("-c, --config <file>", "the configuration file", fileOption, "config.yaml")
    .option("--client <address>", "the client's address", "192.168.1.50")
    .addOption(
      new Option("-a, --algorithm <name>", "use this algorithm instead of the file's")
        .choices(ALGORITHM_NAMES).argParser(nameOption("--algorithm", ALGORITHM_NAMES)),
    )
    .option(
      "--state <states>",
      "assumed states of backends, like B1=down,B2=7: up, down, drain, maintenance, or a number of connections in flight",
      "",
    )
    .option("--seed <n>", "seed of the random choices", integerOption(0), 1)
    .option("--json", "print one JSON object", false)
    .action(async ({ config: file, client, algorithm, state, seed, json }) => {
      if (parseIp(client) === undefined) {
        throw new UserError(`--client: "${client}" is not an IP address`, {
          exitCode: 2,
          hint: "write it like 192.168.1.50 or 2001:db8::7",
        });
      }
      const config = await loadConfig(file, { algorithm });
      const explained = explain(config, parseStates(state, config), canonicalIp(client), seed);
      if (json) io.out(escapedJson(explained));
      else table(escapeAll(explained)).forEach((line) => io.out(line));
    });
}

type State = "up" | "down" | "drain" | "maintenance" | number;

const STATES = ["up", "down", "drain", "maintenance"] as const;

function parseStates(text: string, { backends }: Config): Map<string, State> {
  const states = new Map<string, State>();
  for (const part of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const [id = "", value = "", ...more] = part.split("=").map((side) => side.trim());
    const wrong = (message: string, hint: string) =>
      new UserError(`--state: ${message}`, { exitCode: 2, hint });
    if (!backends.some((backend) => backend.id === id)) {
      const ids = backends.map((backend) => backend.id);
      throw wrong(
        `there is no backend "${id}"`,
        didYouMean(id, ids) ?? `there are ${ids.join(" ")}`,
      );
    }
    const state = STATES.find((one) => one === value);
    const inFlight = /^\d{1,6}$/.test(value) ? Number(value) : undefined;
    if (more.length > 0 || (state === undefined && inFlight === undefined)) {
      throw wrong(
        `"${part}" says nothing of ${id}`,
        `write ${id}=down, ${id}=drain, ${id}=maintenance, or ${id}=7 for seven in flight`,
      );
    }
    if (states.has(id)) throw wrong(`${id} is there twice`, "say one thing of it");
    states.set(id, state ?? inFlight!);
  }
  return states;
}

/** Asks a scheduler in that state for a backend for this client. */
function explain(
  config: Config,
  states: ReadonlyMap<string, State>,
  client: string,
  seed: number,
): Omit<PickExplained, "at_ms" | "type" | "connection"> {
  const events = new EventStream((failure) => {
    throw failure;
  });
  const { backends, healthCheck } = config;
  // No backend recovers here, and connections in flight are given per backend.
  const { slowStart: _, ...rest } = config;
  const asked = { ...rest, limits: { ...rest.limits, connections: Infinity } };
  const scheduler = new Scheduler(
    { ...asked, ...OPEN_TO_ALL, backends: backends.map((one) => ({ ...one, ...IDLE })) },
    events,
    createRandom(seed),
  );
  for (const { id } of backends) scheduler.probed(id, true, 0, 0);
  for (const [id, state] of states) {
    if (typeof state === "number") occupy(scheduler, id, state);
  }
  scheduler.reconfigure(asked, 0);
  for (const { id } of backends) {
    const state = states.get(id);
    if (state === "down") {
      for (let i = 0; i < healthCheck.fall; i++) scheduler.probed(id, false, 0, 0);
    }
    if (state !== undefined) scheduler.setMode(id, isMode(state) ? state : "ready", 0);
  }
  let result: PickExplained | undefined;
  events.subscribe("explanation", ["pick_explained"], (event) => result = event);
  const connection = scheduler.accept(client, 0);
  if (connection.refusal === undefined) connection.assign(0);
  if (result === undefined) {
    // The client is refused before a backend is picked.
    const { refusal } = connection;
    const rule = refusal === undefined ? "" : refusalInWords(refusal);
    const { candidates } = new Explanation(scheduler.backends);
    return { client, backend: null, rule, candidates };
  }
  const { backend, rule, candidates } = result;
  const waits = connection.phase === "waiting";
  return { client, backend, rule: waits ? "every backend is full: it waits" : rule, candidates };
}

/** Limits under which no client is refused, waits or sticks, while the connections in flight are set up. */
const OPEN_TO_ALL = {
  allow: undefined,
  deny: undefined,
  queue: undefined,
  sticky: undefined,
  limits: { connections: Infinity },
};
/** A backend that gets no clients until its connections in flight are set up. The weight does not matter then. */
const IDLE = { weight: 1, mode: "maintenance" } as const;

function occupy(scheduler: Scheduler, id: string, inFlight: number): void {
  scheduler.setMode(id, "ready", 0);
  for (let i = 0; i < inFlight; i++) {
    if (scheduler.accept(`in flight ${i}`, 0).assign(0).kind === "connect") continue;
    throw new UserError(`--state: ${id} cannot have ${inFlight} in flight: it is full at ${i}`, {
      exitCode: 2,
    });
  }
  scheduler.setMode(id, "maintenance", 0);
}

function isMode(state: State): state is "drain" | "maintenance" {
  return state === "drain" || state === "maintenance";
}

function table({ client, backend, rule, candidates }: ReturnType<typeof explain>): string[] {
  const cells = candidates.map((candidate) => [
    candidate.backend,
    String(candidate.weight),
    String(candidate.in_flight),
    candidate.score === undefined ? "-" : String(Number(candidate.score.toPrecision(6))),
  ]);
  const lines = aligned([["backend", "weight", "in flight", "score"], ...cells]);
  const verdicts = ["", ...candidates.map((candidate) => verdict(candidate, backend))];
  return [
    backend === null
      ? `${client} gets no backend: ${rule}`
      : `${client} goes to ${backend}: ${rule}`,
    "",
    ...lines.map((line, i) => `${line}  ${verdicts[i]}`.trimEnd()),
  ];
}

function verdict({ backend, unavailable }: ExplainedBackend, picked: string | null): string {
  if (backend === picked) return "picked";
  return unavailable === undefined ? "" : `not available: ${unavailable}`;
}
