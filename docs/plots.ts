/** Draws the plots that the documents show, into docs/plots/. */
import {
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  NARROW,
  PLOT_STYLE,
  type Sheet,
  type VariantPlots,
  WIDE,
  withStableNames,
} from "../lib/report/mod.ts";
import { loadStudy } from "../lib/files/load_study.ts";
import { plotsOf, Replicator } from "../sim/mod.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/**
 * The plots by file name: the example, the variant (if left out, all variants), and the function that draws the plot.
 */
const PLOTS: Readonly<Record<string, (sheet: Sheet) => Promise<string>>> = {
  "two-choices-latency": async (sheet) => await latencyPlot(await variants("two-choices"), sheet),
  "probe-timing-health": async (sheet) => {
    const [variant] = await variants("probe-timing", "interval=1s, fall=1");
    return await healthPlot(variant!, undefined, sheet);
  },
  "returned-server-load": async (sheet) => {
    const [variant] = await variants("returned-server", "least-connections");
    return await loadPlot(variant!, undefined, sheet);
  },
  "retry-storm-course": async (sheet) => {
    const [variant] = await variants("retry-storm", "max=4", ["warmup=0s"]);
    return await coursePlot(variant!, undefined, sheet);
  },
};

/** A document shows the second form on a phone. */
const SHEETS: readonly (readonly [ending: string, sheet: Sheet])[] = [
  [".svg", WIDE],
  ["-narrow.svg", NARROW],
];

/** One replication of each variant of an example, or of the variant with this name. */
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

/** A plot as a picture of its own, which contains the colours for a dark screen, too. */
function standalone(svg: string): string {
  return withStableNames(svg).replace(">", `><style>${PLOT_STYLE}</style>`);
}

if (import.meta.main) {
  for (const [name, draw] of Object.entries(PLOTS)) {
    for (const [ending, sheet] of SHEETS) {
      await Deno.writeTextFile(`${ROOT}docs/plots/${name}${ending}`, standalone(await draw(sheet)));
      console.log(`docs/plots/${name}${ending}`);
    }
  }
}
