import { Command, Option } from "@commander-js/extra-typings";
import { styleText } from "node:util";
import { durationOption, type Io, nameOption } from "../lib/cli/mod.ts";
import { giveUp, monotonicNow, openInBrowser, untilAborted } from "../lib/io/mod.ts";
import { ALGORITHM_NAMES } from "../lib/core/mod.ts";
import { formatDuration, type Nanoseconds, NS_PER_S, UserError } from "../lib/base/mod.ts";
import { Demo, type DemoEvent, type DemoState, type DemoSummary, problemsOf } from "./demo.ts";
import { wrapped } from "../lib/report/mod.ts";
import { liveLine } from "./demo_line.ts";

/** In a shorter demo, B2 could not be detected and return before the end. */
const DURATION_MIN: Nanoseconds = 4 * NS_PER_S;

/** `lbsim demo`: failover and failback in twenty seconds. */
export function demoCommand(io: Io) {
  return new Command("demo")
    .description(
      "Show failover and failback on this machine: a backend stops and starts again under load.",
    )
    .addOption(
      new Option("-a, --algorithm <name>", "how the balancer picks a backend")
        .choices(ALGORITHM_NAMES).argParser(nameOption("--algorithm", ALGORITHM_NAMES))
        .default("round-robin" as const),
    )
    .option("--duration <duration>", "duration of the demo (default: 20s)", durationOption)
    .option("--open", "open the dashboard in the browser", false)
    .option(
      "--hold",
      "after the demo, keep the balancer, the backends, the clients and the dashboard running until Ctrl-C",
      false,
    )
    .option("--json", "print only one JSON object at the end", false)
    .action(async ({ algorithm, duration = 20 * NS_PER_S, open, hold, json }) => {
      if (duration < DURATION_MIN) {
        throw new UserError(
          `--duration ${formatDuration(duration)} is too short: at least ${
            formatDuration(DURATION_MIN)
          }`,
          { exitCode: 2 },
        );
      }
      if (!open) await giveUp("run");
      const printer = new DemoPrinter(io, json);
      const finish = (summary: DemoSummary) => {
        if (json) io.out(JSON.stringify(summary));
        else printer.summarise(summary);
      };
      const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
      let isHeld = false;
      const demo = new Demo(
        {
          ...{ algorithm, duration, now: monotonicNow, seed, signal: io.signal },
          ...hold && {
            async finished(summary) {
              finish(summary);
              if (io.signal.aborted) return;
              isHeld = true;
              if (!json) printer.hold();
              await untilAborted(io.signal);
            },
          },
        },
        (event) => {
          // The title comes only now: until now, Deno may have written to the terminal that it loads parts of the
          // program.
          if (!json && event.type === "started") printer.title(algorithm, duration);
          printer.print(event);
          if (open && event.type === "started") void openDashboard(event.dashboard, io);
        },
        (state) => printer.show(state),
      );
      const summary = await demo.run();
      if (summary === undefined) {
        io.err("lbsim: stopped before the demo began");
        return io.setExitCode(130);
      }
      if (!hold) finish(summary);
      // With `--hold`, Ctrl-C is the normal end.
      if (io.signal.aborted && !isHeld) io.setExitCode(130);
      else if (!summary.ok) io.setExitCode(1);
    });
}

/** Opens the dashboard, and gives up the permission to run programs. A failure does not end the demo. */
async function openDashboard(url: string, io: Io): Promise<void> {
  const failure = await openInBrowser(url);
  await giveUp("run");
  if (failure !== undefined) io.err(`lbsim: no browser could be opened (${failure}): open ${url}`);
}

/** Shows the demo on the terminal: a line for each event, and below them a live line. */
class DemoPrinter {
  readonly #io: Io;
  readonly #quiet: boolean;

  constructor(io: Io, quiet: boolean) {
    this.#io = io;
    this.#quiet = quiet;
  }

  title(algorithm: string, duration: Nanoseconds): void {
    this.#io.out(
      `${this.#paint("bold", "lbsim demo")}: three backends, ${algorithm}, ` +
        `${formatDuration(duration)}, all on this machine`,
    );
    this.#io.out("");
  }

  print(event: DemoEvent): void {
    if (this.#quiet) return;
    const [style, text] = story(event);
    const time = `${(event.at_ms / 1000).toFixed(1).padStart(5)} s`;
    const [first = "", ...rest] = wrapped(
      text,
      this.#columns - INDENT,
      "",
    );
    this.#io.out(`${this.#paint("dim", time)}  ${this.#paint(style, first)}`);
    for (const line of rest) this.#io.out(" ".repeat(INDENT) + this.#paint(style, line));
    if (event.type !== "started") return;
    this.#io.out(`${" ".repeat(INDENT)}dashboard: ${event.dashboard}`);
    this.#io.out(`${" ".repeat(INDENT)}its buttons need this token: ${event.token}`);
  }

  hold(): void {
    this.#io.out("");
    this.#io.out(
      "The balancer, the backends, the clients and the dashboard keep running. Ctrl-C ends them.",
    );
  }

  show(state: DemoState): void {
    if (this.#quiet || !this.#io.stdoutIsTerminal) return;
    const line = liveLine(state, this.#io.columns - 1);
    this.#io.status(this.#paint("cyan", line));
  }

  summarise(summary: DemoSummary): void {
    this.#io.status();
    this.#io.out("");
    for (const line of summaryLines(summary)) {
      wrapped(line, this.#columns, " ".repeat(14)).forEach((part) => this.#io.out(part));
    }
    const verdict = summary.interrupted
      ? "ended early"
      : summary.ok
      ? "every connection that could be saved was saved"
      : problemsOf(summary).join("; ");
    this.#io.out("");
    this.#io.out(this.#paint(summary.ok ? "green" : "red", verdict));
  }

  /** The width of the terminal; Infinity if there is no terminal, so that lines are not cut. */
  get #columns(): number {
    return this.#io.stdoutIsTerminal ? this.#io.columns : Infinity;
  }

  #paint(style: Style, text: string): string {
    return this.#io.color && style !== "plain"
      ? styleText(style, text, { validateStream: false })
      : text;
  }
}

/** The width of the time, before the words of a line. */
const INDENT = 9;

type Style = "plain" | "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

function story(event: DemoEvent): [Style, string] {
  switch (event.type) {
    case "started":
      return ["plain", `B1, B2 and B3 are up; the balancer listens on ${event.address}`];
    case "first_answer":
      return ["plain", `12 clients send requests; the first answer: "Hello from ${event.backend}"`];
    case "taken_away":
      return [
        "red",
        `B2 is stopped with ${event.in_flight} connections in flight, which are lost`,
      ];
    case "failed_over":
      return [
        "yellow",
        `failover: a connect to ${event.from} fails, ${event.to} gets the connection, and the client notices nothing`,
      ];
    case "detected":
      return [
        "yellow",
        `B2 is marked as down, ${seconds(event.detection_ms)} after it stopped; until then ` +
        `${event.failed_over} connections failed over, and ${event.noticed} clients got an error`,
      ];
    case "returned":
      return ["green", "B2 is started again; the balancer waits for successful probes"];
    case "failed_back":
      return [
        "green",
        `failback: B2 is marked as up, ${seconds(event.failback_ms)} after its start`,
      ];
    case "serves_again":
      return ["green", "B2 gets connections again"];
  }
}

function summaryLines(summary: DemoSummary): string[] {
  const { latency_ms, client_errors, client_errors_unavoidable, detection_ms, failback_ms } =
    summary;
  const measured = (value: number | null, bound: number) =>
    value === null ? "not seen" : `${seconds(value)} (at most ${seconds(bound)})`;
  return [
    `connections   ${summary.connections}, latency p50 ${latency_ms.p50.toFixed(1)} ms, ` +
    `p99 ${latency_ms.p99.toFixed(1)} ms`,
    ...summary.backends.map(({ id, connections, share }) =>
      `  ${id}  ${String(connections).padStart(9)}  ${(share * 100).toFixed(1).padStart(5)} %  ` +
      "▇".repeat(Math.round(share * 30))
    ),
    `failed over   ${summary.failed_over}`,
    `client errors ${client_errors}, ${client_errors_unavoidable} of them unavoidable (in flight to B2 when it stopped)`,
    `detection     ${measured(detection_ms, summary.detection_bound_ms)}`,
    `failback      ${measured(failback_ms, summary.failback_bound_ms)}`,
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
