import type { VariantPlots } from "../../lib/report/mod.ts";
import type { Study } from "../../lib/scenario/mod.ts";
import { Histogram } from "../../lib/stats/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";

/** The data of a study's plots. The first replication of each variant has recorded its time series. */
export function plotsOf(
  study: Study,
  results: readonly (readonly ReplicationResult[])[],
): VariantPlots[] {
  return study.variants.map(({ name }, i) => {
    const runs = results[i]!;
    const { series, faults, backends } = runs[0]!;
    const sojourn = new Histogram();
    for (const run of runs) sojourn.add(Histogram.fromData(run.sojourn));
    const { interval, meanSojourn, errors } = series!;
    const shown = series!.backends.map((backend, b) => ({ id: backends[b]!.id, ...backend }));
    return {
      name,
      sojourn,
      course: {
        interval,
        meanSojourn,
        errors,
        backends: shown,
        faults: faults.filter(({ backend }) => shown.some(({ id }) => id === backend)),
      },
    };
  });
}
