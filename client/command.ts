import { Command, Option } from "@commander-js/extra-typings";
import { type Address, NS_PER_S, UserError } from "../lib/base/mod.ts";
import {
  addressOption,
  durationOption,
  fileOption,
  hostOption,
  integerOption,
  type Io,
  positiveDurationOption,
} from "../lib/cli/mod.ts";
import { type ExpectedPeer, giveUp, monotonicNow } from "../lib/io/mod.ts";
import { repeated, sendBatch, standardInput } from "./batch.ts";
import { converse } from "./interactive.ts";
import { ClientSession } from "./session.ts";

/** `lbsim client`: sends lines to a balancer or a backend. */
export function clientCommand(io: Io) {
  return new Command("client")
    .description(
      "Send lines to a balancer: interactively, or from the command line or a pipe.",
    )
    .argument(
      "[host:port]",
      "the address to connect to (default with --config: the balancer's address in that file)",
    )
    .argument(
      "[lines...]",
      "lines to send; if there are none, they come from standard input or the keyboard",
    )
    .option("-c, --config <file>", "take the address from this file's `listen`", fileOption)
    .option(
      "--tls",
      "speak TLS; with --config, this is the default if the file has the key `tls`",
      false,
    )
    .option("--ca <file>", "speak TLS, and also trust the CAs in this PEM file", fileOption)
    .option(
      "--server-name <name>",
      "speak TLS, and require a certificate for this name",
      hostOption,
    )
    .option("-n, --count <n>", "send all lines this many times", integerOption(1))
    .addOption(
      new Option("--interval <duration>", "wait this long between lines")
        .argParser(durationOption).default(0, "0s"),
    )
    .addOption(
      new Option("--timeout <duration>", "limit for a connect and for an answer")
        .argParser(positiveDurationOption).default(5 * NS_PER_S, "5s"),
    )
    .option(
      "--new-connection",
      "open a connection for each line: the balancer picks a backend for each connection, not for each line",
      false,
    )
    .option("--json", "print a JSON object for each line", false)
    .addHelpText("after", EXAMPLES)
    .action(async (where, lines, options) => {
      const { config, count, interval, timeout, newConnection, json } = options;
      const target = await targetOf(where, config);
      const { address } = target;
      const tls = await peerOf(target, options);
      await giveUp("read", "write", "sys");
      const settings = { address, tls, timeout, newConnection, now: monotonicNow };
      const typed = lines.length > 0 || (count !== undefined && io.stdinIsTerminal);
      if (typed) {
        const all = lines.length > 0 ? lines : ["hello"];
        const session = new ClientSession(settings);
        await sendBatch(session, repeated(all, count ?? 1), { interval, json }, io);
      } else if (!io.stdinIsTerminal) {
        const input = count === undefined ? standardInput() : repeatedInput(count);
        await sendBatch(new ClientSession(settings), input, { interval, json }, io);
      } else {
        await converse(settings, io);
      }
    });
}

const EXAMPLES = `
Examples:
  lbsim client 192.168.1.10:8000                          interactively
  echo hi | lbsim client 192.168.1.10:8000                one line from a pipe
  lbsim client 192.168.1.10:8000 hi -n 6 --new-connection six connections`;

interface Target {
  readonly address: Address;
  readonly speaksTls: boolean;
}

async function targetOf(where: string | undefined, file: string | undefined): Promise<Target> {
  if (where !== undefined) return { address: addressOption("HOST:PORT", where), speaksTls: false };
  if (file !== undefined) {
    const { loadConfig } = await import("../lib/files/mod.ts");
    const { listen, tls } = await loadConfig(file);
    return { address: listen, speaksTls: tls !== undefined };
  }
  throw new UserError("an address to connect to is missing", {
    exitCode: 2,
    hint: "lbsim client 127.0.0.1:8000, or lbsim client --config config.yaml",
  });
}

interface TlsOptions {
  readonly tls: boolean;
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
}

/** The peer whose certificate TLS verifies; undefined without TLS. */
async function peerOf(
  { address, speaksTls }: Target,
  { tls, ca, serverName }: TlsOptions,
): Promise<ExpectedPeer | undefined> {
  if (!tls && !speaksTls && ca === undefined && serverName === undefined) return undefined;
  const name = serverName ?? address.host;
  if (ca === undefined) return { name, ca };
  const { loadAuthorities } = await import("../lib/files/mod.ts");
  return { name, ca: await loadAuthorities(ca) };
}

async function* repeatedInput(count: number): AsyncGenerator<string> {
  const lines: string[] = [];
  for await (const line of standardInput()) lines.push(line);
  yield* repeated(lines, count);
}
