import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { formatMs, formatNumber, strokeOf } from "../dashboard/mod.ts";
import { useShared } from "./context.ts";
import { HeatMap, largestInFlight } from "./heat_map.tsx";
import { PlotView } from "./plot_view.tsx";
import {
  errorPlotData,
  latencyPlotData,
  type NamedStroke,
  quantilePlotData,
  theoryNote,
} from "./plot_data.ts";
import { saveText } from "./save.ts";

/** The names of the variants and their lines. */
function useNames(): NamedStroke[] {
  const { playground, isDark } = useShared();
  const variants = playground.opened.value?.variants ?? [];
  return variants.map(({ name, algorithm }, i) => ({
    name: name || algorithm,
    stroke: strokeOf(i, isDark.value),
  }));
}

/** The measurements so far. */
export function Plots() {
  const { playground } = useShared();
  const names = useNames();
  const quantile = useSignal<"p50" | "p99">("p99");
  const statistics = playground.statistics.value;
  const frames = playground.frames.value;
  const key = names.map(({ name, stroke }) => `${name} ${stroke.colour}`).join();
  const data = useMemo(() => {
    if (statistics === null || statistics.variants.length !== names.length) return undefined;
    const { variants } = statistics;
    return {
      latency: latencyPlotData(variants, names),
      quantile: quantilePlotData(variants, names, quantile.value),
      errors: errorPlotData(variants, names),
    };
  }, [statistics, key, quantile.value]);
  if (statistics === null || data === undefined) return null;
  const series = statistics.variants.map((one) => one.series);
  const max = largestInFlight(series);
  return (
    <section aria-labelledby="plots-title">
      <div class="heading">
        <h2 id="plots-title">Measured so far</h2>
        <div class="choice" role="group" aria-label="Quantile over time">
          {(["p50", "p99"] as const).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={quantile.value === one}
              onClick={() => quantile.value = one}
            >
              {one}
            </button>
          ))}
        </div>
        <button
          type="button"
          onClick={async () => {
            const text = await playground.csv();
            if (text !== undefined) saveText("playground.csv", "text/csv", text);
          }}
        >
          All as CSV
        </button>
      </div>
      <Totals names={names} />
      <div class="plots">
        <PlotView data={data.latency} note={theoryNote(statistics.variants)} />
        <PlotView data={data.quantile} />
        <PlotView data={data.errors} />
      </div>
      <div class="plots heats">
        {series.map((one, i) => (
          <HeatMap
            key={`${i} ${key}`}
            title={`In flight${names.length > 1 ? `, ${names[i]!.name}` : ""}`}
            series={one}
            ids={frames[i]?.truth.ids ?? []}
            max={max}
          />
        ))}
      </div>
    </section>
  );
}

/** The numbers of each variant; they are also the legend of the plots. */
function Totals({ names }: { readonly names: readonly NamedStroke[] }) {
  const { playground } = useShared();
  const statistics = playground.statistics.value;
  const frames = playground.frames.value;
  if (statistics === null) return null;
  const { leader } = statistics.verdict;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Totals of each variant">
      <table class="totals">
        <thead>
          <tr>
            <th scope="col">Variant</th>
            {["p50", "p99", "mean", "errors", "done", "failed", "refused", "timed out", "retries"]
              .map((head) => <th key={head} scope="col" class="number">{head}</th>)}
          </tr>
        </thead>
        <tbody>
          {statistics.variants.map(({ p50_ms, p99_ms, mean_ms, errors, theory }, i) => {
            const counts = frames[i]?.counts;
            const { name, stroke } = names[i]!;
            return (
              <tr key={name} class={leader === i ? "picked" : ""}>
                <th scope="row">
                  <svg width="28" height="10" aria-hidden="true">
                    <line
                      x1="0"
                      y1="5"
                      x2="28"
                      y2="5"
                      stroke={stroke.colour}
                      stroke-width="3"
                      stroke-dasharray={stroke.dash.join(" ")}
                    />
                  </svg>{" "}
                  {name}
                </th>
                <td class="number">{formatMs(p50_ms)}</td>
                <td class="number">{formatMs(p99_ms)}</td>
                <td class="number">
                  {formatMs(mean_ms)}
                  {theory?.mean_ms && <small>theory {formatMs(theory.mean_ms)}</small>}
                </td>
                <td class="number">
                  {Number.isNaN(errors) ? "–" : `${Number((100 * errors).toPrecision(2))} %`}
                </td>
                <td class="number">{formatNumber(counts?.done)}</td>
                <td class="number">{formatNumber(counts?.failed)}</td>
                <td class="number">{formatNumber(counts?.refused)}</td>
                <td class="number">{formatNumber(counts?.timed_out)}</td>
                <td class="number">{formatNumber(counts?.retried)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
