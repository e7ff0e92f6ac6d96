/** The bodies of requests that change something. */
import * as z from "zod";
import { NS_PER_S, parseIp } from "../base/mod.ts";
import { configKeys, duration, serverFault, serverKeys } from "../config/mod.ts";

/** The state that the operator wants for a backend. */
export const stateBody = z.strictObject({
  state: z.enum(["ready", "drain", "maintenance"], {
    error: () => "must be ready, drain or maintenance",
  }),
});

/** The weight that the operator wants for a backend. */
export const weightBody = z.strictObject({
  weight: z.int({ error: () => "must be a whole number" })
    .min(0, { error: () => "must be at least 0" })
    .max(256, { error: () => "must be at most 256" }),
});

/** The algorithm, in the notation of config.yaml. */
export const algorithmBody = z.strictObject({ algorithm: configKeys.algorithm });

/** The client whose pick is explained. */
export const explainBody = z.strictObject({
  client: z.string({ error: () => "must be an IP address" })
    .refine((text) => parseIp(text) !== undefined, { error: () => "must be an IP address" }),
});

/** A fault to inject into a backend, written as in a scenario. */
export const faultBody = z.strictObject({
  kind: serverFault.meta({
    description: "crash, hang, pause, refuse, reset; or {slow: 5}, {fail-rate: 20%}, " +
      "{fast-errors: 100%}, {gray: {rate: 30%, slow: 2}}, {flap: {period: 10s, down: 50%}}",
  }),
  for: duration({ positive: true }).optional().describe(
    "how long the fault lasts; if left out, until a request ends it",
  ),
});

/** The longest time for which a backend serves a scenario after a request. */
const SERVICE_TIME_MAX = 600 * NS_PER_S;

/** How a backend must serve the requests of a scenario, and for how long. */
export const serviceBody = z.strictObject({
  ...serverKeys,
  for: duration({ positive: true })
    .refine((time) => time <= SERVICE_TIME_MAX, { error: () => "must be at most 10m" })
    .describe(
      "after this time, the backend serves as before again, unless the request is repeated; at most 10m",
    ),
});
