import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { sentenceOf } from "../../lib/observe/event_words.ts";
import { type Page, usePage } from "./context.ts";
import { formatMs, formatNumber, formatTime } from "./format.ts";
import type { Metric } from "./history.ts";
import { isFault, markSign } from "./marks.ts";
import { strokeOf } from "./palette.ts";
import { WINDOWS } from "./view_state.ts";

/** The largest number of lines in a chart. A reader could not distinguish more. */
const LINES_MAX = 12;

/** The last minutes: in flight, rate and latency of each backend. */
export function Charts() {
  const { dashboard, view, isDark } = usePage();
  const latency = view.latency.value;
  const all = dashboard.snapshot.value?.backends.map(({ id }) => id) ?? [];
  const backends = all.slice(0, LINES_MAX);
  const key = `${backends.join()} ${isDark.value}`;
  return (
    <section aria-labelledby="charts-title">
      <div class="heading">
        <h2 id="charts-title">Last minutes</h2>
        <div class="choice" role="group" aria-label="Length of time">
          {WINDOWS.map((window) => (
            <button
              key={window}
              type="button"
              aria-pressed={view.window.value === window}
              onClick={() => view.window.value = window}
            >
              {window / 60} min
            </button>
          ))}
        </div>
        <div class="choice" role="group" aria-label="Latency">
          {(["p50", "p99"] as const).map((quantile) => (
            <button
              key={quantile}
              type="button"
              aria-pressed={latency === quantile}
              onClick={() => view.latency.value = quantile}
            >
              {quantile}
            </button>
          ))}
        </div>
      </div>
      <Legend backends={backends} more={all.length - backends.length} />
      <div class="charts">
        <Chart key={`f ${key}`} title="In flight" metric="in_flight" backends={backends} />
        <Chart key={`r ${key}`} title="Connections per second" metric="rate" backends={backends} />
        <Chart
          key={`l ${latency} ${key}`}
          title={`First byte, ${latency} (ms)`}
          metric={latency}
          backends={backends}
        />
      </div>
      <details>
        <summary>As a table</summary>
        <HistoryTable backends={backends} />
      </details>
    </section>
  );
}

function Legend(
  { backends, more }: { readonly backends: readonly string[]; readonly more: number },
) {
  const { isDark } = usePage();
  return (
    <ul class="legend">
      {backends.map((id, i) => {
        const { colour, dash } = strokeOf(i, isDark.value);
        return (
          <li key={id}>
            <svg width="28" height="10" aria-hidden="true">
              <line
                x1="0"
                y1="5"
                x2="28"
                y2="5"
                stroke={colour}
                stroke-width="3"
                stroke-dasharray={dash.join(" ")}
              />
            </svg>{" "}
            {id}
          </li>
        );
      })}
      {more > 0 && <li>{more} more are not drawn</li>}
      <li class="muted">▲ up · ▼ down · ⏏ ejected · ⚡ fault · ◇ fault ends · ◆ wish · ↻ reload</li>
    </ul>
  );
}

interface ChartProps {
  readonly title: string;
  readonly metric: Metric;
  readonly backends: readonly string[];
}

function Chart({ title, metric, backends }: ChartProps) {
  const page = usePage();
  const { dashboard, view } = page;
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current!;
    const plot = new uPlot(optionsOf(page, element, metric, backends), [[]], element);
    const resize = new ResizeObserver(() => plot.setSize(sizeOf(element)));
    resize.observe(element);
    const end = effect(() => {
      dashboard.samples.value;
      const { history } = dashboard;
      const until = history.times.at(-1) ?? 0;
      const from = until - view.window.value;
      const columns = backends.map((id) => history.column(id, metric));
      plot.setData([history.times, ...columns] as uPlot.AlignedData, false);
      plot.setScale("x", { min: from, max: until });
    });
    return () => {
      end();
      resize.disconnect();
      plot.destroy();
    };
  }, []);
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div
        ref={place}
        class="plot"
        role="img"
        aria-label={`${title} of each backend over time. The table below has the same numbers.`}
      />
    </figure>
  );
}

function sizeOf(element: Element): { width: number; height: number } {
  return { width: element.clientWidth, height: 190 };
}

function optionsOf(
  { dashboard, isDark }: Page,
  element: Element,
  metric: Metric,
  backends: readonly string[],
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis: uPlot.Axis = {
    stroke: colour("muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { stroke: colour("grid"), width: 1 },
  };
  return {
    ...sizeOf(element),
    legend: { show: false },
    cursor: { sync: { key: "history" }, drag: { x: false, y: false } },
    scales: {
      x: { time: false },
      y: { range: (_, __, max) => [0, Math.max(metric === "in_flight" ? 4 : 1, 1.1 * max || 0)] },
    },
    axes: [
      {
        ...axis,
        space: 70,
        incrs: [1, 5, 10, 15, 30, 60, 120, 300],
        values: (_, splits) =>
          splits.map((time) => formatTime(time, dashboard.hasWallClock.peek())),
      },
      { ...axis, size: 48, values: (_, splits) => splits.map((value) => formatNumber(value)) },
    ],
    series: [
      {},
      ...backends.map((label, i): uPlot.Series => {
        const { colour: stroke, dash } = strokeOf(i, isDark.peek());
        return { label, stroke, dash: [...dash], width: 2, points: { show: false } };
      }),
    ],
    hooks: {
      draw: [(plot) => {
        for (const { time, event } of dashboard.history.marks) {
          drawMark(plot, time, markSign(event.type), colour(isFault(event.type) ? "bad" : "muted"));
        }
      }],
    },
  };
}

function drawMark(plot: uPlot, time: number, sign: string, colour: string): void {
  const { min = 0, max = 0 } = plot.scales.x!;
  if (time < min! || time > max!) return;
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(time, "x", true));
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top + 14 * devicePixelRatio);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  ctx.fillText(sign, x, bbox.top);
  ctx.restore();
}

const ROWS = 10;

/** The charts' values as a table, with as many rows as fit. */
function HistoryTable({ backends }: { readonly backends: readonly string[] }) {
  const { dashboard, view } = usePage();
  dashboard.samples.value;
  const { history } = dashboard;
  const { times } = history;
  const quantile = view.latency.value;
  const step = view.window.value / ROWS;
  const rows: { from: number; until: number; index: number }[] = [];
  let until = times.at(-1) ?? 0;
  for (let index = times.length - 1; index >= 0 && rows.length < ROWS; index--) {
    if (times[index]! > until) continue;
    rows.push({ from: until - step, until, index });
    until -= step;
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Last minutes as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Until</th>
            {backends.map((id) => <th key={id} scope="col">{id}</th>)}
            <th scope="col">Marks</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ from, until, index }) => (
            <tr key={until}>
              <th scope="row">{formatTime(until, dashboard.hasWallClock.value)}</th>
              {backends.map((id) => (
                <td key={id}>
                  {formatNumber(history.column(id, "in_flight")[index])} in flight,{" "}
                  {formatNumber(history.column(id, "rate")[index])}/s,{" "}
                  {formatMs(history.column(id, quantile)[index])}
                </td>
              ))}
              <td>
                {history.marks.filter(({ time }) => time > from && time <= until)
                  .map(({ event }) => sentenceOf(event)).join("; ")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
