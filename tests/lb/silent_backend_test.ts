/** The live balancer also learns from missing answers. */
import assert from "node:assert/strict";
import { algorithmNamed } from "../../lib/config/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import { acquire } from "../support/phases.ts";
import { balance, UNPROBED } from "../support/balance.ts";
import { echo, eventually, readAll, TestServer } from "../support/sockets.ts";

/** How long a client waits for an answer. */
const PATIENCE = 300 * NS_PER_MS;

/** Sends a greeting, and then nothing. */
const greet = async (connection: Deno.TcpConn) => {
  await connection.write(new TextEncoder().encode("220 ready\r\n"));
  await readAll(connection);
};

/** A backend that answers nothing. */
class SilentServer extends TestServer {
  /** One element for each connection on which bytes were read. */
  readonly asked: number[];
  /** One element for each connection whose client has finished. */
  readonly finished: number[];

  /** @param rest Called when the client has finished; the connection stays open until it resolves. */
  constructor(rest: () => Promise<void> = () => Promise.resolve()) {
    const asked: number[] = [];
    const finished: number[] = [];
    super(async (connection) => {
      if (await connection.read(new Uint8Array(100)) !== null) {
        asked.push(1);
        await readAll(connection);
      }
      finished.push(1);
      await rest();
    });
    this.asked = asked;
    this.finished = finished;
  }
}

/** A balancer with one silent backend, on a clock that only the test moves. */
async function lab(name: "peak-ewma" | "prequal", silent: SilentServer, others: TestServer[]) {
  let now = 0;
  const overrides = { ...UNPROBED, algorithm: algorithmNamed(name) };
  const addresses = [silent, ...others].map(({ address }) => address);
  const world = await balance(addresses, overrides, undefined, () => now);
  const { host: hostname, port } = world.balancer.address;
  return {
    ...world,
    /** A client comes, and leaves when it has an answer or has waited for `PATIENCE`. */
    async client(text: string): Promise<void> {
      const opened = world.of("connection_opened").length;
      const [asked, finished] = [silent.asked.length, silent.finished.length];
      const connection = await Deno.connect({ hostname, port });
      if (text !== "") await connection.write(new TextEncoder().encode(text));
      const answer = connection.read(new Uint8Array(100)).catch(() => null);
      await eventually(() => world.of("connection_opened").length > opened, "it has a backend");
      if (world.of("connection_opened").at(-1)!.backend !== "B1") {
        await answer;
        connection.close();
        return;
      }
      if (text !== "") await eventually(() => silent.asked.length > asked, "it has asked");
      now += PATIENCE;
      connection.close();
      await answer;
      await eventually(() => silent.finished.length > finished, "it has left");
    },
  };
}

for (const name of ["peak-ewma", "prequal"] as const) {
  for (
    const [kind, works, text] of [
      ["an answer", echo, "hello"],
      ["a greeting", greet, ""],
    ] as const
  ) {
    Deno.test(`Balancer with ${name} avoids a backend that does not send ${kind}`, async () => {
      await using one = new SilentServer();
      await using two = new TestServer(works);
      await using world = await lab(name, one, [two]);
      for (let i = 0; i < 30; i++) await world.client(text);
      assert.ok(one.accepted <= 4, `${one.accepted} of ${one.accepted + two.accepted}`);
    });
  }
}

for (const name of ["peak-ewma", "prequal"] as const) {
  Deno.test(`Balancer with ${name} avoids a silent backend that does not even close its connections`, async () => {
    const { promise: isOver, resolve: over } = Promise.withResolvers<void>();
    // Like a stopped process: its kernel accepts all bytes, and nothing comes back.
    await using one = new SilentServer(() => isOver);
    await using two = new TestServer(echo);
    await using three = new TestServer(echo);
    await using world = await lab(name, one, [two, three]);
    try {
      for (let i = 0; i < 40; i++) await world.client("hello");
      assert.ok(one.accepted <= 4, `${one.accepted} of 40`);
    } finally {
      over();
    }
  });
}

Deno.test("Balancer does not count the time of an idle client as a slow answer", async () => {
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  let now = 0;
  const overrides = { ...UNPROBED, algorithm: algorithmNamed("peak-ewma") };
  const addresses = [one.address, two.address];
  await using world = await balance(addresses, overrides, undefined, () => now);
  const { address, scheduler } = world.balancer;
  const costs = () => {
    const found = new Map<string, number>();
    const trace = { considered: ({ id }: { id: string }, cost: number) => found.set(id, cost) };
    const lease = acquire(scheduler, "probe", 0, { ...trace, decided() {} });
    lease.leave(0);
    return [...found.values()];
  };
  for (const idleFirst of [true, false]) {
    const connections = await Promise.all(
      [0, 1].map(() => Deno.connect({ hostname: address.host, port: address.port })),
    );
    const opened = idleFirst ? 2 : 4;
    await eventually(() => world.of("connection_opened").length === opened, "both are connected");
    now += 400 * NS_PER_MS;
    for (const connection of connections) {
      if (idleFirst) {
        await connection.write(new TextEncoder().encode("late"));
        await connection.read(new Uint8Array(10));
      }
      connection.close();
    }
  }
  assert.ok(costs().every((cost) => cost < 200e6), `${costs()}`);
});
