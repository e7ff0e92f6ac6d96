import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Colours, useColours } from "./colours.ts";
import { Figure } from "./figure.tsx";
import { logTicks, type PlotAxis, plotCsv, type PlotData, plotSvg, rangeOf } from "./plot.ts";

const HEIGHT = 220;
/** The table has at most this many rows: every n-th point of the plot. */
const ROWS = 12;

/** A plot that grows with its data, with buttons that save it, and with its values as a table. */
export function PlotView(
  { data, note }: { readonly data: PlotData; readonly note?: string | undefined },
) {
  const colours = useColours();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(data);
  latest.current = data;
  const key = [
    colours.key,
    data.title,
    ...data.series.map(({ label, colour, dash }) => `${label} ${colour} ${dash}`),
  ].join("|");
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(optionsOf(latest, element, colours), alignedOf(latest.current), element);
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize(sizeOf(element)));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [key]);
  useEffect(() => plot.current?.setData(alignedOf(data)), [data]);
  return (
    <Figure
      title={data.title}
      note={note}
      svg={() => plotSvg(data, colours)}
      csv={() => plotCsv(data)}
      table={() => <PlotTable data={data} />}
    >
      <div
        ref={place}
        class="plot tall"
        role="img"
        aria-label={`${data.title}. The table below it has the same numbers.`}
      />
    </Figure>
  );
}

function PlotTable({ data: { x, y, xs, series } }: { readonly data: PlotData }) {
  const step = Math.max(1, Math.ceil(xs.length / ROWS));
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{x.label}</th>
          {series.map(({ label }) => <th key={label} scope="col" class="number">{label}</th>)}
        </tr>
      </thead>
      <tbody>
        {xs.flatMap((at, i) =>
          i % step !== 0 ? [] : [
            <tr key={at}>
              <th scope="row">{x.format(at)}</th>
              {series.map(({ label, values }) => (
                <td key={label} class="number">
                  {values[i] === null || values[i] === undefined ? "–" : y.format(values[i])}
                </td>
              ))}
            </tr>,
          ]
        )}
      </tbody>
    </table>
  );
}

function alignedOf({ xs, series }: PlotData): uPlot.AlignedData {
  return [xs, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
}

function sizeOf(element: Element): { width: number; height: number } {
  return { width: element.clientWidth, height: HEIGHT };
}

function optionsOf(
  latest: { readonly current: PlotData },
  element: Element,
  colours: Colours,
): uPlot.Options {
  const { x, y, series } = latest.current;
  const axis: uPlot.Axis = {
    stroke: colours.muted,
    font: "12px system-ui, sans-serif",
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1 },
  };
  const labels = ({ format }: PlotAxis): uPlot.Axis.DynamicValues => (_, splits) =>
    splits.map((value) => format(value));
  const logAxis = {
    splits: (_: uPlot, __: number, min: number, max: number) => logTicks(min, max),
    // All ticks have a label, not only those of powers of ten.
    filter: (_: uPlot, splits: number[]) => splits,
  };
  const scale = (
    { isLog }: PlotAxis,
    range: () => [number, number],
  ): uPlot.Scale => ({ time: false, ...isLog && { distr: 3 as const }, range });
  return {
    ...sizeOf(element),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, ...!x.isLog && { sync: { key: "playground" } } },
    scales: {
      x: scale(x, () => rangeOf(latest.current.x, latest.current.xs)),
      y: scale(
        y,
        () => rangeOf(latest.current.y, latest.current.series.flatMap(({ values }) => values)),
      ),
    },
    axes: [
      { ...axis, space: 56, values: labels(x), ...x.isLog && logAxis },
      { ...axis, size: 62, values: labels(y), ...y.isLog && logAxis },
    ],
    series: [
      {},
      ...series.map(({ label, colour, dash }): uPlot.Series => ({
        label,
        stroke: colour,
        dash: [...dash],
        width: 2,
        points: { show: false },
      })),
    ],
  };
}
