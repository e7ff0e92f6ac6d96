import assert from "node:assert/strict";
import { LoopBudget } from "../../../lb/relay/loop_budget.ts";
import { socketPair } from "../../support/sockets.ts";

Deno.test("LoopBudget.spend() returns false when the budget is used up", () => {
  const budget = new LoopBudget(100);
  assert.equal(budget.spend(60), true);
  assert.equal(budget.spend(40), false);
  assert.equal(budget.spend(1), false);
});

Deno.test("LoopBudget.wait() resumes all waiting work once, with a new budget", async () => {
  const budget = new LoopBudget(100);
  budget.spend(500);
  const resumed: string[] = [];
  await new Promise<void>((resolve) => {
    budget.wait({ resume: () => resumed.push("one") });
    budget.wait({ resume: () => resumed.push("two") });
    budget.wait({ resume: resolve });
  });
  assert.deepEqual(resumed, ["one", "two"]);
  assert.equal(budget.spend(99), true);
  budget.rest();
});

Deno.test("LoopBudget lets the event loop see other connections at each turn of work that is always ready", async () => {
  const budget = new LoopBudget(1);
  let turns = 0;
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const work = {
      resume() {
        turns++;
        budget.spend(1);
        if (isOver) resolve();
        else budget.wait(work);
      },
    };
    work.resume();
  });
  const [near, far] = await socketPair();
  const before = turns;
  const roundTrips = 50;
  for (let i = 0; i < roundTrips; i++) {
    const [count] = await Promise.all([far.read(new Uint8Array(1)), near.write(new Uint8Array(1))]);
    assert.equal(count, 1);
  }
  const taken = turns - before;
  isOver = true;
  await ended;
  near.close();
  far.close();
  budget.rest();
  assert.ok(taken <= 20 * roundTrips, `${taken} turns for ${roundTrips} round trips`);
});
