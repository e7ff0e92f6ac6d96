/** A study's plots, as SVG text. */
import type { CustomSeriesRenderItem } from "echarts";
import type { EChartsCoreOption } from "echarts/core";
import { decimalExponent } from "../base/mod.ts";
import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../core/mod.ts";
import type { Histogram } from "../stats/histogram.ts";

/** How one replication went over time, in slices of `interval`. */
export interface Course {
  readonly interval: Nanoseconds;
  /** Mean sojourn of the requests done in each slice; null where there were none. */
  readonly meanSojourn: readonly (number | null)[];
  readonly errors: readonly number[];
  readonly backends: readonly {
    readonly id: string;
    readonly inFlight: readonly number[];
    readonly queue: readonly number[];
    /** Share of the balancers that held it for up. */
    readonly up: readonly number[];
  }[];
  readonly faults: readonly {
    readonly backend: string;
    readonly kind: string;
    readonly at: Nanoseconds;
    readonly until?: Nanoseconds;
  }[];
}

/** What can be plotted of a variant. */
export interface VariantPlots {
  readonly name: string;
  /** Sojourns of all replications together. */
  readonly sojourn: Histogram;
  readonly course: Course;
}

const WIDTH = 900;
/** Told apart by everybody. Source: M. Okabe and K. Ito, "Color universal design", 2002. */
const COLORS = [
  ...["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#000000"],
];
const FAULT_COLOR = "#e69f00";
const DOWN_COLOR = "#c0392b";
/** Beyond this share of requests the tail is a handful of them. */
const TAIL_MIN = 1e-6;
/** With more backends than this, lines cannot be told apart. */
const LINES_MAX = 12;

/** The share of requests that took longer, by latency; both axes logarithmic, so that the tail shows. */
export function latencyPlot(variants: readonly VariantPlots[]): Promise<string> {
  return draw(420, {
    legend: { top: 0, type: "plain" },
    grid: { left: 80, right: 30, top: 24 + 22 * Math.ceil(variants.length / 4), bottom: 50 },
    xAxis: axis("latency, ms", {
      type: "log",
      // The few that are quicker say nothing, and would take half of the width.
      min: Number(`1e${decimalExponent(Math.min(...variants.map(almostLeastMs)))}`),
      axisLabel: { formatter: short },
    }),
    yAxis: axis("share of requests that took longer", {
      type: "log",
      max: 1,
      nameGap: 60,
      axisLabel: { formatter: (value: number) => `${+(value * 100).toPrecision(1)} %` },
    }),
    series: variants.map(({ name, sojourn }) => ({
      name,
      type: "line",
      showSymbol: false,
      lineStyle: { width: 2 },
      data: tail(sojourn),
    })),
  });
}

/** Connections in flight on each backend over time; the mean of all, if there are too many to tell. */
export function loadPlot({ course }: VariantPlots): Promise<string> {
  const { backends } = course;
  const lines = backends.length <= LINES_MAX ? backends : [{
    id: `mean of ${backends.length}`,
    inFlight: course.meanSojourn.map((_, i) =>
      backends.reduce((sum, { inFlight }) => sum + inFlight[i]!, 0) / backends.length
    ),
  }];
  return draw(300, {
    legend: { top: 0 },
    grid: { left: 80, right: 30, top: 50, bottom: 50 },
    xAxis: timeAxis(course),
    yAxis: axis("connections in flight", { type: "value", min: 0 }),
    series: lines.map(({ id, inFlight }, i) => ({
      name: id,
      type: "line",
      showSymbol: false,
      lineStyle: { width: 1.5 },
      data: overTime(course, inFlight),
      ...i === 0 && { markArea: faultAreas(course) },
    })),
  });
}

/** Mean latency over time, with the errors. */
export function coursePlot({ course }: VariantPlots): Promise<string> {
  const ms = course.meanSojourn.map((value) => value === null ? null : value / NS_PER_MS);
  return draw(280, {
    legend: { top: 0 },
    grid: { left: 80, right: 80, top: 50, bottom: 50 },
    xAxis: timeAxis(course),
    yAxis: [
      axis("mean latency, ms", { type: "value", min: 0 }),
      axis("errors", { type: "value", min: 0, splitLine: { show: false } }),
    ],
    series: [
      {
        name: "mean latency, ms",
        type: "line",
        showSymbol: false,
        data: overTime(course, ms),
        markArea: faultAreas(course),
      },
      {
        name: "errors",
        type: "line",
        step: "middle",
        yAxisIndex: 1,
        showSymbol: false,
        areaStyle: { opacity: 0.3 },
        lineStyle: { width: 0.5 },
        data: overTime(course, course.errors),
      },
    ],
  });
}

/** Who has a queue, and when. */
export function queuePlot({ course }: VariantPlots): Promise<string> {
  const { backends, interval } = course;
  const cells = backends.flatMap(({ queue }, row) =>
    queue.map((value, slice) => [slice, row, Math.round(value * 100) / 100])
  );
  const most = Math.max(1, ...cells.map(([, , value]) => value!));
  const slices = backends[0]?.queue.length ?? 0;
  return draw(130 + rowsHeight(backends.length), {
    grid: { left: 80, right: 110, top: 20, bottom: 60 },
    xAxis: axis("time, s", {
      type: "category",
      data: Array.from({ length: slices }, (_, i) => short(i * interval / NS_PER_S)),
      axisLabel: { interval: Math.ceil(slices / 10) - 1 },
      splitLine: { show: false },
    }),
    yAxis: { type: "category", data: backends.map(({ id }) => id), inverse: true },
    visualMap: {
      min: 0,
      max: most,
      calculable: false,
      orient: "vertical",
      right: 10,
      top: "middle",
      text: [short(most), "0"],
      inRange: { color: ["#f7fbff", "#9ecae1", "#3182bd", "#08306b"] },
    },
    series: [{ type: "heatmap", data: cells, progressive: 0 }],
  });
}

/** Faults, and when the balancers held whom for down. */
export function healthPlot({ course }: VariantPlots): Promise<string> {
  const { backends, faults, interval } = course;
  const row = new Map(backends.map(({ id }, i) => [id, i]));
  const end = lengthOf(course);
  const broken = faults.map(({ backend, at, until = end }) => [
    at / NS_PER_S,
    Math.min(until, end) / NS_PER_S,
    row.get(backend)!,
    0.45,
  ]);
  const down = backends.flatMap(({ up }, i) =>
    spansBelow(up).map(({ from, to, value }) => [
      from * interval / NS_PER_S,
      to * interval / NS_PER_S,
      i,
      1 - value,
    ])
  );
  const bar = (name: string, color: string, height: number, data: number[][]) => ({
    name,
    type: "custom",
    renderItem: rectangle(color, height),
    itemStyle: { color },
    encode: { x: [0, 1], y: 2 },
    data,
  });
  return draw(120 + rowsHeight(backends.length), {
    legend: { top: 0 },
    grid: { left: 80, right: 30, top: 40, bottom: 50 },
    xAxis: timeAxis(course),
    yAxis: { type: "category", data: backends.map(({ id }) => id), inverse: true },
    series: [
      bar("fault", FAULT_COLOR, 0.9, broken),
      bar("held for down", DOWN_COLOR, 0.45, down),
    ],
  });
}

/** Where values are below 1: neighbours that are alike are one span, its end not included. */
function spansBelow(values: readonly number[]): { from: number; to: number; value: number }[] {
  const spans: { from: number; to: number; value: number }[] = [];
  values.forEach((value, i) => {
    const last = spans.at(-1);
    if (value === 1) return;
    if (last !== undefined && last.to === i && last.value === value) last.to++;
    else spans.push({ from: i, to: i + 1, value });
  });
  return spans;
}

/** A bar from one value to another in a row; its last number is how opaque it is. */
function rectangle(color: string, height: number): CustomSeriesRenderItem {
  return (_params, api) => {
    const [from, to, row] = [0, 1, 2].map((i) => Number(api.value(i)));
    const [x = 0, y = 0] = api.coord([from!, row!]);
    const [right = 0] = api.coord([to!, row!]);
    const [, rowHeight = 0] = api.size!([0, 1]) as number[];
    return {
      type: "rect",
      shape: {
        x,
        y: y - rowHeight * height / 2,
        width: Math.max(right - x, 1),
        height: rowHeight * height,
      },
      style: { fill: color, opacity: Number(api.value(3)) },
    };
  };
}

/** What one request of fifty is below. */
function almostLeastMs({ sojourn }: VariantPlots): number {
  return sojourn.count === 0 ? 1 : Math.max(sojourn.quantile(0.02) / NS_PER_MS, 1e-3);
}

/** Points of the complementary distribution function, at every bucket that is not empty. */
function tail(sojourn: Histogram): [number, number][] {
  let below = 0;
  const points: [number, number][] = [];
  for (const { from, to, count } of sojourn.buckets()) {
    if (points.length === 0 && from > 0) points.push([from / NS_PER_MS, 1]);
    below += count;
    const above = 1 - below / sojourn.count;
    if (above > TAIL_MIN) points.push([to / NS_PER_MS, above]);
  }
  return points;
}

function overTime<T>({ interval }: Course, values: readonly T[]): [number, T][] {
  return values.map((value, i) => [(i + 0.5) * interval / NS_PER_S, value]);
}

function lengthOf({ interval, meanSojourn }: Course): Nanoseconds {
  return meanSojourn.length * interval;
}

function timeAxis(course: Course): Record<string, unknown> {
  return axis("time, s", { type: "value", min: 0, max: lengthOf(course) / NS_PER_S });
}

function axis(name: string, more: Record<string, unknown>): Record<string, unknown> {
  return { name, nameLocation: "middle", nameGap: 34, ...more };
}

function faultAreas(course: Course): Record<string, unknown> {
  const end = lengthOf(course);
  return {
    silent: true,
    itemStyle: { color: FAULT_COLOR, opacity: 0.18 },
    label: { fontSize: 10, color: "#7a4f00" },
    // What befalls several at once is one area, with all of their names on it.
    data: [
      ...Map.groupBy(course.faults, ({ kind, at, until }) => `${kind} ${at} ${until}`).values(),
    ]
      .map((faults) => {
        const { kind, at, until = end } = faults[0]!;
        const names = faults.map(({ backend }) => backend).join(", ");
        return [
          { name: `${names} ${kind}`, xAxis: at / NS_PER_S },
          { xAxis: Math.min(until, end) / NS_PER_S },
        ];
      }),
  };
}

function rowsHeight(rows: number): number {
  return Math.min(Math.max(rows * 22, 66), 600);
}

function short(value: number): string {
  return String(+value.toPrecision(3));
}

/** Draws without a page. The library is large, so it is loaded by those who plot. */
async function draw(height: number, option: EChartsCoreOption): Promise<string> {
  const { init } = await import("./chart_library.ts");
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({ backgroundColor: "#ffffff", animation: false, color: COLORS, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
