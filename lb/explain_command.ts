import { Command, Option } from "@commander-js/extra-typings";
import { fileOption, integerOption, type Io, nameOption } from "../lib/cli/mod.ts";
import type { Config } from "../lib/config/mod.ts";
import { loadConfig } from "../lib/files/mod.ts";
import {
  canonicalIp,
  didYouMean,
  escapeAll,
  escapedJson,
  parseIp,
  UserError,
} from "../lib/base/mod.ts";
import { ALGORITHM_NAMES } from "../lib/core/mod.ts";
import { explanationLines } from "../lib/observe/mod.ts";
import { type AssumedState, explain } from "./explain.ts";

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
      "assumed states of backends, like B1=down,B2=7. A state is up, down, drain, maintenance, or a number of connections in flight",
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
      const explained = explain(
        config,
        assumed(parseStates(state, config)),
        canonicalIp(client),
        seed,
      );
      if (json) io.out(escapedJson(explained));
      else explanationLines(escapeAll(explained)).forEach((line) => io.out(line));
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
        didYouMean(id, ids) ?? `one of: ${ids.join(", ")}`,
      );
    }
    const state = STATES.find((one) => one === value);
    const inFlight = /^\d{1,6}$/.test(value) ? Number(value) : undefined;
    if (more.length > 0 || (state === undefined && inFlight === undefined)) {
      throw wrong(
        `"${part}" is not a state of a backend`,
        `write ${id}=down, ${id}=drain, ${id}=maintenance, or ${id}=7 for seven in flight`,
      );
    }
    if (states.has(id)) throw wrong(`${id} appears twice`, "give it only one state");
    states.set(id, state ?? inFlight!);
  }
  return states;
}

/** The assumed states. A state from the command line overrides the mode in the file. */
function assumed(states: ReadonlyMap<string, State>): ReadonlyMap<string, AssumedState> {
  return new Map([...states].map(([id, state]) => [
    id,
    typeof state === "number"
      ? { inFlight: state, mode: "ready" }
      : { isDown: state === "down", mode: isMode(state) ? state : "ready" },
  ]));
}

function isMode(state: State): state is "drain" | "maintenance" {
  return state === "drain" || state === "maintenance";
}
