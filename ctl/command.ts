import { Argument, Command } from "@commander-js/extra-typings";
import {
  aligned,
  canonicalIp,
  escapeAll,
  escapedJson,
  escapeText,
  formatDuration,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  parseIp,
  UserError,
} from "../lib/base/mod.ts";
import {
  fileOption,
  integerOption,
  type Io,
  nameOption,
  positiveDurationOption,
} from "../lib/cli/mod.ts";
import type { FaultsAnswer } from "../lib/api/mod.ts";
import { FAULT_NAMES, parseFault, type ServerFault } from "../lib/fault/mod.ts";
import { ALGORITHM_NAMES, type BackendMode, type LbEvent } from "../lib/core/mod.ts";
import { giveUp, keepWritingTo, monotonicNow, sleep } from "../lib/io/mod.ts";
import { explanationLines, plural, sentenceOf, type Snapshot } from "../lib/observe/mod.ts";
import { AdminClient, type Target, targetOf } from "../lib/admin/mod.ts";
import { loadConfig } from "../lib/files/mod.ts";
import { Balancer, type Wished } from "./balancer.ts";
import { age, differences, summaryLines, tableLines } from "./table.ts";
import { watchOnScreen, watchPlainly } from "./watch.ts";

/** The data that all subcommands of `ctl` have. */
interface Ctl {
  readonly balancer: Balancer;
  readonly client: AdminClient;
  readonly json: boolean;
}

/** The action of a subcommand, which gets the API. */
type Act = (ctl: Ctl) => Promise<void>;

/** `lbsim ctl`: shows and changes a running balancer. */
export function ctlCommand(io: Io) {
  const ctl = new Command("ctl")
    .description("Show the state of a running balancer, and change it, through its admin API.")
    .option(
      "-c, --config <file>",
      "the balancer's configuration file: it names the address and the token file of the API",
      fileOption,
      "config.yaml",
    )
    .option("--ca <file>", "if the API speaks TLS: also trust the CAs in this PEM file", fileOption)
    .option("--json", "print JSON with the field names of the API", false)
    .helpCommand(false)
    .addHelpText("after", EXAMPLES);
  const run = async (act: Act) => {
    const { config, json, ca } = ctl.opts();
    const target = await targetOf(await loadConfig(config), config, ca);
    await keepOnly(target);
    const client = new AdminClient(target, io.signal);
    try {
      await act({ balancer: new Balancer(client), client, json });
    } catch (error) {
      if (!io.signal.aborted) throw error;
      // The request in progress has failed because of the stop.
      io.setExitCode(130);
    }
  };

  ctl.command("status")
    .description("show the balancer and its backends")
    .option("--watch", "redraw the table until q or Ctrl-C; press ? to see all keys", false)
    .action(({ watch }) => run((ctl) => status(ctl, watch, io)));

  ctl.command("drain")
    .description("give a backend no new clients; open connections may finish")
    .addArgument(backendArgument())
    .option("--wait", "wait until the backend has no connection in flight", false)
    .option(
      "--timeout <duration>",
      "with --wait: fail after this time (default: 60s)",
      positiveDurationOption,
    )
    .action((id, { wait, timeout }) => {
      if (timeout !== undefined && !wait) {
        throw new UserError("--timeout needs --wait", { exitCode: 2 });
      }
      return run(async (ctl) => {
        await setState(ctl, id, "drain", io);
        if (wait) await untilIdle(ctl, id, timeout ?? DRAIN_TIMEOUT, io);
      });
    });

  ctl.command("ready")
    .description("give a backend clients again")
    .addArgument(backendArgument())
    .action((id) => run((ctl) => setState(ctl, id, "ready", io)));

  ctl.command("maintenance")
    .description("give a backend no new connections and no probes")
    .addArgument(backendArgument())
    .action((id) => run((ctl) => setState(ctl, id, "maintenance", io)));

  ctl.command("weight")
    .description("change the weight of a backend")
    .addArgument(backendArgument())
    .argument(
      "<weight>",
      "a whole number from 0 to 256; with 0, the backend gets no new clients",
      integerOption(0),
    )
    .action((id, weight) =>
      run(async (ctl) => {
        const answer = await ctl.balancer.setWeight(id, weight);
        changed(ctl, answer, `${id} has weight ${weight}`, io);
      })
    );

  ctl.command("algorithm")
    .description("change the algorithm")
    .addArgument(
      new Argument("<name>", "the algorithm").choices(ALGORITHM_NAMES)
        .argParser(nameOption("algorithm", ALGORITHM_NAMES)),
    )
    .action((name) =>
      run(async (ctl) => {
        const answer = await ctl.balancer.setAlgorithm(name);
        changed(ctl, answer, `the algorithm is ${name}`, io);
      })
    );

  ctl.command("withdraw")
    .description(
      "undo the changes by ctl, the API or the dashboard: the values of the file apply again",
    )
    .argument("[backend]", "only for this backend")
    .action((id) =>
      run(async (ctl) => {
        const answer = await ctl.balancer.withdraw(id);
        const of = id === undefined ? "all changes are" : `the changes to ${id} are`;
        changed(ctl, answer, `${of} withdrawn`, io);
      })
    );

  ctl.command("fault")
    .description(
      "cause a fault in a backend, or show its faults; in the configuration, the backend needs the key `admin`",
    )
    .addArgument(backendArgument())
    .addArgument(
      new Argument("[fault]", "the kind of fault").choices(FAULT_NAMES)
        .argParser(nameOption("fault", FAULT_NAMES)),
    )
    .argument(
      "[values...]",
      "slow: 5x (everything takes 5 times as long). fail-rate, fast-errors: 30% (30% of requests fail). gray: 30% 2x (30% of requests fail; everything takes 2 times as long). flap: 10s 50% (down for 50% of every 10s)",
    )
    .option(
      "--for <duration>",
      "how long the fault lasts; if left out, until you end it with `--end`",
      positiveDurationOption,
    )
    .option("--end", "end all faults of the backend", false)
    .action((id, name, values, { for: duration, end }) => {
      if (end && (name !== undefined || duration !== undefined)) {
        throw new UserError("--end ends all faults: it takes no fault and no --for", {
          exitCode: 2,
        });
      }
      if (name === undefined && duration !== undefined) {
        throw new UserError("--for needs a fault, like hang", { exitCode: 2 });
      }
      const fault = name === undefined ? undefined : faultOf([name, ...values]);
      return run(async (ctl) => {
        const { balancer } = ctl;
        const answer = end
          ? await balancer.endFaults(id)
          : fault === undefined
          ? await balancer.faults(id)
          : await balancer.hurt(id, fault, duration);
        if (ctl.json) return io.out(escapedJson(answer));
        faultLines(answer, id).forEach((line) => io.out(escapeText(line)));
      });
    });

  ctl.command("sessions")
    .description("list which client sticks to which backend")
    .option("--client <address>", "only the session of this client", ipOption)
    .option("--limit <n>", "at most this many", integerOption(1), 100)
    .action(({ client, limit }) => run((ctl) => sessions(ctl, limit, client, io)));

  ctl.command("events")
    .description("print events as they happen, until Ctrl-C")
    .option("--connections", "print the events of each connection, too", false)
    .option("--probes", "print each probe, too", false)
    .action((wanted) => run((ctl) => events(ctl, wanted, io)));

  ctl.command("explain")
    .description("show which backend a client would get now, and why; it opens no connection")
    .requiredOption("--client <address>", "the client's address", ipOption)
    .action(({ client }) =>
      run(async ({ balancer, json }) => {
        const explained = await balancer.explain(client);
        if (json) io.out(escapedJson(explained));
        else explanationLines(escapeAll(explained)).forEach((line) => io.out(line));
      })
    );

  ctl.command("reload")
    .description("read the configuration file again")
    .action(() =>
      run(async ({ balancer, json }) => {
        const answer = await balancer.reload();
        io.out(json ? escapedJson(answer) : "the balancer has read its configuration again");
      })
    );

  return ctl;
}

/** Gives up every permission that is not needed to ask this API. */
async function keepOnly({ listen }: Target): Promise<void> {
  if (!("path" in listen)) return await giveUp("read", "write", "sys");
  // A connect to a Unix socket needs the permission to read and to write its path.
  await keepWritingTo([listen.path]);
  await giveUp("sys");
}

const EXAMPLES = `
Examples:
  lbsim ctl status --watch                 a table that redraws; press ? to see which keys you can press
  lbsim ctl drain B1 --wait --timeout 60s  before B1 is stopped
  lbsim ctl ready B1
  lbsim ctl explain --client 192.168.1.50
  lbsim ctl fault B2 slow 5x --for 30s     and ctl fault B2 --end ends it earlier`;

/** @throws {UserError} if these words are not a fault. */
function faultOf(words: readonly string[]): ServerFault {
  try {
    return parseFault(words);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(error.message, { exitCode: 2 });
  }
}

/** `B2 has the fault slow 5x for another 30s`. */
function faultLines({ faults }: FaultsAnswer, id: string): string[] {
  if (faults.length === 0) return [`${id} has no fault`];
  return faults.map(({ fault, ends_in_ms }) => {
    if (ends_in_ms === null) return `${id} has the fault ${fault} until \`ctl fault ${id} --end\``;
    const left = formatDuration(Math.ceil(ends_in_ms / 100) / 10 * NS_PER_S);
    return `${id} has the fault ${fault} for another ${left}`;
  });
}

/** The time between two checks of a drain. */
const DRAIN_EVERY: Nanoseconds = 200 * NS_PER_MS;
const DRAIN_TIMEOUT: Nanoseconds = 60 * NS_PER_S;

function backendArgument() {
  return new Argument("<backend>", "the id of the backend, like B1");
}

/** `--client 192.168.1.50`. */
function ipOption(text: string): string {
  if (parseIp(text) !== undefined) return canonicalIp(text);
  throw new UserError(`--client: "${text}" is not an IP address`, {
    exitCode: 2,
    hint: "write it like 192.168.1.50 or 2001:db8::7",
  });
}

async function status({ balancer, json }: Ctl, watch: boolean, io: Io): Promise<void> {
  if (watch && !json && io.stdoutIsTerminal) return await watchOnScreen(balancer, io);
  const show = (snapshot: Snapshot) => {
    if (json) io.out(escapedJson(snapshot));
    else statusLines(escapeAll(snapshot), io).forEach((line) => io.out(line));
    if (watch && !json) io.out("");
  };
  if (watch) await watchPlainly(balancer, show, io);
  else show(await balancer.status());
}

/** Without a terminal, lines are not cut and there are no bars. */
function statusLines(snapshot: Snapshot, { stdoutIsTerminal, columns, color }: Io): string[] {
  const width = stdoutIsTerminal ? columns : Infinity;
  return [
    ...summaryLines(snapshot, width),
    "",
    ...tableLines(snapshot, { width, color, bars: stdoutIsTerminal }),
  ];
}

/** Prints the outcome of a change. */
function changed({ json }: Ctl, answer: Wished, sentence: string, io: Io): void {
  if (json) io.out(escapedJson(answer));
  else io.out(escapeText(`${sentence}; ${differences(answer.wishes)}`));
}

async function setState(ctl: Ctl, id: string, state: BackendMode, io: Io): Promise<void> {
  const answer = await ctl.balancer.setState(id, state);
  const { health, in_flight } = await backendOf(ctl, id);
  const isDown = state === "ready" && health.state === "down";
  const inFlight = state === "ready" ? "" : ` with ${plural(in_flight, "connection")} in flight`;
  const sentence = `${id} is ${STATES[state]}${inFlight}${isDown ? ", but its probes fail" : ""}`;
  changed(ctl, answer, sentence, io);
}

const STATES: Readonly<Record<BackendMode, string>> = {
  ready: "ready",
  drain: "draining",
  maintenance: "in maintenance",
};

/** Waits until a backend has no connection in flight. */
async function untilIdle(ctl: Ctl, id: string, timeout: Nanoseconds, io: Io): Promise<void> {
  const deadline = monotonicNow() + timeout;
  while (true) {
    const { in_flight } = await backendOf(ctl, id);
    if (in_flight === 0) break;
    const connections = plural(in_flight, "connection");
    if (io.signal.aborted) return io.setExitCode(130);
    if (monotonicNow() >= deadline) {
      throw new UserError(
        `${id} still has ${connections} in flight after ${formatDuration(timeout)}`,
      );
    }
    io.status(escapeText(`waiting for ${connections} in flight on ${id}`));
    await sleep(DRAIN_EVERY, io.signal);
  }
  io.status();
  if (!ctl.json) io.out(escapeText(`${id} has no connection in flight`));
}

/** @throws {UserError} if a reload has removed the backend meanwhile. */
async function backendOf({ balancer }: Ctl, id: string) {
  const backend = (await balancer.status()).backends.find((one) => one.id === id);
  if (backend === undefined) throw new UserError(`the balancer has no backend ${id} any more`);
  return backend;
}

async function sessions(
  { balancer, json }: Ctl,
  limit: number,
  client: string | undefined,
  io: Io,
): Promise<void> {
  const answer = await balancer.sessions(limit, client);
  if (json) return io.out(escapedJson(answer));
  const { at_ms, sessions: { limit: max } } = await balancer.status();
  if (max === null) return io.out("clients do not stick: the configuration has no `sticky`");
  const { count, sessions } = escapeAll(answer);
  const rows = sessions.map(({ client, backend, home, connections, used_at_ms }) => [
    client,
    backend,
    home,
    String(connections),
    `${age(at_ms - used_at_ms)} ago`,
  ]);
  if (rows.length > 0) {
    const heads = ["client", "backend", "home", "connections", "used"];
    aligned([heads, ...rows]).forEach((line) => io.out(line));
  } else {
    io.out(client === undefined ? "no client has a session" : `${client} has no session`);
  }
  if (client === undefined && count > rows.length) {
    io.out(`${rows.length} of ${count} sessions; --limit shows more`);
  }
}

/** Events that are shown only with this flag, besides those that the API sends only on request. */
const SELDOM_WANTED: Readonly<Record<string, "connections" | "probes">> = {
  connection_arrived: "connections",
  probe: "probes",
};

async function events(
  { client, balancer, json }: Ctl,
  wanted: { readonly connections: boolean; readonly probes: boolean },
  io: Io,
): Promise<void> {
  const { epoch_ms } = await balancer.status();
  const path = `/api/events${wanted.connections ? "?connections=true" : ""}`;
  for await (const { event, data } of client.events(path)) {
    const flag = SELDOM_WANTED[event];
    if (flag !== undefined && !wanted[flag]) continue;
    const value = JSON.parse(data);
    if (json) io.out(escapedJson(event === "lost" ? { type: event, ...value } : value));
    else if (event === "lost") io.out("events are missing: they came faster than they were read");
    else io.out(eventLine(value, epoch_ms));
    await io.written();
  }
}

/** `12:34:56.789 B2 is down: …`, with the local time of day, as in the log. */
function eventLine(event: LbEvent, epochMs: number): string {
  const time = new Date(epochMs + event.at_ms);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
  const millis = String(time.getMilliseconds()).padStart(3, "0");
  return `${clock}.${millis} ${escapeText(sentenceOf(event))}`;
}
