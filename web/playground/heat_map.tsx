import { useEffect, useRef } from "preact/hooks";
import { formatNumber } from "../dashboard/mod.ts";
import { type Colours, useColours } from "./colours.ts";
import { Figure } from "./figure.tsx";
import type { Series } from "./protocol.ts";

const HEIGHT = 150;
const LEFT = 46;
const BOTTOM = 18;
/** More columns than this are drawn as means of several slices. */
const COLUMNS_MAX = 300;
const ROWS_MAX = 12;

/** A heat map as numbers: one value for each column of time and each backend. */
interface Heat {
  readonly columns: number;
  readonly rows: number;
  readonly interval_ms: number;
  readonly max: number;
  at(column: number, row: number): number;
}

function heatOf({ length, backends, in_flight, interval_ms }: Series): Heat {
  const merged = Math.max(1, Math.ceil(length / COLUMNS_MAX));
  const columns = Math.ceil(length / merged);
  const values = new Float32Array(columns * backends);
  let max = 1;
  for (let column = 0; column < columns; column++) {
    const until = Math.min(length, (column + 1) * merged);
    for (let row = 0; row < backends; row++) {
      let sum = 0;
      for (let i = column * merged; i < until; i++) sum += in_flight[i * backends + row]!;
      const mean = sum / (until - column * merged);
      values[column * backends + row] = mean;
      max = Math.max(max, mean);
    }
  }
  return {
    columns,
    rows: backends,
    interval_ms: interval_ms * merged,
    max,
    at: (column, row) => values[column * backends + row]!,
  };
}

/** How strong a value is drawn: 0 to 1. Small numbers differ as visibly as large ones. */
function strength(value: number, max: number): number {
  return Math.log1p(Math.max(0, value)) / Math.log1p(max);
}

/** Requests in flight: a row for each backend, time from left to right, darker for more. */
export function HeatMap({ title, series, ids, max }: {
  readonly title: string;
  readonly series: Series;
  readonly ids: readonly string[];
  /** The largest value of all variants, so that their colours can be compared. */
  readonly max: number;
}) {
  const colours = useColours();
  const canvas = useRef<HTMLCanvasElement>(null);
  const heat = heatOf(series);
  useEffect(() => {
    const element = canvas.current!;
    const draw = () => drawHeat(element, heat, ids, max, colours);
    draw();
    const resize = new ResizeObserver(draw);
    resize.observe(element);
    return () => resize.disconnect();
  }, [series, colours, max]);
  return (
    <Figure
      title={title}
      note={`The darkest colour is ${formatNumber(max)} in flight.`}
      svg={() => heatSvg(title, heat, ids, max, colours)}
      csv={() => heatCsv(heat, ids)}
      table={() => <HeatTable heat={heat} ids={ids} />}
    >
      <canvas
        ref={canvas}
        class="heat"
        style={{ height: `${HEIGHT}px` }}
        role="img"
        aria-label={`${title}. The table below it has the same numbers.`}
      />
    </Figure>
  );
}

/** The largest mean of a slice in any of these series; at least 1. */
export function largestInFlight(all: readonly Series[]): number {
  return Math.max(1, ...all.map((series) => heatOf(series).max));
}

function drawHeat(
  element: HTMLCanvasElement,
  heat: Heat,
  ids: readonly string[],
  max: number,
  colours: Colours,
): void {
  const scale = devicePixelRatio;
  const width = element.clientWidth;
  element.width = Math.round(width * scale);
  element.height = Math.round(HEIGHT * scale);
  const context = element.getContext("2d")!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const high = (HEIGHT - BOTTOM) / Math.max(1, heat.rows);
  const wide = (width - LEFT) / Math.max(1, heat.columns);
  context.fillStyle = colours.grid;
  context.fillRect(LEFT, 0, width - LEFT, HEIGHT - BOTTOM);
  context.fillStyle = colours.accent;
  for (let column = 0; column < heat.columns; column++) {
    for (let row = 0; row < heat.rows; row++) {
      context.globalAlpha = strength(heat.at(column, row), max);
      // Each cell is drawn a little wider, so that no gap shows between two columns.
      context.fillRect(LEFT + column * wide, row * high, wide + 0.5, high - (high > 6 ? 1 : 0));
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = colours.muted;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "right";
  const every = Math.ceil(13 / high);
  for (let row = 0; row < heat.rows; row += every) {
    context.fillText(ids[row] ?? "", LEFT - 5, (row + 0.5) * high, LEFT - 6);
  }
  context.textBaseline = "bottom";
  context.textAlign = "left";
  context.fillText("0 s", LEFT, HEIGHT);
  context.textAlign = "right";
  context.fillText(secondsOf(heat, heat.columns), width, HEIGHT);
}

function secondsOf({ interval_ms }: Heat, column: number): string {
  return `${formatNumber(column * interval_ms / 1000)} s`;
}

function heatSvg(
  title: string,
  heat: Heat,
  ids: readonly string[],
  max: number,
  colours: Colours,
): string {
  const [width, top] = [640, 30];
  const wide = (width - LEFT - 10) / Math.max(1, heat.columns);
  const high = Math.max(4, Math.min(20, 300 / Math.max(1, heat.rows)));
  const bottom = top + high * heat.rows;
  const cells: string[] = [];
  for (let column = 0; column < heat.columns; column++) {
    for (let row = 0; row < heat.rows; row++) {
      const opacity = strength(heat.at(column, row), max).toFixed(2);
      if (opacity === "0.00") continue;
      cells.push(
        `<rect x="${(LEFT + column * wide).toFixed(1)}" y="${
          (top + row * high).toFixed(1)
        }" width="${(wide + 0.3).toFixed(1)}" height="${high.toFixed(1)}" opacity="${opacity}"/>`,
      );
    }
  }
  const every = Math.ceil(12 / high);
  const names = ids.slice(0, heat.rows).flatMap((id, row) =>
    row % every !== 0 ? [] : [
      `<text x="${LEFT - 5}" y="${
        top + (row + 0.5) * high + 4
      }" text-anchor="end" fill="${colours.muted}">${escaped(id)}</text>`,
    ]
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${
    bottom + 26
  }" font-family="system-ui, sans-serif" font-size="11"><rect width="${width}" height="${
    bottom + 26
  }" fill="${colours.card}"/><text x="${LEFT}" y="18" font-size="14" font-weight="600" fill="${colours.text}">${
    escaped(title)
  }</text><rect x="${LEFT}" y="${top}" width="${width - LEFT - 10}" height="${
    bottom - top
  }" fill="${colours.grid}"/><g fill="${colours.accent}">${cells.join("")}</g>${
    names.join("")
  }<text x="${LEFT}" y="${bottom + 16}" fill="${colours.muted}">0 s</text><text x="${
    width - 10
  }" y="${bottom + 16}" text-anchor="end" fill="${colours.muted}">${
    secondsOf(heat, heat.columns)
  }</text></svg>\n`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function heatCsv(heat: Heat, ids: readonly string[]): string {
  const lines = [["time_s", ...ids.slice(0, heat.rows)].join(",")];
  for (let column = 0; column < heat.columns; column++) {
    const values = Array.from({ length: heat.rows }, (_, row) => heat.at(column, row).toFixed(3));
    lines.push([column * heat.interval_ms / 1000, ...values].join(","));
  }
  return `${lines.join("\n")}\n`;
}

function HeatTable({ heat, ids }: { readonly heat: Heat; readonly ids: readonly string[] }) {
  const step = Math.max(1, Math.ceil(heat.columns / ROWS_MAX));
  const shown: number[] = [];
  for (let column = 0; column < heat.columns; column += step) shown.push(column);
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {ids.slice(0, heat.rows).map((id) => <th key={id} scope="col" class="number">{id}</th>)}
        </tr>
      </thead>
      <tbody>
        {shown.map((column) => (
          <tr key={column}>
            <th scope="row">{secondsOf(heat, column)}</th>
            {Array.from(
              { length: heat.rows },
              (_, row) => <td key={row} class="number">{formatNumber(heat.at(column, row))}</td>,
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
