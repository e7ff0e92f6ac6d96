/** A plot as data. The page draws it, and writes it as a table, as CSV and as SVG. */
export interface PlotData {
  readonly title: string;
  readonly x: PlotAxis;
  readonly y: PlotAxis;
  /** The places of all points, in ascending order. */
  readonly xs: readonly number[];
  readonly series: readonly PlotSeries[];
}

/** An axis of a plot. */
export interface PlotAxis {
  /** The name of the axis, with its unit. */
  readonly label: string;
  readonly isLog?: boolean;
  /** The end of the axis that does not depend on the data. */
  readonly min?: number;
  readonly max?: number;
  readonly format: (value: number) => string;
}

/** A line of a plot. */
export interface PlotSeries {
  readonly label: string;
  readonly colour: string;
  readonly dash: readonly number[];
  /** One value for each place; null if it is unknown. */
  readonly values: readonly (number | null)[];
}

/** The plot as CSV: a line for each place, a column for each line of the plot. */
export function plotCsv({ x, xs, series }: PlotData): string {
  const rows = [
    [x.label, ...series.map(({ label }) => label)],
    ...xs.map((place, i) => [place, ...series.map(({ values }) => values[i] ?? "")]),
  ];
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The colours of an SVG. */
export interface SvgColours {
  readonly ground: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 64;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 44;

/** The plot as an SVG file, with its title and the names of its lines. */
export function plotSvg(plot: PlotData, colours: SvgColours): string {
  const { title, x, y, xs, series } = plot;
  const xScale = scaleOf(x, xs, LEFT, WIDTH - RIGHT);
  const yScale = scaleOf(y, series.flatMap(({ values }) => values), HEIGHT - BOTTOM, TOP);
  const legend = 18 * series.length + 10;
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT + legend}" fill="${colours.ground}"/>`,
    text(LEFT, 20, title, colours.text, 'font-weight="600" font-size="15"'),
    ...xScale.ticks.flatMap((tick) => {
      const at = number(xScale.place(tick));
      return [
        `<path d="M${at} ${TOP}V${HEIGHT - BOTTOM}" stroke="${colours.grid}"/>`,
        text(at, HEIGHT - BOTTOM + 16, x.format(tick), colours.muted, 'text-anchor="middle"'),
      ];
    }),
    ...yScale.ticks.flatMap((tick) => {
      const at = number(yScale.place(tick));
      return [
        `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="${colours.grid}"/>`,
        text(LEFT - 6, at + 4, y.format(tick), colours.muted, 'text-anchor="end"'),
      ];
    }),
    text(WIDTH - RIGHT, HEIGHT - 8, x.label, colours.muted, 'text-anchor="end"'),
    ...series.map(({ values, colour, dash }) => {
      const line = pathOf(xs, values, xScale, yScale);
      return `<path d="${line}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${
        dash.join(" ")
      }"/>`;
    }),
    ...series.flatMap(({ label, colour, dash }, i) => {
      const at = HEIGHT + 18 * i + 8;
      return [
        `<path d="M${LEFT} ${at}h28" stroke="${colour}" stroke-width="3" stroke-dasharray="${
          dash.join(" ")
        }"/>`,
        text(LEFT + 36, at + 4, label, colours.text, ""),
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${
    HEIGHT + legend
  }" font-family="system-ui, sans-serif" font-size="12">${parts.join("\n")}</svg>\n`;
}

interface Scale {
  readonly ticks: readonly number[];
  place(value: number): number;
}

function scaleOf(
  axis: PlotAxis,
  values: readonly (number | null)[],
  from: number,
  to: number,
): Scale {
  const [min, max] = rangeOf(axis, values);
  const part = axis.isLog
    ? (value: number) => Math.log10(value / min) / Math.log10(max / min)
    : (value: number) => (value - min) / (max - min);
  return {
    ticks: axis.isLog ? logTicks(min, max) : evenTicks(min, max),
    place: (value) => from + (to - from) * part(value),
  };
}

/** The two ends of an axis, which are different. On a logarithmic axis both are above 0. */
export function rangeOf(axis: PlotAxis, values: readonly (number | null)[]): [number, number] {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value === null || axis.isLog && value <= 0) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (min > max) [min, max] = axis.isLog ? [0.1, 1] : [0, 1];
  min = axis.min ?? min;
  max = axis.max ?? max;
  if (max > min) return [min, max];
  return axis.isLog ? [min, 10 * min] : [min, min + 1];
}

/** The ticks of a logarithmic axis: powers of ten; if there are too few, also 2 and 5 times them, or even steps. */
export function logTicks(min: number, max: number): number[] {
  const first = Math.floor(Math.log10(min));
  const decades = Array.from(
    { length: Math.ceil(Math.log10(max)) - first + 1 },
    (_, k) => 10 ** (first + k),
  );
  const isInside = (tick: number) => tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9);
  const whole = decades.filter(isInside);
  if (whole.length >= 2) return whole;
  const finer = decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]).filter(isInside);
  return finer.length >= 2 ? finer : evenTicks(min, max);
}

function evenTicks(min: number, max: number): number[] {
  const rough = (max - min) / 5;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * decade).find((one) => one >= rough)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(min / step - 1e-9); k * step <= max + 1e-9 * step; k++) {
    ticks.push(k * step);
  }
  return ticks;
}

function pathOf(
  xs: readonly number[],
  values: readonly (number | null)[],
  xScale: Scale,
  yScale: Scale,
): string {
  let path = "";
  let isDown = false;
  xs.forEach((x, i) => {
    const value = values[i] ?? null;
    if (value === null) {
      isDown = false;
      return;
    }
    const [at, up] = [xScale.place(x), yScale.place(value)];
    if (!Number.isFinite(at) || !Number.isFinite(up)) return;
    path += `${isDown ? "L" : "M"}${number(at)} ${number(up)}`;
    isDown = true;
  });
  return path;
}

function number(value: number): number {
  return Math.round(10 * value) / 10;
}

function text(x: number, y: number, words: string, colour: string, more: string): string {
  return `<text x="${x}" y="${y}" fill="${colour}" ${more}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
