/**
 * What a page in a browser does with scenarios: it parses their texts, runs every variant and sums the
 * results up. It imports pure rooms only, so that it runs in any JavaScript engine.
 */
import { childSeed } from "../../lib/base/mod.ts";
import { ALGORITHM_NAMES } from "../../lib/core/mod.ts";
import { parseStudy, type StudyInputs } from "../../lib/scenario/mod.ts";
import { Replicator, summarise } from "../../sim/study/mod.ts";

const REPLICATIONS = 2;

const COMPARED = `replications: ${REPLICATIONS}
compare: {balancer.algorithm: [${ALGORITHM_NAMES.join(", ")}]}
`;

/** Weights, faults, probes, timeouts and retries. */
const FAULTS = `${COMPARED}
balancer:
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3}, {id: B4, backup: true}]
  health_check: {type: http, interval: 500ms, timeout: 200ms}
  ejection: {failures: 2}
duration: 4s
service: {lognormal: {mean: 20ms, sigma: 1.5}}
servers: {default: {slots: 2}, B3: {speed: 0.5}}
workload: {arrivals: {poisson: {load: 70%}}, clients: {count: 500, zipf: 0.9}, timeout: 1s, retries: {max: 2}}
faults:
  - {at: 1s, for: 1s, backend: B1, kind: hang}
  - {at: 2s, for: 1s, backend: B2, kind: {slow: 4}}
expect: ["errors < 50%", "p99_ms[maglev] > 1ms"]
`;

/** A configuration and recorded arrivals from other texts. */
const TRACE = `${COMPARED}
extends: config.yaml
network: {latency: {exponential: 300us}}
workload: {arrivals: {trace: visits.csv}, requests_per_connection: {uniform: {min: 1, max: 5}}}
`;

const CONFIG = `listen: 192.0.2.1:8000
backends:
  - {id: B1, address: 192.0.2.11:9000, max_connections: 6}
  - {id: B2, address: "[2001:db8::2]:9000", max_connections: 6}
  - {id: B3, address: lab.example:9000, weight: 2}
sticky: {ttl: 2s, store: {redis: "redis://me:secret@192.0.2.3/1"}}
queue: {length: 50, timeout: 1s}
`;

const VISITS = [
  "at,client,service",
  ...Array.from({ length: 300 }, (_, i) => `${i * 0.005},${i % 37},${0.01 + (i % 7) / 100}`),
].join("\n");

/** Several balancers, a rate that swings, and servers that share their time. */
const BALANCERS = `${COMPARED}
balancer: {backends: 5}
load_balancers: 3
idle_reports: true
duration: 3s
service: {pareto: {min: 2ms, max: 1s, alpha: 1.4}}
servers: {default: {discipline: processor-sharing, abandoned: drop}}
workload: {arrivals: {diurnal: {load: 60%, amplitude: 80%, period: 2s}}, timeout: 500ms}
`;

const STUDIES: readonly StudyInputs[] = [
  { scenario: { file: "faults.yaml", text: FAULTS }, files: {}, set: ["seed=7"] },
  {
    scenario: { file: "trace.yaml", text: TRACE },
    files: {
      "config.yaml": { file: "config.yaml", text: CONFIG },
      "visits.csv": { file: "visits.csv", text: VISITS },
    },
    set: [],
  },
  { scenario: { file: "balancers.yaml", text: BALANCERS }, files: {}, set: [] },
];

/** A digest of the results of each study. */
export function digests(): string[] {
  return STUDIES.map((inputs) => {
    const study = parseStudy(inputs);
    const replicator = new Replicator(study);
    const results = study.variants.map((_, variant) =>
      Array.from(
        { length: REPLICATIONS },
        (_, replication) => replicator.run({ variant, replication }),
      )
    );
    const json = JSON.stringify([results, summarise(study, results)]);
    return `${inputs.scenario.file} ${study.variants.length} ${
      [1, 2].map((seed) => childSeed(seed, json))
    }`;
  });
}
