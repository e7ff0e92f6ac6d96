/** Plots live times over simulated times, on logarithmic axes. If the worlds agree, a point is on the diagonal. */
import { ln } from "../../../lib/base/mod.ts";
import type { Gap } from "./parity.ts";

const SIZE = 420;
const MARGIN = 60;

/** The plot as SVG. */
export function parityPlot(gaps: readonly Gap[]): string {
  const values = gaps.flatMap(({ simulated, live }) =>
    [simulated, live].flatMap(({ mean, p99 }) => [mean, p99])
  );
  const [low, high] = [Math.min(...values) / 1.2, Math.max(...values) * 1.2];
  const place = (value: number) => ln(value / low) / ln(high / low) * SIZE;
  const x = (value: number) => (MARGIN + place(value)).toFixed(1);
  const y = (value: number) => (SIZE + 20 - place(value)).toFixed(1);
  const ticks = [10, 20, 50, 100, 200, 500, 1000].filter((tick) => tick > low && tick < high);
  const points = gaps.flatMap(({ name, simulated, live }) => [
    `<circle cx="${x(simulated.mean)}" cy="${
      y(live.mean)
    }" r="5" fill="#0072b2"><title>${name}: mean</title></circle>`,
    `<rect x="${Number(x(simulated.p99)) - 4}" y="${
      Number(y(live.p99)) - 4
    }" width="8" height="8" fill="#d55e00"><title>${name}: p99</title></rect>`,
  ]);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE + MARGIN + 30} ${
    SIZE + 80
  }" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<rect x="${MARGIN}" y="20" width="${SIZE}" height="${SIZE}" fill="none" stroke="#999"/>
${
    ticks.map((tick) =>
      `<path d="M${x(tick)} 20V${SIZE + 20}M${MARGIN} ${y(tick)}H${
        SIZE + MARGIN
      }" stroke="#e4e4e4"/>` +
      `<text x="${x(tick)}" y="${SIZE + 38}" text-anchor="middle">${tick}</text>` +
      `<text x="${MARGIN - 8}" y="${Number(y(tick)) + 4}" text-anchor="end">${tick}</text>`
    ).join("\n")
  }
<path d="M${x(low)} ${y(low)}L${x(high)} ${y(high)}" stroke="#666" stroke-dasharray="4 4"/>
${points.join("\n")}
<text x="${MARGIN + SIZE / 2}" y="${SIZE + 60}" text-anchor="middle">simulated, ms</text>
<text transform="translate(16 ${20 + SIZE / 2}) rotate(-90)" text-anchor="middle">live, ms</text>
<circle cx="${MARGIN + 18}" cy="40" r="5" fill="#0072b2"/><text x="${
    MARGIN + 30
  }" y="45">mean</text>
<rect x="${MARGIN + 14}" y="56" width="8" height="8" fill="#d55e00"/><text x="${
    MARGIN + 30
  }" y="65">p99</text>
</svg>
`;
}
