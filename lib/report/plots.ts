/** A study's plots, as SVG text. */
import type { EChartsCoreOption } from "echarts/core";
import { decimalExponent, type Nanoseconds, NS_PER_MS, NS_PER_S, power } from "../base/mod.ts";
import type { FaultResult, Series } from "../metrics/mod.ts";
import type { Histogram } from "../stats/mod.ts";
import { escape } from "./markup.ts";
import { type Sheet, WIDE } from "./sheet.ts";

/** The course of one replication over time, in slices of `interval`. */
export interface Course extends Pick<Series, "interval" | "meanSojourn" | "errors"> {
  readonly backends: readonly (
    & { readonly id: string }
    & Pick<Series["backends"][number], "inFlight" | "queue" | "up">
  )[];
  readonly faults: readonly Pick<FaultResult, "backend" | "kind" | "at" | "until">[];
}

/** The data of a variant's plots. */
export interface VariantPlots {
  readonly name: string;
  /** Sojourn times of all replications together. */
  readonly sojourn: Histogram;
  readonly course: Course;
}

/** The ends of the axes of several variants' plots, so that the plots can be compared. */
export interface Scales {
  readonly end_s: number;
  readonly latency_ms: number;
  readonly errors: number;
  readonly inFlight: number;
  readonly queue: number;
}

const FONT_SIZE = 13;
const LINE_HEIGHT = 20;
/** Distinct with every kind of colour vision. Source: M. Okabe and K. Ito, "Color universal design", 2002. */
const COLORS = [
  ...["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#000000"],
];
/** Five styles and eight colours: forty lines differ in one or the other, neighbours in both. */
const DASHES = [[], [8, 3], [2, 3], [9, 3, 2, 3], [4, 2]];
const TEXT_COLOR = "#54555a";
const GRID_COLOR = "#dbdee4";
const PAPER_COLOR = "#ffffff";
const FAULT_COLOR = "#f0ad2e";
const FAULT_TEXT_COLOR = "#7a4f00";
const DOWN_COLOR = "#c0392b";
const HEAT_COLOR = "#08519c";
/** Each colour of the plots, and its counterpart on a dark page. */
const DARK: Readonly<Record<string, string>> = {
  "#0072b2": "#4aa8e0",
  "#d55e00": "#ff8c42",
  "#009e73": "#2ec49a",
  "#cc79a7": "#e29cc2",
  "#e69f00": "#f2b632",
  "#56b4e9": "#9bd6f7",
  "#7a6a00": "#c2b03a",
  "#000000": "#f2f2f2",
  [TEXT_COLOR]: "#c4c6cc",
  [GRID_COLOR]: "#3a3d44",
  [PAPER_COLOR]: "#16181c",
  [FAULT_COLOR]: "#f0ad2f",
  [FAULT_TEXT_COLOR]: "#f0c060",
  [DOWN_COLOR]: "#ff6b5c",
  [HEAT_COLOR]: "#7cc4ff",
};
/** The plots' colours as CSS variables: a page or a picture with plots needs this style. */
export const PLOT_STYLE = `@media (prefers-color-scheme: dark) { :root { ${
  Object.entries(DARK).map(([light, dark]) => `${variable(light)}: ${dark};`).join(" ")
} } }`;
/** The plot ends at this share of requests: beyond it, too few requests are left. */
const TAIL_MIN = 1e-6;
/** With more backends than this, lines cannot be distinguished. */
const LINES_MAX = 12;
/** With more backends than this, neighbours share a row. */
const ROWS_MAX = 40;
/** Shades of a heat map. */
const SHADES = 16;
/**
 * The number of rows of fault labels. A fault without room for a label is named in the table, and when a pointer rests
 * on it.
 */
const FAULT_LANES = 5;
/** Longer names are cut in legends. */
const NAME_MAX = 80;

/** The part of a picture between the axes. */
interface Frame {
  readonly sheet: Sheet;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly height: number;
}

/**
 * A variant whose maximum is more than this many times the median has a scale of its own. Otherwise it would flatten
 * the plots of the others.
 */
const OUTLIER = 4;

/** The scales that the plots of several variants have in common. */
export function commonScales(variants: readonly VariantPlots[]): Scales {
  const all = variants.map(maxima);
  const common = (name: keyof Scales) => {
    // A variant without any value (none of its requests was done) does not affect the scale.
    const values = all.map((own) => own[name]).filter((value) => value > 0).sort((a, b) => a - b);
    const median = values[Math.floor((values.length - 1) / 2)] ?? 0;
    return values.findLast((value) => value <= OUTLIER * median) ?? 0;
  };
  return {
    end_s: Math.max(...all.map(({ end_s }) => end_s)),
    latency_ms: roundUp(common("latency_ms") || 1),
    errors: roundUp(Math.max(5, common("errors"))),
    inFlight: roundUp(common("inFlight") || 1),
    queue: roundUp(common("queue") || 1),
  };
}

/** The ends of one variant's axes: its own maximum if that is beyond the common scale. */
export function scalesOf(variant: VariantPlots, common: Scales): Scales {
  const own = maxima(variant);
  const end = (name: keyof Scales) => own[name] > common[name] ? roundUp(own[name]) : common[name];
  return {
    end_s: common.end_s,
    latency_ms: end("latency_ms"),
    errors: end("errors"),
    inFlight: end("inFlight"),
    queue: end("queue"),
  };
}

function maxima({ course }: VariantPlots): Scales {
  const { meanSojourn, errors } = course;
  return {
    end_s: lengthOf(course) / NS_PER_S,
    latency_ms: most(meanSojourn.map((value) => (value ?? 0) / NS_PER_MS)),
    errors: most(errors),
    inFlight: most(loadLines(course).map(({ inFlight }) => most(inFlight))),
    queue: most(rowsOf(course).map(({ queue }) => most(queue))),
  };
}

/** The share of requests that took longer, by latency; both axes logarithmic, so that the tail shows. */
export function latencyPlot(
  variants: readonly VariantPlots[],
  sheet: Sheet = WIDE,
): Promise<string> {
  const legend = lineLegend(variants.map(({ name }) => name), sheet);
  const { shareAxis: left, edge: right } = sheet;
  const frame = { sheet, left, right, top: legend.height + 14, height: 340 };
  const tails = variants.map(({ sojourn }) => tail(sojourn));
  // The few fastest requests are left out: they would take half of the width.
  const min = decimalExponent(Math.min(...variants.map(almostLeastMs)));
  const slowest = Math.max(...tails.map((points) => points.at(-1)?.[0] ?? 1));
  const max = Math.max(min, decimalExponent(slowest)) + 1;
  const columns = 60;
  const titles = Array.from({ length: columns }, (_, i) => {
    const ms = power(10, min + (max - min) * (i + 0.5) / columns);
    const shares = variants.map(({ name }, v) => {
      const share = tails[v]!.findLast(([to]) => to <= ms)?.[1] ?? 1;
      const isLast = ms > (tails[v]!.at(-1)?.[0] ?? 0);
      return `${name}: ${isLast ? "none" : `${short(100 * share)} %`}`;
    });
    return [`longer than ${short(ms)} ms`, ...shares].join("\n");
  });
  return draw(frame, {
    xAxis: axis("latency, ms", {
      type: "log",
      min: Number(`1e${min}`),
      max: Number(`1e${max}`),
      axisLabel: {
        color: TEXT_COLOR,
        fontSize: FONT_SIZE,
        // On a narrow sheet, large powers of ten are too wide.
        formatter: (value: number) =>
          sheet.hasTitles || value < 10_000 ? short(value) : `${short(value / 1000)}k`,
      },
    }),
    yAxis: axis("share of requests that took longer", {
      type: "log",
      max: 1,
      nameGap: sheet.shareNameGap,
      axisLabel: {
        color: TEXT_COLOR,
        fontSize: FONT_SIZE,
        formatter: (value: number) => `${+(value * 100).toPrecision(1)} %`,
      },
    }),
    series: tails.map((data, i) => line(i, data)),
  }, { over: legend.svg + hoverColumns(frame, titles, 1) });
}

/** Draws the course of a variant over time; by default with its own scales, on a wide sheet. */
type CoursePlot = (variant: VariantPlots, scales?: Scales, sheet?: Sheet) => Promise<string>;

function ofCourse(
  drawn: (course: Course, scales: Scales, sheet: Sheet) => Promise<string>,
): CoursePlot {
  return (variant, scales = commonScales([variant]), sheet = WIDE) =>
    drawn(variant.course, scales, sheet);
}

/** Connections in flight on each backend over time; the mean of all if there are too many backends. */
export const loadPlot = /* @__PURE__ */ ofCourse((course, scales, sheet) => {
  const lines = loadLines(course);
  return drawLines(course, scales, sheet, {
    names: lines.map(({ id }) => id),
    right: sheet.edge,
    height: 210,
    values: (i) => lines.map(({ id, inFlight }) => `${id}: ${short(inFlight[i]!)} in flight`),
    yAxis: valueAxis("connections in flight", scales.inFlight, sheet),
    series: lines.map(({ inFlight }, i) => line(i, overTime(course, inFlight), 1.5)),
  });
});

/** Mean latency over time, with the errors. */
export const coursePlot = /* @__PURE__ */ ofCourse((course, scales, sheet) => {
  const ms = course.meanSojourn.map((value) => value === null ? null : value / NS_PER_MS);
  const valuesAt = (i: number) => [
    ms[i] == null ? "no request done" : `mean latency: ${short(ms[i])} ms`,
    `errors: ${short(course.errors[i]!)}`,
  ];
  const errors = {
    ...line(1, overTime(course, course.errors), 1),
    ...{ step: "middle", yAxisIndex: 1, areaStyle: { opacity: 0.3 } },
  };
  return drawLines(course, scales, sheet, {
    names: ["mean latency, ms", "errors"],
    right: sheet.axis,
    height: 190,
    values: valuesAt,
    yAxis: [
      valueAxis("mean latency, ms", scales.latency_ms, sheet),
      { ...valueAxis("errors", scales.errors, sheet), splitLine: { show: false } },
    ],
    series: [line(0, overTime(course, ms)), errors],
  });
});

/** The lines of a plot over time. */
interface Lines extends EChartsCoreOption {
  readonly names: readonly string[];
  /** Room at the right of the plot, and the height of its inside. */
  readonly right: number;
  readonly height: number;
  /** The values that are shown when a pointer rests on a slice of time. */
  readonly values: (slice: number) => readonly string[];
}

/** Draws lines over time, with the faults behind them. */
function drawLines(
  course: Course,
  scales: Scales,
  sheet: Sheet,
  { names, right, height, values, ...axes }: Lines,
): Promise<string> {
  const legend = lineLegend(names, sheet);
  const { axis: left } = sheet;
  const faults = faultMarks(course, scales, { sheet, left, right, top: legend.height });
  const frame = { sheet, left, right, top: legend.height + faults.height + 12, height };
  const titles = course.meanSojourn.map((_, i) => sliceTitle(course, i, values(i)));
  return draw(frame, { xAxis: timeAxis(scales), ...axes }, {
    under: faults.areas(frame),
    over: legend.svg + faults.labels + hoverColumns(frame, titles, shareShown(course, scales)),
  });
}

/** The queue of each backend over time. */
export const queuePlot = /* @__PURE__ */ ofCourse((course, scales, sheet) => {
  const rows = rowsOf(course);
  const shade = (value: number) => Math.round(SHADES * value / scales.queue);
  const cells = rows.flatMap(({ queue }, row) =>
    spans(queue, shade).map(({ from, to, key, values }) => ({
      ...{ row, from, to, opacity: key / SHADES },
      title: values.every((value) => value === values[0])
        ? `${short(values[0]!)} in the queue`
        : `${short(Math.min(...values))} to ${short(Math.max(...values))} in the queue`,
    }))
  );
  const [{ left }, right] = [rowFrame(rows, sheet), sheet.axis];
  const frame = { sheet, left, right, top: 12, height: rowsHeight(rows.length) };
  const x = sheet.width - right + 18;
  const scale = Array.from(
    { length: 8 },
    (_, i) =>
      `<rect x="${x}" y="${12 + 6 * i}" width="14" height="6" fill="${HEAT_COLOR}" fill-opacity="${
        (8 - i) / 8
      }"/>`,
  ).join("") + text(x + 20, 18, short(scales.queue)) + text(x + 20, 58, "0");
  return draw(frame, rowAxes(rows, scales, sheet), {
    over: scale + rowCells(frame, rows, course, scales, cells, HEAT_COLOR, 1),
  });
});

/** Faults, and the times for which the balancers considered a backend down. */
export const healthPlot = /* @__PURE__ */ ofCourse((course, scales, sheet) => {
  const rows = rowsOf(course);
  const { interval } = course;
  const rowOf = new Map(
    rows.flatMap(({ members }, row) => members.map((id) => [id, row] as const)),
  );
  const broken = course.faults.map(({ backend, kind, at, until = lengthOf(course) }) => ({
    row: rowOf.get(backend)!,
    from: at / interval,
    to: Math.min(until, lengthOf(course)) / interval,
    opacity: 0.45,
    title: `${backend} ${kind}`,
  }));
  const down = rows.flatMap(({ up }, row) =>
    spans(up, (value) => value).filter(({ key }) => key < 1).map(({ from, to, key }) => ({
      ...{ row, from, to, opacity: 1 - key },
      title: `considered down${key === 0 ? "" : ` for ${short(100 * (1 - key))} % of the time`}`,
    }))
  );
  const legend = legendOf(
    ["fault", "considered down"],
    (i, x, y) =>
      `<rect x="${x}" y="${y - 6}" width="28" height="12" fill="${
        [FAULT_COLOR, DOWN_COLOR][i]
      }" fill-opacity="${[0.45, 1][i]}"/>`,
    sheet,
  );
  const frame = {
    ...rowFrame(rows, sheet),
    right: sheet.edge,
    top: legend.height + 8,
    height: rowsHeight(rows.length),
  };
  return draw(frame, rowAxes(rows, scales, sheet), {
    over: legend.svg + rowCells(frame, rows, course, scales, broken, FAULT_COLOR, 0.9) +
      rowCells(frame, rows, course, scales, down, DOWN_COLOR, 0.45),
  });
});

interface Row {
  readonly id: string;
  readonly members: readonly string[];
  readonly queue: readonly number[];
  readonly up: readonly number[];
}

/** A part of a row, in slices of time. */
interface Cell {
  readonly row: number;
  readonly from: number;
  readonly to: number;
  readonly opacity: number;
  readonly title: string;
}

/** A row for each backend, or for the mean of several neighbours. */
function rowsOf({ backends }: Course): Row[] {
  const size = Math.ceil(backends.length / ROWS_MAX);
  const count = Math.ceil(backends.length / size) || 0;
  return Array.from({ length: count }, (_, i) => {
    const group = backends.slice(i * size, (i + 1) * size);
    const members = group.map(({ id }) => id);
    const mean = (name: "queue" | "up") =>
      group[0]![name].map((_, slice) =>
        group.reduce((sum, backend) => sum + backend[name][slice]!, 0) / group.length
      );
    const id = members.length === 1 ? members[0]! : `${members[0]} to ${members.at(-1)} (mean)`;
    return { id, members, queue: mean("queue"), up: mean("up") };
  });
}

/** Neighbouring values with the same key are one span. Its end is exclusive. */
function spans(values: readonly number[], keyOf: (value: number) => number) {
  const found: { from: number; to: number; key: number; values: number[] }[] = [];
  values.forEach((value, i) => {
    const last = found.at(-1);
    const key = keyOf(value);
    if (last?.key === key) {
      last.to++;
      last.values.push(value);
    } else found.push({ from: i, to: i + 1, key, values: [value] });
  });
  return found;
}

function rowCells(
  { sheet, left, right, top, height }: Frame,
  rows: readonly Row[],
  { interval }: Course,
  { end_s }: Scales,
  cells: readonly Cell[],
  color: string,
  share: number,
): string {
  const rowHeight = height / rows.length;
  const perSlice = (sheet.width - left - right) * interval / NS_PER_S / end_s;
  const at = (slice: number) => short(slice * interval / NS_PER_S);
  const shapes = cells.map(({ row, from, to, opacity, title }) =>
    `<path fill-opacity="${short(opacity)}" d="${
      box(
        left + from * perSlice,
        top + rowHeight * (row + (1 - share) / 2),
        Math.max((to - from) * perSlice, 1),
        rowHeight * share,
      )
    }"${
      sheet.hasTitles
        ? `><title>${
          escape(`${rows[row]!.id}, ${at(from)} to ${at(to)} s: ${title}`)
        }</title></path>`
        : "/>"
    }`
  );
  return `<g fill="${color}">${shapes.join("")}</g>`;
}

function rowAxes(rows: readonly Row[], scales: Scales, { nameMax }: Sheet): EChartsCoreOption {
  return {
    xAxis: timeAxis(scales),
    yAxis: {
      type: "category",
      data: rows.map((row) => rowName(row, nameMax)),
      inverse: true,
      axisLabel: { color: TEXT_COLOR, fontSize: FONT_SIZE },
    },
    series: [],
  };
}

/** A row's name, cut to this number of characters. */
function rowName({ id, members }: Row, most: number): string {
  const isGroup = members.length > 1 && id.length > most;
  return shortened(isGroup ? `${members[0]}–${members.at(-1)}` : id, most);
}

function rowFrame(
  rows: readonly Row[],
  sheet: Sheet,
): { readonly sheet: Sheet; readonly left: number } {
  const widest = most(rows.map((row) => textWidth(rowName(row, sheet.nameMax))));
  return { sheet, left: Math.max(sheet.axis, 20 + widest) };
}

/** The lines of a load plot. */
function loadLines({ backends, meanSojourn }: Course) {
  return backends.length <= LINES_MAX ? backends : [{
    id: `mean of ${backends.length}`,
    inFlight: meanSojourn.map((_, i) =>
      backends.reduce((sum, { inFlight }) => sum + inFlight[i]!, 0) / backends.length
    ),
  }];
}

/** The quantile at which the latency plot begins: one of fifty requests is faster. */
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

function shareShown(course: Course, { end_s }: Scales): number {
  return lengthOf(course) / NS_PER_S / end_s;
}

/** The text about one slice of time. */
function sliceTitle(course: Course, slice: number, lines: readonly string[]): string {
  const [from, to] = [slice * course.interval, (slice + 1) * course.interval];
  const faults = course.faults.filter(({ at, until = Infinity }) => at < to && until > from);
  return [
    `${short(from / NS_PER_S)} to ${short(to / NS_PER_S)} s`,
    ...lines,
    ...faults.map(({ backend, kind }) => `${backend} ${kind}`),
  ].join("\n");
}

/** Faults as areas, with labels in rows above the frame, so that no label covers another. */
function faultMarks(
  course: Course,
  { end_s }: Scales,
  { sheet, left, right, top }: Omit<Frame, "height">,
) {
  const end = lengthOf(course);
  const nameMax = Math.min(60, charactersIn(sheet.width - 12));
  const x = (at: Nanoseconds) => left + (sheet.width - left - right) * at / NS_PER_S / end_s;
  // Faults of several backends at the same time are one area, with all of their names on it.
  const areas = [
    ...Map.groupBy(course.faults, ({ kind, at, until }) => `${kind} ${at} ${until}`).values(),
  ].map((faults) => {
    const { kind, at, until = end } = faults[0]!;
    const names = faults.map(({ backend }) => backend);
    const shown = names.length > 4
      ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
      : names.join(", ");
    return {
      from: x(at),
      to: x(Math.min(until, end)),
      name: shortened(`${shown} ${kind}`, nameMax),
    };
  });
  const lanes: number[] = [];
  const labels = areas.toSorted((a, b) => a.from - b.from).flatMap(({ from, name }) => {
    const start = Math.max(0, Math.min(from, sheet.width - textWidth(name) - 4));
    const free = lanes.findIndex((taken) => taken <= start);
    const lane = free === -1 ? lanes.length : free;
    if (lane === FAULT_LANES) return [];
    lanes[lane] = start + textWidth(name) + 8;
    return [text(start, top + LINE_HEIGHT * (lane + 0.5), name, FAULT_TEXT_COLOR)];
  });
  return {
    labels: labels.join(""),
    height: lanes.length * LINE_HEIGHT,
    areas: (frame: Frame) =>
      areas.map(({ from, to }) =>
        `<path fill="${FAULT_COLOR}" fill-opacity="0.18" d="${
          box(from, frame.top, Math.max(to - from, 1), frame.height)
        }"/>`
      ).join(""),
  };
}

/** Invisible columns that show their title when a pointer rests on them. */
function hoverColumns(
  { sheet, left, right, top, height }: Frame,
  titles: readonly string[],
  share: number,
): string {
  if (!sheet.hasTitles) return "";
  const width = (sheet.width - left - right) * share / titles.length;
  const columns = titles.map((title, i) =>
    `<path d="${box(left + i * width, top, width, height)}"><title>${escape(title)}</title></path>`
  );
  return `<g fill="none" pointer-events="all">${columns.join("")}</g>`;
}

function lineLegend(names: readonly string[], sheet: Sheet) {
  return legendOf(
    names,
    (i, x, y) =>
      `<path d="M${x} ${y}h28" fill="none" stroke-width="2" stroke="${
        colorOf(i)
      }" stroke-dasharray="${dashOf(i).join(" ") || "none"}"/>`,
    sheet,
  );
}

/** Puts entries into as many rows as they need. */
function legendOf(
  names: readonly string[],
  symbol: (i: number, x: number, y: number) => string,
  { width: end, legend: start }: Sheet,
) {
  const longest = Math.min(NAME_MAX, charactersIn(end - start - 34));
  let [x, y] = [start, LINE_HEIGHT / 2 + 2];
  const entries = names.map((name, i) => {
    const shown = shortened(name, longest);
    const width = 34 + textWidth(shown) + 18;
    if (x > start && x + width > end) [x, y] = [start, y + LINE_HEIGHT];
    const entry = symbol(i, x, y) + text(x + 34, y, shown);
    x += width;
    return entry;
  });
  return { svg: entries.join(""), height: y + LINE_HEIGHT / 2 + 2 };
}

function line(i: number, data: readonly unknown[], width = 2): Record<string, unknown> {
  const type = dashOf(i).length === 0 ? "solid" : dashOf(i);
  return {
    ...{ type: "line", silent: true, showSymbol: false, data, color: colorOf(i) },
    lineStyle: { width, type },
  };
}

function colorOf(i: number): string {
  return COLORS[i % COLORS.length]!;
}

function dashOf(i: number): readonly number[] {
  return DASHES[i % DASHES.length]!;
}

function timeAxis({ end_s }: Scales): Record<string, unknown> {
  return axis("time, s", { type: "value", min: 0, max: end_s });
}

function valueAxis(name: string, max: number, { nameGap }: Sheet): Record<string, unknown> {
  return axis(name, { type: "value", min: 0, max, interval: max / 5, nameGap });
}

function axis(name: string, more: Record<string, unknown>): Record<string, unknown> {
  return {
    name,
    nameLocation: "middle",
    nameMoveOverlap: false,
    nameGap: 30,
    nameTextStyle: { color: TEXT_COLOR, fontSize: FONT_SIZE },
    axisLabel: { color: TEXT_COLOR, fontSize: FONT_SIZE, hideOverlap: true, formatter: short },
    axisLine: { lineStyle: { color: TEXT_COLOR } },
    splitLine: { lineStyle: { color: GRID_COLOR } },
    ...more,
  };
}

function text(x: number, y: number, content: string, color = TEXT_COLOR): string {
  return `<text x="${short(x)}" y="${short(y)}" dominant-baseline="central" fill="${color}" ` +
    `style="font-size:${FONT_SIZE}px;font-family:sans-serif">${escape(content)}</text>`;
}

/** The approximate width of a text; rather too wide than too narrow. */
function textWidth(content: string): number {
  const ems = [...content].map((character) => character > "\u2e7f" ? 1.05 : 0.6);
  return FONT_SIZE * ems.reduce((sum, em) => sum + em, 0);
}

/** About how many characters fit into a width. */
function charactersIn(width: number): number {
  return Math.floor(width / (0.6 * FONT_SIZE));
}

/** A long name without its middle: names that are alike often differ at their end. */
function shortened(name: string, max: number): string {
  if (name.length <= max) return name;
  const half = Math.floor((max - 1) / 2);
  return `${name.slice(0, half)}…${name.slice(-half)}`;
}

function box(x: number, y: number, width: number, height: number): string {
  const [w, h] = [tenths(width), tenths(height)];
  return `M${tenths(x)} ${tenths(y)}h${w}v${h}h-${w}z`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function rowsHeight(rows: number): number {
  return Math.min(Math.max(rows * 22, 66), 600);
}

/** The next round number. */
function roundUp(value: number): number {
  const unit = Number(`1e${decimalExponent(value)}`);
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= value)! * unit;
}

function most(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}

function short(value: number): string {
  return String(+value.toPrecision(3));
}

function variable(color: string): string {
  return `--plot-${color.slice(1)}`;
}

/** Draws without a browser. The library is large, so it is loaded only when a plot is drawn. */
async function draw(
  { sheet, left, right, top, height }: Frame,
  option: EChartsCoreOption,
  { under = "", over }: { readonly under?: string; readonly over: string },
): Promise<string> {
  const bottom = 50;
  const { init } = await import("./chart_library.ts");
  const size = { width: sheet.width, height: top + height + bottom };
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  chart.setOption({
    animation: false,
    grid: { left, right, top, bottom, outerBoundsMode: "none" },
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  const start = svg.indexOf(">") + 1;
  const end = svg.lastIndexOf("</svg>");
  const paper = `<rect width="${size.width}" height="${size.height}" fill="${PAPER_COLOR}"/>`;
  return (svg.slice(0, start) + paper + under + svg.slice(start, end) + over + svg.slice(end))
    .replaceAll(
      /="(#[0-9a-f]{6})"/g,
      (_, color) => color in DARK ? `="var(${variable(color)}, ${color})"` : `="${color}"`,
    );
}
