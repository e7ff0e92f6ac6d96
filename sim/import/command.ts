import { Argument, Command } from "@commander-js/extra-typings";
import { fileOption, integerOption, type Io, nameOption } from "../../lib/cli/mod.ts";
import { escapeText, LineReader, LineTooLong, UserError } from "../../lib/base/mod.ts";
import { eventLoopTurn, keepWritingTo, systemReason } from "../../lib/io/mod.ts";
import {
  Azure2019,
  Azure2021,
  CsvTable,
  type Durations,
  durationsOf,
  HaproxyLog,
  NGINX_FORMAT,
  NginxLog,
  type Origin,
  ORIGINS,
  recordingOf,
  type TrafficReader,
} from "../../lib/recording/mod.ts";
import { SortedRows } from "./sorted_rows.ts";

/** The longest line of a log. */
const LINE_BYTES_MAX = 1024 * 1024;
const LINES_PER_STEP = 5000;
const LINES_PER_WRITE = 500;
/** The largest number of backends. If there are more names, they are not names of backends. */
const BACKENDS_MAX = 10_000;

/** `lbsim import`: makes a recording from the log of another program. */
export function importCommand(io: Io) {
  return new Command("import")
    .description("Make a recording from the log of another program, and print it.")
    .addArgument(
      new Argument("<format>", "the format of the log").choices(ORIGINS)
        .argParser(nameOption("format", ORIGINS)),
    )
    .argument("<file>", "the log; - for standard input", fileOption)
    .option(
      "--durations <file>",
      "azure-2019: the file function_durations_percentiles…csv of the same day",
      fileOption,
    )
    .option(
      "--seed <n>",
      "azure-2019: the seed with which invocations are drawn",
      integerOption(0),
      1,
    )
    .addHelpText("after", MORE)
    .action(async (format, file, { durations, seed }) => {
      const reader = await readerOf(io, format as Origin, durations, seed);
      await importLog(io, reader, file);
    });
}

const MORE = `
Times in a recording count from its first connection. lbsim counts the lines that
it cannot read, and shows the first of them. It sorts any number of rows in a
limited amount of memory.

  haproxy     \`option tcplog\` and \`option httplog\`
  nginx       the stream module, with this format:
              ${NGINX_FORMAT.replaceAll("\n", "\n             ")}
  csv         a first line with the names of columns: at, client, backend, service
  azure-2021  the Azure Functions invocation trace: app, func, end_timestamp, duration
  azure-2019  invocations_per_function…csv, with --durations

Examples:
  lbsim import haproxy /var/log/haproxy.log > run.jsonl
  lbsim sim --replay run.jsonl --algorithm round-robin,least-connections`;

async function readerOf(
  io: Io,
  format: Origin,
  durations: string | undefined,
  seed: number,
): Promise<TrafficReader> {
  if (durations !== undefined && format !== "azure-2019") {
    throw new UserError("--durations is only for azure-2019", { exitCode: 2 });
  }
  switch (format) {
    case "haproxy":
      return new HaproxyLog();
    case "nginx":
      return new NginxLog();
    case "csv":
      return new CsvTable();
    case "azure-2021":
      return new Azure2021();
    case "azure-2019":
      if (durations === undefined) {
        throw new UserError("azure-2019 needs the durations of the functions, too", {
          exitCode: 2,
          hint: "add --durations function_durations_percentiles.anon.d01.csv",
        });
      }
      return new Azure2019(await readDurations(io, durations), seed);
  }
}

async function readDurations(io: Io, file: string): Promise<Durations> {
  const durations = new Map<string, readonly number[]>();
  for await (const { text } of linesOf(io, file)) {
    const entry = durationsOf(text);
    if (entry !== undefined) durations.set(...entry);
  }
  if (durations.size > 0) return durations;
  throw new UserError(`${escapeText(file)}: there are no durations of functions in it`, {
    exitCode: 2,
  });
}

async function importLog(io: Io, reader: TrafficReader, file: string): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "lbsim-import-" });
  await keepWritingTo([directory]);
  try {
    const rows = new SortedRows(directory);
    const backends = new Set<string>();
    const strange = { count: 0, first: "", line: 0 };
    for await (const { text, line } of linesOf(io, file)) {
      const found = text.trim() === "" ? [] : reader.rows(text);
      if (found === undefined) {
        if (strange.count++ === 0) Object.assign(strange, { first: text, line });
        continue;
      }
      for (const row of found) {
        rows.add(row);
        if (row.backend !== undefined && backends.size < BACKENDS_MAX) backends.add(row.backend);
        if (rows.count % LINES_PER_STEP === 0) await step(io, `${rows.count} connections read`);
      }
    }
    if (strange.count > 0) {
      io.err(
        `lbsim: ${strange.count} ${strange.count === 1 ? "line" : "lines"} of ${
          escapeText(file)
        } not ` +
          `understood; the first is line ${strange.line}:\n  ${
            escapeText(strange.first.slice(0, 200))
          }`,
      );
    }
    if (rows.count === 0) {
      throw new UserError(`${escapeText(file)}: it has no connections in this format`);
    }
    await print(io, recordingOf(rows, { reader, backends, run: crypto.randomUUID() }));
  } finally {
    io.status();
    await Deno.remove(directory, { recursive: true });
  }
}

async function print(io: Io, lines: Iterable<unknown>): Promise<void> {
  let batch: string[] = [];
  let count = 0;
  for (const line of lines) {
    batch.push(JSON.stringify(line));
    if (batch.length < LINES_PER_WRITE) continue;
    io.print(`${batch.join("\n")}\n`);
    batch = [];
    await io.written();
    await step(io, `${count += LINES_PER_WRITE} lines written`);
  }
  if (batch.length > 0) io.print(`${batch.join("\n")}\n`);
}

async function step(io: Io, status: string): Promise<void> {
  io.status(status);
  await eventLoopTurn();
  if (io.signal.aborted) {
    throw new UserError("stopped before the end: the recording is not complete");
  }
}

/** The lines of a file, or of standard input. */
async function* linesOf(
  io: Io,
  file: string,
): AsyncGenerator<{ readonly text: string; readonly line: number }> {
  const opened = file === "-" ? undefined : await open(file);
  try {
    const reader = new LineReader(opened ?? Deno.stdin, LINE_BYTES_MAX);
    const decoder = new TextDecoder();
    for (let line = 1;; line++) {
      const bytes = await reader.next();
      if (bytes === null) return;
      if (line % LINES_PER_STEP === 0) await step(io, `${line} lines read`);
      yield { text: decoder.decode(bytes), line };
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    throw new UserError(`${escapeText(file)}: this is not a log: it has a line of more than 1 MB`, {
      exitCode: 2,
    });
  } finally {
    opened?.close();
  }
}

async function open(file: string): Promise<Deno.FsFile> {
  try {
    if ((await Deno.stat(file)).isDirectory) throw new Error("it is a directory");
    return await Deno.open(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : systemReason(error);
    throw new UserError(`${escapeText(file)}: ${reason}`, { exitCode: 2 });
  }
}
