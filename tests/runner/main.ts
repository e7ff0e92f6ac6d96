/**
 * `deno task test`: runs each test file in a process of its own, two at a time, and adds up their results.
 *
 * It prints one line for each file, and the whole report of a file in which something failed, as soon as the file
 * has ended. With arguments it is `deno test` with these arguments, as in `deno task test tests/lb`.
 */
import deno from "../../deno.json" with { type: "json" };
import { TextLineStream } from "../support/text_line_stream.ts";
import { Lanes } from "./lanes.ts";
import { closingLine, type FileResult, resultOf, sumOf } from "./result.ts";

const ROOT = new URL("../../", import.meta.url);

/** The arguments of the task that runs some files. */
const [, ...DENO_TEST] = deno.tasks["test:files"].command.split(" ");

/** A file that runs longer than this hangs. It is stopped, and has failed. */
const LIMIT_MINUTES = 10;

/** The signals that stop this program, and with it the tests that are running. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** A test file that is running. */
interface Running {
  readonly process: Deno.ChildProcess;
  readonly lines: string[];
}

/** All test files below a folder: paths relative to the root, with slashes. */
export function testFiles(folder = "tests/"): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(`${folder}${name}/`);
    return name.endsWith("_test.ts") ? [`${folder}${name}`] : [];
  }).sort();
}

/** Runs `deno test` with these arguments, with the output on this terminal. Returns its exit code. */
async function runDeno(args: readonly string[]): Promise<number> {
  const process = new Deno.Command(Deno.execPath(), { args: [...DENO_TEST, ...args] }).spawn();
  const stop = stopping(() => [process]);
  const { code } = await process.status;
  stop.end();
  return code;
}

/** Runs all files. Returns the exit code. */
async function runAll(files: readonly string[]): Promise<number> {
  const started = performance.now();
  const lanes = new Lanes(files);
  const running = new Map<string, Running>();
  const results: FileResult[] = [];
  const stop = stopping(() => [...running.values()].map(({ process }) => process));

  async function lane(number: number): Promise<void> {
    for (let file = lanes.next(number); file !== undefined; file = lanes.next(number)) {
      const begun = performance.now();
      const { lines, code } = await runFile(file, running);
      if (stop.signal !== undefined) {
        console.log(`\n${lines.join("\n")}\n${file} ... stopped`);
        return;
      }
      const result = resultOf(file, lines, code);
      results.push(result);
      printFile(file, result, lines, (performance.now() - begun) / 1000);
    }
  }
  const count = Math.min(2, navigator.hardwareConcurrency);
  await Promise.all(Array.from({ length: count }, (_, number) => lane(number)));
  stop.end();

  const failures = results.flatMap(({ failures }) => failures);
  if (failures.length > 0) console.log(`\nFAILURES\n${failures.join("\n")}`);
  if (stop.signal !== undefined) {
    console.log(`\nstopped by ${stop.signal}: ${results.length} of ${files.length} files have run`);
    return 130;
  }
  const sum = sumOf(results);
  console.log(`\n${closingLine(sum, (performance.now() - started) / 1000)}`);
  return sum.failed === 0 ? 0 : 1;
}

/** Runs one file to its end. */
async function runFile(
  file: string,
  running: Map<string, Running>,
): Promise<{ readonly lines: readonly string[]; readonly code: number }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...DENO_TEST, file],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  running.set(file, { process, lines });
  const limit = setTimeout(() => {
    lines.push(`it ran for ${LIMIT_MINUTES} minutes and was stopped`);
    process.kill("SIGKILL");
  }, LIMIT_MINUTES * 60_000);
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const text = stream.pipeThrough(new TextDecoderStream() as never);
    for await (const line of text.pipeThrough(new TextLineStream())) lines.push(line);
  };
  const [{ code }] = await Promise.all([
    process.status,
    read(process.stdout),
    read(process.stderr),
  ]);
  clearTimeout(limit);
  running.delete(file);
  return { lines, code };
}

function printFile(
  file: string,
  { passed, failed, skipped }: FileResult,
  lines: readonly string[],
  seconds: number,
): void {
  if (failed > 0) console.log(`\n${lines.join("\n")}\n`);
  const outcome = failed > 0 ? `FAILED ${failed} of ${passed + failed}` : `ok ${passed}`;
  console.log(`${file} ... ${outcome} (${seconds.toFixed(1)}s)`);
  for (const name of skipped) console.log(`${name} ... ignored`);
}

/** Passes the signals that stop this program on to processes, until `end` is called. */
function stopping(processes: () => readonly Deno.ChildProcess[]) {
  let signal: Deno.Signal | undefined;
  const listeners = SIGNALS.map((name) => {
    const listener = () => {
      signal = name;
      for (const process of processes()) {
        try {
          process.kill(name);
        } catch (error) {
          if (!(error instanceof TypeError)) throw error; // The process has ended already.
        }
      }
    };
    Deno.addSignalListener(name, listener);
    return () => Deno.removeSignalListener(name, listener);
  });
  return {
    /** The signal that came; undefined if none came. */
    get signal() {
      return signal;
    },
    end: () => listeners.forEach((remove) => remove()),
  };
}

if (import.meta.main) {
  Deno.exitCode = Deno.args.length > 0 ? await runDeno(Deno.args) : await runAll(testFiles());
}
