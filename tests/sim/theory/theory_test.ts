import assert from "node:assert/strict";
import { manyServersSojourn, shortestOf } from "../../../sim/theory/shortest_queue.ts";
import {
  closedLoop,
  erlangB,
  erlangC,
  failoverLoss,
  flapping,
  gm1,
  mg1Wait,
  mmc,
  mmckLoss,
  roundRobin,
  sharedSojourn,
  type Sojourn,
} from "../../../sim/theory/theory.ts";

/** Compares as many digits as the expected number has. */
function assertDigits(actual: number, expected: string): void {
  const digits = expected.split(".")[1]?.length ?? 0;
  assert.equal(actual.toFixed(digits), Number(expected).toFixed(digits));
}

function assertSojourn(sojourn: Sojourn, mean: string, p99: string): void {
  assertDigits(sojourn.mean, mean);
  assertDigits(sojourn.quantile(0.99), p99);
}

Deno.test("mmc() gives M/M/1 and M/M/c", () => {
  assertSojourn(mmc(1, 0.5, 1), "2", "9.210340");
  assertSojourn(mmc(1, 0.7, 1), "3.333333", "15.350567");
  assertSojourn(mmc(1, 0.8, 1), "5", "23.025851");
  assertSojourn(mmc(2, 1.6, 1), "2.777778", "11.937370");
  assertSojourn(mmc(5, 4, 1), "1.554113", "6.079663");
});

Deno.test("mmc() is continuous where its two rates are equal", () => {
  // Two servers at offered load 1: the rate at which the queue drains is the rate of a service.
  const [exact, beside] = [mmc(2, 1, 1), mmc(2, 1.0000001, 1)];
  assert.ok(Math.abs(exact.quantile(0.99) - beside.quantile(0.99)) < 1e-5);
});

Deno.test("erlangB() and erlangC() give the values of the tables", () => {
  assertDigits(erlangB(2, 1), "0.2");
  assertDigits(erlangB(10, 5), "0.018385");
  assertDigits(erlangC(2, 1), "0.333333");
  assertDigits(erlangC(1, 0.7), "0.7");
});

Deno.test("mmckLoss() gives the share that a full backend refuses", () => {
  assertDigits(mmckLoss(10, 20, 8, 1), "0.00910718");
  assertDigits(mmckLoss(3, 3, 2, 1), erlangB(3, 2).toFixed(9));
  // Powers and factorials of these numbers are too large for a double.
  assertDigits(mmckLoss(2000, 2000, 1990, 1), erlangB(2000, 1990).toFixed(9));
  assertDigits(mmckLoss(1, 5000, 2, 1), "0.500000000");
});

Deno.test("mg1Wait() and sharedSojourn() give M/G/1", () => {
  assertDigits(mg1Wait(0.7, 1, 0), "1.166667");
  assertDigits(mg1Wait(0.7, 1, Math.E - 1), "3.171329");
  assertDigits(sharedSojourn(0.7, 1), "3.333333");
});

Deno.test("roundRobin() gives Eₙ/M/1", () => {
  assertSojourn(roundRobin(2, 0.8), "3.843980", "17.702181");
  assertSojourn(roundRobin(5, 0.8), "3.152257", "14.516679");
  assertSojourn(roundRobin(10, 0.8), "2.922269", "13.457547");
  assertSojourn(roundRobin(1, 0.5), "2", "9.210340");
});

Deno.test("gm1() gives D/M/1", () => {
  // σ = exp(−(1 − σ) / 0.5): the root is 0.203188.
  assertDigits(gm1((s) => Math.exp(-s / 0.5), 1).mean, (1 / (1 - 0.20318787)).toFixed(6));
});

Deno.test("shortestOf() gives join-the-shortest-queue", () => {
  assertSojourn(shortestOf(2, 2, 0.5), "1.426321", "6.427937");
  assertSojourn(shortestOf(2, 2, 0.7), "2.108197", "9.340165");
  assertSojourn(shortestOf(2, 2, 0.8), "2.955737", "13.084398");
  assertSojourn(shortestOf(5, 5, 0.5), "1.108641", "5.063879");
});

Deno.test("shortestOf() gives power of two and three distinct choices", () => {
  assertSojourn(shortestOf(5, 2, 0.5, 12), "1.310208", "5.790597");
  assertSojourn(shortestOf(5, 3, 0.7, 12), "1.529644", "6.538089");
});

Deno.test("shortestOf() of one choice is M/M/1", () => {
  assertSojourn(shortestOf(2, 1, 0.5, 60), "2", "9.210340");
});

Deno.test("manyServersSojourn() gives the limit of many servers", () => {
  assertDigits(manyServersSojourn(2, 0.5), "1.265686");
  assertDigits(manyServersSojourn(2, 0.8), "1.947363");
  assertDigits(manyServersSojourn(1, 0.8), "5");
});

Deno.test("closedLoop() gives the machine repair model", () => {
  const { throughput, response } = closedLoop(20, 10, 1);
  assertDigits(throughput, "0.998131");
  assertDigits(response, "10.037451");
  assert.ok(Math.abs(response - (20 / throughput - 10)) < 1e-9);
});

Deno.test("flapping() gives how often and how long failed probes mark a healthy backend as down", () => {
  const { probesUp, downShare } = flapping(0.1, 3, 2);
  assertDigits(probesUp, "1110");
  assertDigits(downShare, "0.00210877");
});

Deno.test("failoverLoss() gives the probability that all tried backends are dead", () => {
  assertDigits(failoverLoss(5, 3, 1), "0.3");
  assert.equal(failoverLoss(5, 2, 2), 0);
  assert.equal(failoverLoss(5, 5, 3), 1);
});
