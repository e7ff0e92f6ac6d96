/** Random clients of a live balancer: in any case, each connection arrives once and ends once. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { createRandom, NS_PER_S } from "../../lib/base/mod.ts";
import { monotonicNow } from "../../lib/io/mod.ts";
import { balance, UNPROBED } from "../support/balance.ts";
import { configOf } from "../support/config.ts";
import { TRUSTING } from "../support/proxied.ts";
import { askedSeed, newSeed, seedOfCommit } from "../support/seeds.ts";
import { abortable, deadAddress, echo, eventually, TestServer } from "../support/sockets.ts";

const STEPS = 60;

/** Clients come and leave as drawn from a seed; then the balancer stops. */
async function play(seed: number): Promise<void> {
  const random = createRandom(seed);
  const draw = (count: number) => Math.floor(random.next() * count);
  const isProxied = draw(2) === 0;
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  const addresses = [one.address, deadAddress(), two.address];
  await using lab = await balance(addresses, {
    ...UNPROBED,
    ...isProxied ? TRUSTING : {},
    backends: configOf(addresses).backends.map((backend) => ({
      ...backend,
      maxConnections: 1 + draw(3),
    })),
    queue: { length: 1 + draw(4), timeout: 60 * NS_PER_S },
    retries: draw(3),
    limits: { connections: 5 + draw(10) },
  });
  const { address, scheduler } = lab.balancer;
  const clients: Socket[] = [];
  for (let step = 0; step < STEPS; step++) {
    const action = draw(10);
    if (action < 4) {
      const client = await abortable(address);
      client.on("error", () => {}); // If the balancer refuses it, its connection is reset.
      client.resume();
      clients.push(client);
      if (isProxied && draw(4) > 0) {
        client.write(`PROXY TCP4 10.0.0.${draw(9)} 10.0.0.99 5000 80\r\n`);
      }
      if (draw(3) > 0) client.write("x");
    } else if (action < 9) {
      const [client] = clients.splice(draw(clients.length), 1);
      if (draw(2) === 0) client?.end();
      else client?.resetAndDestroy();
    } else scheduler.setMode("B1", draw(2) === 0 ? "drain" : "ready", monotonicNow());
  }
  const came = clients.length;
  for (const client of clients) client.destroy();
  await eventually(() => scheduler.waiting === 0, `the last of ${came} clients that wait has left`);
  await lab.balancer.stop(AbortSignal.abort());
  const numbers = lab.of("connection_arrived").map(({ connection }) => connection);
  assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
  const ends = (["connection_closed", "connection_refused", "connection_left"] as const)
    .flatMap((type) => lab.of(type).map(({ connection }) => connection));
  assert.deepEqual(ends.toSorted((a, b) => a - b), numbers);
}

Deno.test("Balancer emits the arrival of each connection once, and its end once", async () => {
  const asked = askedSeed();
  const seeds = asked === undefined ? [newSeed(), await seedOfCommit()] : [asked];
  console.log(`seeds: ${seeds.join(", ")}`);
  for (const seed of seeds) await play(seed);
});
