/** The live balancer learns from answers that do not come. */
import assert from "node:assert/strict";
import type { Address } from "../../lib/base/address.ts";
import { ALGORITHM_DEFAULTS } from "../../lib/core/mod.ts";
import { acquire } from "../support/scheduling.ts";
import { balance, UNPROBED } from "../support/balance.ts";
import { echo, readAll, TestServer } from "../support/sockets.ts";

/** Reads all and answers nothing. */
const silent = async (connection: Deno.TcpConn) => void await readAll(connection);

/** Says something first, and then no more. */
const greet = async (connection: Deno.TcpConn) => {
  await connection.write(new TextEncoder().encode("220 ready\r\n"));
  await readAll(connection);
};

/** A client that leaves when it has an answer, or has waited for it for so long. */
async function client({ host, port }: Address, text: string, patienceMs: number): Promise<void> {
  const connection = await Deno.connect({ hostname: host, port });
  if (text !== "") await connection.write(new TextEncoder().encode(text));
  const answer = connection.read(new Uint8Array(100)).catch(() => null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([
    answer,
    new Promise((resolve) => timer = setTimeout(resolve, patienceMs)),
  ]);
  clearTimeout(timer);
  connection.close();
  await answer;
}

for (const name of ["peak-ewma", "prequal"] as const) {
  for (
    const [kind, works, text] of [
      ["an answer", echo, "hello"],
      ["a greeting", greet, ""],
    ] as const
  ) {
    Deno.test(`Balancer with ${name} avoids a backend from which ${kind} does not come`, async () => {
      await using one = new TestServer(silent);
      await using two = new TestServer(works);
      await using lab = await balance([one.address, two.address], {
        ...UNPROBED,
        algorithm: { ...ALGORITHM_DEFAULTS, name },
      });
      for (let i = 0; i < 30; i++) await client(lab.balancer.address, text, 300);
      assert.ok(one.accepted <= 4, `${one.accepted} of ${one.accepted + two.accepted}`);
    });
  }
}

for (const name of ["peak-ewma", "prequal"] as const) {
  Deno.test(`Balancer with ${name} avoids a backend that does not even close`, async () => {
    const { promise: isOver, resolve: over } = Promise.withResolvers<void>();
    // As a stopped process: its kernel takes everything in, and nothing comes back.
    await using one = new TestServer(() => isOver);
    await using two = new TestServer(echo);
    await using three = new TestServer(echo);
    await using lab = await balance([one.address, two.address, three.address], {
      ...UNPROBED,
      algorithm: { ...ALGORITHM_DEFAULTS, name },
    });
    try {
      for (let i = 0; i < 40; i++) await client(lab.balancer.address, "hello", 300);
      assert.ok(one.accepted <= 4, `${one.accepted} of 40`);
    } finally {
      over();
    }
  });
}

Deno.test("Balancer takes an idle client for no slow answer", async () => {
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  await using lab = await balance([one.address, two.address], {
    ...UNPROBED,
    algorithm: { ...ALGORITHM_DEFAULTS, name: "peak-ewma" },
  });
  const { address, scheduler } = lab.balancer;
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
    await new Promise((resolve) => setTimeout(resolve, 400));
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
