/** How a backend serves requests: the keys of `servers` in a scenario, and of a backend's admin API. */
import * as z from "zod";
import { countOr, number } from "./scalars.ts";

/** The keys, with their defaults. */
export const serverKeys = {
  slots: countOr("unlimited", 1).default(1).describe(
    "the number of requests that are served at the same time; or: unlimited",
  ),
  queue: countOr("unlimited", 0).prefault("unlimited").describe(
    "the number of requests that may wait; further requests are refused; or: unlimited",
  ),
  speed: number(0, 1e6).default(1).describe(
    "speed of each slot; at 0.5 a request takes twice its service time",
  ),
  discipline: z.enum(["fifo", "processor-sharing"]).default("fifo").describe(
    "fifo: requests are served in order of arrival; processor-sharing: all are served at the same time and share the speed",
  ),
  abandoned: z.enum(["serve", "drop"]).default("serve").describe(
    "serve: a request whose client has given up is served nevertheless. drop: it is dropped from the queue",
  ),
};
