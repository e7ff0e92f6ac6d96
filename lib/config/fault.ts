/** Faults of a backend, in the notation of scenarios and the admin API. */
import * as z from "zod";
import { NS_PER_MS } from "../base/mod.ts";
import type { ServerFault } from "../fault/mod.ts";
import { duration, number, oneKeyOf, share } from "./scalars.ts";

/** The bound for the period of a flap. */
const RESTARTED = {
  least: { value: NS_PER_MS, because: "no process can end and start again in less time" },
};

/** Faults that have values. */
export const faultsWithValues = oneKeyOf({
  slow: number(0, 1e6).describe("everything takes this many times as long"),
  "fail-rate": share({ positive: true }).describe("this share of requests ends in an error"),
  "fast-errors": share({ positive: true }).describe("this share of requests fails at once"),
  gray: z.strictObject({
    rate: share().prefault("0%").describe("share of requests that end in an error"),
    slow: number(0, 1e6).default(1).describe("everything takes this many times as long"),
  }).describe("probes succeed, but requests fail or are slow"),
  flap: z.strictObject({
    period: duration(RESTARTED).describe("time from one crash to the next"),
    down: share().prefault("50%").describe("share of the period for which the backend is down"),
  }).describe("the backend crashes and returns again and again"),
});

/** A fault that a backend can have on demand. */
export const serverFault = z.union([
  z.enum(["crash", "hang", "pause", "refuse", "reset"]),
  faultsWithValues,
]);

/** Converts a fault from its notation. */
export function serverFaultOf(written: z.output<typeof serverFault>): ServerFault {
  if (typeof written === "string") return { name: written };
  if (written.slow !== undefined) return { name: "slow", factor: written.slow };
  if (written["fail-rate"] !== undefined) {
    return { name: "fail-rate", rate: written["fail-rate"] };
  }
  if (written["fast-errors"] !== undefined) {
    return { name: "fast-errors", rate: written["fast-errors"] };
  }
  if (written.flap !== undefined) return { name: "flap", ...written.flap };
  const { rate, slow } = written.gray!;
  return { name: "gray", rate, factor: slow };
}
