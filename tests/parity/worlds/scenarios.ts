/**
 * The scenarios that are run in both worlds: algorithms × loads × faults.
 *
 * If an algorithm compares numbers in flight, small differences of time change its picks at random. Two simulated runs
 * of ten seconds, one of them with 10 % higher overheads, differ by up to 4.4 percentage points in the share of a
 * backend. So these scenarios are so long that few such runs differ by more than one percentage point.
 */

/** A scenario and its name in the table. */
export interface ParityScenario {
  readonly name: string;
  readonly text: string;
  /** Whether the scenario is small enough for every run of the tests. */
  readonly small?: boolean;
}

const PROBES = "health_check: {interval: 500ms, timeout: 300ms, rise: 2, fall: 2, jitter: 10%}";

function scenario(
  algorithm: string,
  load: string,
  { balancer = "", workload = "", rest = "", duration = "10s" } = {},
): string {
  const own = balancer === "" ? "" : `, ${balancer}`;
  const more = workload === "" ? "" : `, ${workload}`;
  return `
balancer: {backends: 3, algorithm: ${algorithm}, ${PROBES}${own}}
duration: ${duration}
warmup: 1s
hash_placement: fixed
workload: {arrivals: ${load}${more}}
service: {exponential: {mean: 20ms}}
${rest}`;
}

const at = (load: number) => `{poisson: {load: ${load}%}}`;
const faultAt = (at: number, kind: string) => `{at: ${at}s, for: 3s, backend: B2, kind: ${kind}}`;
const fault = (kind: string) => `faults: [${faultAt(3, kind)}]`;
/** The same fault every six seconds of two minutes. */
const repeated = (kind: string) =>
  `faults: [${Array.from({ length: 19 }, (_, i) => faultAt(3 + 6 * i, kind)).join(", ")}]`;

/** All scenarios. */
export const PARITY_SCENARIOS: readonly ParityScenario[] = [
  { name: "round-robin, 30 %", text: scenario("round-robin", at(30)), small: true },
  { name: "round-robin, 60 %", text: scenario("round-robin", at(60)) },
  { name: "round-robin, 80 %", text: scenario("round-robin", at(80)) },
  { name: "random, 50 %", text: scenario("random", at(50)) },
  {
    name: "least-connections, 70 %",
    text: scenario("least-connections", at(70), { duration: "120s" }),
  },
  { name: "power-of-two, 60 %", text: scenario("power-of-two", at(60)) },
  {
    name: "ring-hash, unequal clients, 40 %",
    text: scenario("ring-hash", at(40), { workload: "clients: {count: 60, zipf: 0.5}" }),
    small: true,
  },
  {
    name: "least-connections, B1 at half speed, 60 %",
    text: scenario("least-connections", at(60), {
      duration: "120s",
      rest: "servers: {B1: {speed: 0.5}}",
    }),
  },
  {
    name: "round-robin, processor sharing, 60 %",
    text: scenario("round-robin", at(60), {
      rest: "servers: {default: {discipline: processor-sharing}}",
    }),
  },
  {
    name: "round-robin, 4 requests per connection, 50 %",
    text: scenario("round-robin", at(50), {
      workload: "requests_per_connection: 4, think_time: 10ms",
    }),
  },
  {
    name: "least-connections, closed loop of 10 clients",
    text: scenario("least-connections", "{closed: {clients: 10, think: 80ms}}", {
      duration: "240s",
    }),
  },
  {
    name: "round-robin, 3 ms of latency, 50 %",
    text: scenario("round-robin", at(50), { rest: "network: {latency: 3ms}" }),
  },
  {
    name: "round-robin, B2 crashes, 40 %",
    text: scenario("round-robin", at(40), { rest: fault("crash") }),
    small: true,
  },
  {
    name: "least-connections, B2 hangs every six seconds, 40 %",
    text: scenario("least-connections", at(40), {
      duration: "120s",
      balancer: "timeouts: {connect: 300ms}",
      rest: repeated("hang"),
    }),
  },
  {
    name: "round-robin, B2 slow, 40 %",
    text: scenario("round-robin", at(40), { rest: fault("{slow: 1.5}") }),
  },
  {
    name: "round-robin, B2 fails 30 %, retries, 40 %",
    text: scenario("round-robin", at(40), {
      workload: "retries: {max: 3, backoff: 20ms}",
      rest: fault("{fail-rate: 30%}"),
    }),
  },
];
