import { Command } from "@commander-js/extra-typings";
import type { Io } from "../lib/cli/io.ts";
import { integerOption } from "../lib/cli/options.ts";
import { applyOverrides, type Config, loadConfig } from "../lib/config/mod.ts";
import {
  createRandom,
  EventStream,
  type ExplainedBackend,
  type PickExplained,
  Scheduler,
  Waiting,
} from "../lib/core/mod.ts";
import { didYouMean } from "../lib/config/suggest.ts";
import { aligned } from "../lib/report/text.ts";
import { UserError } from "../lib/user_error.ts";

/** `lbsim explain`: where would a client go, and why? */
export function explainCommand(io: Io) {
  return new Command("explain")
    .description(
      "Say where a client would go, and why: a thought experiment, nothing is connected.",
    )
    .option("-c, --config <file>", "configuration", "config.yaml")
    .option("--client <address>", "the client's address", "192.168.1.50")
    .option("-a, --algorithm <name>", "use this algorithm instead")
    .option(
      "--state <states>",
      "what else is true: B1=down, B2=drain, B3=maintenance, or B1=7 for seven in flight",
      "",
    )
    .option("--seed <n>", "for what is drawn by lot", integerOption(0), 1)
    .option("--json", "print one JSON object", false)
    .action(async ({ config: file, client, algorithm, state, seed, json }) => {
      const config = applyOverrides(await loadConfig(file), { algorithm });
      const explained = explain(config, parseStates(state, config), client, seed);
      if (json) io.out(JSON.stringify(explained));
      else table(explained).forEach((line) => io.out(line));
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
    const known = STATES.find((state) => state === value);
    const inFlight = /^\d{1,6}$/.test(value) ? Number(value) : undefined;
    if (more.length > 0 || (known === undefined && inFlight === undefined)) {
      throw wrong(
        `"${part}" says nothing of ${id}`,
        `write ${id}=down, ${id}=drain, ${id}=maintenance, or ${id}=7 for seven in flight`,
      );
    }
    states.set(id, known ?? inFlight!);
  }
  return states;
}

/** A scheduler in that state is asked for this client. */
function explain(
  config: Config,
  states: ReadonlyMap<string, State>,
  client: string,
  seed: number,
): Omit<PickExplained, "at_ms" | "type" | "connection"> {
  const events = new EventStream();
  // Nobody is recovering here, and what is in flight is said per backend.
  const { slowStart: _, ...rest } = config;
  const scheduler = new Scheduler(
    { ...rest, limits: { connections: Infinity } },
    events,
    createRandom(seed),
  );
  for (const { id } of config.backends) {
    scheduler.probed(id, true, 0, 0);
    scheduler.setMode(id, "maintenance", 0);
  }
  for (const [id, state] of states) {
    if (typeof state !== "number") continue;
    // While it is the only one, every client is its.
    scheduler.setMode(id, "ready", 0);
    for (let i = 0; i < state; i++) {
      const { granted } = scheduler.acquire(`in flight ${i}`, 0);
      if (granted) continue;
      throw new UserError(`--state: ${id} cannot have ${state} in flight: it is full at ${i}`, {
        exitCode: 2,
      });
    }
    scheduler.setMode(id, "maintenance", 0);
  }
  for (const { id, mode } of config.backends) {
    const state = states.get(id);
    const said = state === "drain" || state === "maintenance" ? state : "ready";
    scheduler.setMode(id, state === undefined ? mode : said, 0);
    if (state !== "down") continue;
    for (let i = 0; i < config.healthCheck.fall; i++) scheduler.probed(id, false, 0, 0);
  }
  let result: PickExplained | undefined;
  events.subscribe(["pick_explained"], (event) => result = event);
  const outcome = scheduler.acquire(client, 0);
  const { backend, rule, candidates } = result!;
  const waits = outcome instanceof Waiting;
  return { client, backend, rule: waits ? "every backend is full: it waits" : rule, candidates };
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
    `${client} goes to ${backend ?? "nobody"}: ${rule}`,
    "",
    ...lines.map((line, i) => `${line}  ${verdicts[i]}`.trimEnd()),
  ];
}

function verdict({ backend, unavailable }: ExplainedBackend, picked: string | null): string {
  if (backend === picked) return "picked";
  return unavailable === undefined ? "" : `not available: ${unavailable}`;
}
