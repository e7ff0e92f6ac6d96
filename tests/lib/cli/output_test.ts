import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { type Lost, Output } from "../../../lib/cli/output.ts";

/** A stream. If `reads` is false, its reader takes a write only when `take` is called. */
class ManualSink {
  readonly written: string[] = [];
  readonly #pending: { bytes: Uint8Array; done: PromiseWithResolvers<number> }[] = [];
  reads = true;

  write(bytes: Uint8Array): Promise<number> {
    const done = Promise.withResolvers<number>();
    this.#pending.push({ bytes, done });
    if (this.reads) this.take();
    return done.promise;
  }

  get text(): string {
    return this.written.join("");
  }

  get waiting(): number {
    return this.#pending.length;
  }

  take(length = Infinity): void {
    const { bytes, done } = this.#pending.shift()!;
    const taken = bytes.subarray(0, length);
    this.written.push(new TextDecoder().decode(taken));
    done.resolve(taken.length);
  }

  fail(error: Error): void {
    this.#pending.shift()!.done.reject(error);
  }
}

const dropped = (count: number) => `${count} dropped`;
const never = () => assert.fail("no write fails here");

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

function stuck(failed: (error: unknown, lost: Lost) => boolean = never, logMax?: number) {
  const sink = new ManualSink();
  sink.reads = false;
  const output = new Output(sink, { failed, ...logMax !== undefined && { logMax } });
  return { sink, output };
}

Deno.test("Output.write() combines texts that come at the same time into one write, in their order", async () => {
  const sink = new ManualSink();
  const output = new Output(sink, { failed: never });
  output.write("a\n");
  output.write("b\n");
  await output.written();
  output.write("c\n");
  await output.written();
  assert.deepEqual(sink.written, ["a\nb\n", "c\n"]);
});

Deno.test("Output.write() keeps text for a reader that has stopped reading", async () => {
  const { sink, output } = stuck();
  const line = `${"x".repeat(1000)}\n`;
  output.write("first\n");
  await settle();
  for (let i = 0; i < 5000; i++) output.write(line);
  await settle();
  assert.equal(sink.waiting, 1, "one write is under way at a time");
  assert.ok(output.owesText);
  sink.reads = true;
  sink.take();
  await output.written();
  assert.equal(sink.text, `first\n${line.repeat(5000)}`);
  assert.ok(!output.owesText);
});

Deno.test("Output.log() drops the oldest lines and says how many", async () => {
  const { sink, output } = stuck(never, 100);
  output.log("0 under way", dropped);
  await settle();
  for (let i = 1; i <= 1000; i++) output.log(`line ${String(i).padStart(4, "0")}`, dropped);
  assert.equal(output.unwrittenLogLines, 1001);
  sink.reads = true;
  sink.take();
  await output.written();
  assert.equal(output.unwrittenLogLines, 0);
  const lines = sink.text.trimEnd().split("\n");
  assert.equal(lines[0], "0 under way");
  assert.equal(lines[1], "990 dropped");
  assert.deepEqual(
    lines.slice(2),
    Array.from({ length: 10 }, (_, i) => `line ${991 + i}`)
      .map((line) => line.replace(/\d+/, (number) => number.padStart(4, "0"))),
  );
});

Deno.test("Output.log() drops a line that is longer than the whole buffer", async () => {
  const { sink, output } = stuck(never, 100);
  output.log("0", dropped);
  await settle();
  output.log("x".repeat(101), dropped);
  sink.reads = true;
  sink.take();
  await output.written();
  assert.equal(sink.text, "0\n1 dropped\n");
});

Deno.test("Output.log() gathers lines for one write", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const sink = new ManualSink();
    const output = new Output(sink, { failed: never });
    output.log("at once", dropped);
    await settle();
    assert.deepEqual(sink.written, ["at once\n"]);
    sink.reads = false;
    output.log("a", dropped);
    await settle();
    output.log("b", dropped);
    sink.reads = true;
    sink.take();
    await settle();
    output.log("c", dropped);
    await settle();
    assert.deepEqual(sink.written, ["at once\n", "a\n"], "b and c wait for more");
    await clock.tickAsync(10);
    await settle();
    assert.deepEqual(sink.written, ["at once\n", "a\n", "b\nc\n"]);
    await output.written();
  } finally {
    clock.uninstall();
  }
});

Deno.test("Output.write() writes the rest of a text of which the reader took only a part", async () => {
  const { sink, output } = stuck();
  output.write("abcdef");
  await settle();
  sink.take(2);
  await settle();
  sink.take(1);
  await settle();
  sink.take();
  await output.written();
  assert.deepEqual(sink.written, ["ab", "c", "def"]);
});

Deno.test("Output.write() tries again when a non-blocking stream is full", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { sink, output } = stuck();
    output.write("abc");
    await settle();
    sink.fail(new Deno.errors.WouldBlock("full"));
    await settle();
    assert.equal(sink.waiting, 0);
    await clock.tickAsync(20);
    sink.take();
    await output.written();
    assert.equal(sink.text, "abc");
  } finally {
    clock.uninstall();
  }
});

Deno.test("after a failed write, Output.log() counts its lines as dropped, and later writes their number", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const failures: Lost[] = [];
    const { sink, output } = stuck((_error, lost) => failures.push(lost) > 0);
    output.log("a", dropped);
    output.log("b", dropped);
    await settle();
    sink.fail(new Error("No space left on device"));
    await settle();
    output.log("c", dropped);
    await clock.tickAsync(1020);
    sink.fail(new Error("No space left on device"));
    await settle();
    await clock.tickAsync(1020);
    sink.take();
    await output.written();
    assert.deepEqual(failures, ["log", "log"]);
    assert.equal(sink.text, "3 dropped\n");
  } finally {
    clock.uninstall();
  }
});

Deno.test("Output.written() resolves when the output is closed by a failure", async () => {
  const failures: Lost[] = [];
  const { sink, output } = stuck((_error, lost) => {
    failures.push(lost);
    return false;
  });
  output.write("a\n");
  output.log("b", dropped);
  await settle();
  const written = output.written();
  sink.fail(new Deno.errors.BrokenPipe("gone"));
  await written;
  output.write("c\n");
  output.log("d", dropped);
  await output.written();
  assert.deepEqual(failures, ["text"]);
  assert.equal(sink.waiting, 0, "nothing is written any more");
  assert.ok(!output.owesText);
});

Deno.test("Output.stopWaiting() ends a wait for a reader that has stopped reading", async () => {
  const { sink, output } = stuck();
  output.write("a\n");
  await settle();
  const written = output.written();
  output.stopWaiting();
  await written;
  assert.ok(output.owesText);
  sink.take();
  await output.written();
});

Deno.test("Output.status() shows one line below all others", async () => {
  const sink = new ManualSink();
  const output = new Output(sink, { failed: never });
  const clear = "\r\x1b[2K";
  output.status("1 %");
  await output.written();
  output.status("2 %");
  output.status("3 %");
  await output.written();
  output.write("a line\n");
  await output.written();
  output.status("");
  await output.written();
  output.write("the end\n");
  await output.written();
  assert.deepEqual(sink.written, [
    "1 %",
    `${clear}3 %`,
    `${clear}a line\n3 %`,
    clear,
    "the end\n",
  ]);
});
