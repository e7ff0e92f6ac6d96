import { formatDuration } from "../../lib/base/mod.ts";
import { plain } from "../../lib/report/format.ts";
import type { Arrivals, Scenario } from "../../lib/scenario/types.ts";
import type { Distribution } from "../../lib/stats/mod.ts";

/** The parts of a description, and the text for a part that differs between variants. */
const PARTS: readonly (readonly [(scenario: Scenario) => string, string])[] = [
  [({ workload }) => arrivalsInWords(workload.arrivals), "arrivals differ"],
  [serviceInWords, "service times differ"],
  [({ servers }) => `${range(servers.map(({ slots }) => slots))} per backend`, "slots differ"],
  [
    ({ workload }) => requestsInWords(workload.requestsPerConnection),
    "requests per connection differ",
  ],
];

/** What is simulated, in one line: arrivals, service times, slots and requests per connection. */
export function describeScenarios(scenarios: readonly Scenario[]): string {
  return PARTS.map(([describe, differs]) => {
    const [first, ...others] = new Set(scenarios.map(describe));
    return others.length === 0 ? first! : differs;
  }).join("; ");
}

function arrivalsInWords(arrivals: Arrivals): string {
  switch (arrivals.kind) {
    case "poisson":
      return `Poisson arrivals, ${plain(arrivals.rate)} connections/s`;
    case "deterministic":
      return `evenly spaced arrivals, ${plain(arrivals.rate)} connections/s`;
    case "renewal":
      return `arrivals with gaps ${law(arrivals.gap, duration)}`;
    case "mmpp":
      return `Poisson arrivals that switch between ${
        arrivals.states.map(({ rate }) => plain(rate)).join(", ")
      } connections/s`;
    case "on_off":
      return `on-off arrivals, ${plain(arrivals.rate)} connections/s while on`;
    case "diurnal":
      return `Poisson arrivals that swing around ${plain(arrivals.rate)} connections/s`;
    case "closed":
      return `${arrivals.clients} clients in a closed loop, think time ${
        law(arrivals.think, duration)
      }`;
    case "trace":
      return `arrivals of a trace, ${arrivals.entries.length} connections`;
  }
}

/** A trace may have service times; the law of the scenario applies to its other connections. */
function serviceInWords({ service, workload: { arrivals } }: Scenario): string {
  const words = law(service, duration);
  if (arrivals.kind !== "trace") return `service ${words}`;
  const recorded = arrivals.entries.filter(({ work }) => work !== undefined).length;
  if (recorded === 0) return `service ${words}`;
  if (recorded === arrivals.entries.length) return "service times of the trace";
  return `service times of the trace, otherwise ${words}`;
}

function requestsInWords(requests: Distribution): string {
  if (requests.kind !== "deterministic") {
    return `requests per connection ${law(requests, plain)}`;
  }
  const count = Math.max(1, Math.round(requests.value));
  return `${count} ${count === 1 ? "request" : "requests"} per connection`;
}

function law(distribution: Distribution, number: (value: number) => string): string {
  switch (distribution.kind) {
    case "deterministic":
      return `always ${number(distribution.value)}`;
    case "uniform":
      return `uniform from ${number(distribution.min)} to ${number(distribution.max)}`;
    case "exponential":
      return `exponential, mean ${number(distribution.mean)}`;
    case "erlang":
      return `Erlang with ${distribution.stages} stages, mean ${number(distribution.mean)}`;
    case "hyperexponential": {
      const weight = distribution.phases.reduce((sum, { probability }) => sum + probability, 0);
      const total = distribution.phases.reduce((sum, one) => sum + one.probability * one.mean, 0);
      return `hyperexponential, mean ${number(total / weight)}`;
    }
    case "lognormal":
      return `lognormal, mean ${number(distribution.mean)}, sigma ${plain(distribution.sigma)}`;
    case "pareto":
      return `Pareto from ${number(distribution.min)} to ${number(distribution.max)}, alpha ${
        plain(distribution.alpha)
      }`;
    case "empirical":
      return `empirical, ${distribution.values.length} values`;
  }
}

function duration(value: number): string {
  return formatDuration(Math.round(value));
}

/** `1 slot`, `2 to 4 slots`, `unlimited slots`. */
function range(slots: readonly number[]): string {
  const [least, most] = [Math.min(...slots), Math.max(...slots)];
  const shown = (count: number) => count === Infinity ? "unlimited" : String(count);
  const count = least === most ? shown(least) : `${shown(least)} to ${shown(most)}`;
  return `${count} slot${most === 1 ? "" : "s"}`;
}
