/** Draws the plots that the documents show, into docs/plots/. */
import {
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  PLOT_STYLE,
  type VariantPlots,
  withStableNames,
} from "../lib/report/mod.ts";
import { loadStudy } from "../lib/files/mod.ts";
import { plotsOf, Replicator } from "../sim/mod.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** The plots by file name: of which example, of which variant (all, if left out), drawn how. */
const PLOTS: Readonly<Record<string, () => Promise<string>>> = {
  "two-choices-latency.svg": async () => await latencyPlot(await variants("two-choices")),
  "probe-timing-health.svg": async () =>
    await healthPlot((await variants("probe-timing", "interval=1s, fall=1"))[0]!),
  "returned-server-load.svg": async () =>
    await loadPlot((await variants("returned-server", "least-connections"))[0]!),
  "retry-storm-course.svg": async () =>
    await coursePlot((await variants("retry-storm", "max=4", ["warmup=0s"]))[0]!),
};

/** One replication of each variant of an example, or of one of them. */
async function variants(
  example: string,
  name?: string,
  set: readonly string[] = [],
): Promise<VariantPlots[]> {
  const study = await loadStudy(`${ROOT}examples/${example}.yaml`, set);
  const replicator = new Replicator(study);
  const results = study.variants.map((_, variant) => [replicator.run({ variant, replication: 0 })]);
  const plots = plotsOf(study, results);
  return name === undefined ? plots : plots.filter((plot) => plot.name === name);
}

/** A plot as a picture of its own, which brings the colours for a dark screen along. */
function standalone(svg: string): string {
  return withStableNames(svg).replace(">", `><style>${PLOT_STYLE}</style>`);
}

if (import.meta.main) {
  for (const [file, draw] of Object.entries(PLOTS)) {
    await Deno.writeTextFile(`${ROOT}docs/plots/${file}`, standalone(await draw()));
    console.log(`docs/plots/${file}`);
  }
}
