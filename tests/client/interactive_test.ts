/** The interactive client in a terminal, connected to a balancer with two backends. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { BackendServer } from "../../backend/server.ts";
import { hold, type Session, type Terminal } from "../../client/interactive.ts";
import type { Exchange } from "../../client/session.ts";
import type { Io } from "../../lib/cli/mod.ts";
import { formatAddress } from "../../lib/base/address.ts";
import { createRandom } from "../../lib/base/mod.ts";
import { balance, UNPROBED } from "../support/balance.ts";
import { lbsimArgs } from "../support/process.ts";
import { eventually } from "../support/sockets.ts";
import { InTerminal } from "../support/terminal.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Two backends, a balancer in front of them, and a client in a terminal that has sent its first line. */
async function conversation(
  test: (client: InTerminal, first: BackendServer, others: string) => Promise<void>,
): Promise<void> {
  const servers = ["B1", "B2"].map((id) => new BackendServer(id, {}, createRandom(1)));
  const addresses = servers.map((server) => server.start(LOOPBACK));
  try {
    await using one = await balance(addresses, UNPROBED);
    await using client = new InTerminal([
      Deno.execPath(),
      ...lbsimArgs(["client", formatAddress(one.balancer.address)]),
    ]);
    await client.shows(/> /);
    await client.type("one\r");
    await client.shows(/answered by B\d in/);
    const id = /Hello from (B\d): one/.exec(client.screen)![1];
    const first = servers.find((server) => server.id === id)!;
    await test(client, first, servers.find((server) => server !== first)!.id);
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
}

const LINUX = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "converse() says when a backend closes the connection, and the next line reaches another",
  LINUX,
  () =>
    conversation(async (client, first, other) => {
      await first.kill();
      const noted = await client.shows(new RegExp(`${first.id} closed the connection`));
      await client.type("two\r");
      await client.shows(
        new RegExp(`reconnected \\(connection 2\\)\\s+Hello from ${other}: two`),
        noted,
      );
      await client.type("\x04");
      await client.shows(/2 lines, 2 answers \(/);
      assert.equal(await client.ended(), 0);
      assert.doesNotMatch(client.screen, /no answer/);
    }),
);

Deno.test(
  "converse() keeps the typed text when a backend closes the connection",
  LINUX,
  () =>
    conversation(async (client, first, other) => {
      const long = "x".repeat(150); // More than a row.
      await client.type(long);
      const typed = await client.shows(/x{20}/);
      await first.kill();
      const noted = await client.shows(/closed the connection[^\n]*\n/, typed);
      await client.shows(/x{20}/, noted);
      await client.type("yz\r");
      await client.shows(new RegExp(`Hello from ${other}: ${long}yz`), noted);
    }),
);

Deno.test(
  "converse() keeps the text that was typed while an answer was awaited, and the user can continue it",
  LINUX,
  () =>
    conversation(async (client, first) => {
      const from = client.screen.length;
      await client.type("two\rabc");
      const answered = await client.shows(new RegExp(`Hello from ${first.id}: two`), from);
      await client.shows(/> abc/, answered);
      await client.type("de\r");
      await client.shows(new RegExp(`Hello from ${first.id}: abcde`), answered);
    }),
);

Deno.test(
  "converse() sends all pasted lines in order",
  LINUX,
  () =>
    conversation(async (client, first) => {
      await client.type("a\rb\rc\r");
      let from = await client.shows(/answered by/);
      for (const line of ["a", "b", "c"]) {
        from = await client.shows(new RegExp(`Hello from ${first.id}: ${line}`), from);
      }
      await client.type("\x03");
      await client.shows(/4 lines, 4 answers/);
      assert.equal(await client.ended(), 0);
      // deno-lint-ignore no-control-regex -- it finds sequences that move the cursor
      assert.doesNotMatch(client.screen.replaceAll(/\x1b\[\d*[A-Z]/g, ""), /> *Hello/);
    }),
);

/** A terminal on which a test types. Like a real one, it accepts no prompt when it is closed. */
class FakeTerminal extends EventEmitter {
  prompts = 0;
  #isClosed = false;
  readonly #lines: ReadableStream<string>;
  #controller: ReadableStreamDefaultController<string> | undefined;

  constructor() {
    super();
    this.#lines = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
    });
  }

  enter(line: string): void {
    this.emit("line", line);
    this.#controller!.enqueue(line);
  }

  prompt(): void {
    assert.ok(!this.#isClosed, "a closed terminal takes no prompt");
    this.prompts++;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#controller!.close();
    this.emit("close");
  }

  getCursorPos() {
    return { rows: 0, cols: 2 };
  }

  [Symbol.asyncIterator]() {
    return this.#lines[Symbol.asyncIterator]();
  }
}

/** A conversation in which the test decides when an answer comes, and when the output has been written. */
class FakeConversation {
  readonly terminal = new FakeTerminal();
  readonly printed: string[] = [];
  readonly #answers: PromiseWithResolvers<Exchange>[] = [];
  #writes: PromiseWithResolvers<void>[] = [];
  isSessionClosed = false;
  readonly ended: Promise<void>;

  constructor() {
    const session: Session = {
      counts: { lines: 1, answers: 1, connections: 1 },
      backends: new Map([["B1", 1]]),
      send: () => {
        const answer = Promise.withResolvers<Exchange>();
        this.#answers.push(answer);
        return answer.promise;
      },
      close: () => void (this.isSessionClosed = true),
    };
    const io = {
      out: (line: string) => void this.printed.push(line),
      written: () => {
        const write = Promise.withResolvers<void>();
        this.#writes.push(write);
        return write.promise;
      },
      signal: new AbortController().signal,
      color: false,
    } as unknown as Io;
    this.ended = hold(this.terminal as unknown as Terminal, () => session, "10.0.0.1:80", io);
  }

  /** Waits until a line was sent. */
  sent(): Promise<void> {
    return eventually(() => this.#answers.length > 0, "a line was sent");
  }

  /** Waits until output is being written. */
  writes(): Promise<void> {
    return eventually(() => this.#writes.length > 0, "something is being written");
  }

  answer(text: string): void {
    const exchange = { line: "one", answer: text, backend: "B1", connection: 1, ms: 1 };
    this.#answers.shift()!.resolve(exchange);
  }

  /** All output so far has been written. */
  write(): void {
    this.#writes.splice(0).forEach(({ resolve }) => resolve());
  }
}

/** A conversation in which a line has been answered, and the answer is being written. */
async function whileAnswerIsWritten(): Promise<FakeConversation> {
  const conversation = new FakeConversation();
  conversation.terminal.enter("one");
  await conversation.sent();
  conversation.answer("Hello from B1: one");
  await conversation.writes();
  return conversation;
}

const SUMMARY = "\n1 lines, 1 answers (B1 1)";

Deno.test("hold() prompts again when an answer has been written", async () => {
  const conversation = await whileAnswerIsWritten();
  const { terminal, printed } = conversation;
  assert.equal(terminal.prompts, 1, "not before it is written");
  conversation.write();
  await eventually(() => terminal.prompts === 2, "it prompts again");
  terminal.close();
  await conversation.ended;
  assert.deepEqual(printed, [
    "Hello from B1: one",
    "  answered by B1 in 1.0 ms",
    SUMMARY,
  ]);
});

Deno.test("hold() ends when Ctrl-D comes while an answer is being written", async () => {
  const conversation = await whileAnswerIsWritten();
  const { terminal, printed } = conversation;
  terminal.close();
  assert.ok(conversation.isSessionClosed);
  conversation.write();
  await conversation.ended;
  assert.equal(terminal.prompts, 1);
  assert.deepEqual(printed, ["Hello from B1: one", "  answered by B1 in 1.0 ms", SUMMARY]);
});

Deno.test("hold() shows no answer that arrives after the conversation has ended", async () => {
  const conversation = new FakeConversation();
  const { terminal, printed } = conversation;
  terminal.enter("one");
  await conversation.sent();
  terminal.close();
  assert.ok(conversation.isSessionClosed);
  conversation.answer("Hello from B1: one");
  await conversation.ended;
  assert.equal(terminal.prompts, 1);
  assert.deepEqual(printed, [SUMMARY]);
});
