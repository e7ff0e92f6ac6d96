import assert from "node:assert/strict";
import { ActiveFaults, effectOf, NO_EFFECT, type ServerFault } from "../../../lib/fault/mod.ts";

Deno.test("effectOf() multiplies slowness and success", () => {
  const faults: ServerFault[] = [
    { name: "slow", factor: 2 },
    { name: "gray", rate: 0.5, factor: 3 },
    { name: "fail-rate", rate: 0.5 },
    { name: "fast-errors", rate: 0.25 },
  ];
  assert.deepEqual(effectOf(faults), {
    ...NO_EFFECT,
    gray: true,
    slowness: 6,
    failRate: 0.75,
    probeFailRate: 0.5,
    fastErrorRate: 0.25,
  });
});

Deno.test("ActiveFaults ends each fault at its own time, and not before", () => {
  const faults = new ActiveFaults();
  const hang = faults.begin({ name: "hang" }, 100, 50);
  const crash = faults.begin({ name: "crash" }, 120, Infinity);
  assert.equal(faults.nextChange(120), 150);
  assert.deepEqual(faults.passTime(149), []);
  assert.equal(faults.effect(149).silent, true);
  assert.deepEqual(faults.passTime(150), [hang]);
  assert.deepEqual(faults.effect(150), { ...NO_EFFECT, down: true });
  assert.equal(faults.nextChange(150), Infinity);
  assert.equal(faults.end(hang), false);
  assert.equal(faults.end(crash), true);
  assert.deepEqual(faults.all, []);
  assert.deepEqual(faults.effect(200), NO_EFFECT);
});

Deno.test("ActiveFaults: a flapping backend is down for the first share of every period", () => {
  const faults = new ActiveFaults();
  faults.begin({ name: "flap", period: 10, down: 0.3 }, 100, 1000);
  const isDown = Array.from({ length: 20 }, (_, i) => faults.effect(100 + i).down);
  assert.deepEqual(isDown, [...Array(2)].flatMap(() => [...Array(10)].map((_, i) => i < 3)));
  const changes: number[] = [];
  for (let now = 100; changes.length < 4; changes.push(now)) now = faults.nextChange(now);
  assert.deepEqual(changes, [103, 110, 113, 120]);
});

Deno.test("ActiveFaults: a flap that is always or never down changes only at its end", () => {
  for (const down of [0, 1]) {
    const faults = new ActiveFaults();
    faults.begin({ name: "flap", period: 10, down }, 0, 1000);
    assert.equal(faults.nextChange(5), 1000);
    assert.equal(faults.effect(5).down, down === 1);
  }
});
