import { exp, ln, type Random } from "../base/mod.ts";

const LAYERS = 256;
/** Where the tail begins, in the lowest layer. With exactly this value the topmost layer ends at the peak. */
const TAIL = 7.69711747013104972;
/** The area of each layer. */
const AREA = 3.9496598225815571993e-3;

/** The right end of each layer, from the bottom up. For the lowest layer, the end of a rectangle with the same area. */
const ENDS = new Float64Array(LAYERS + 1);
/** The density at each end. */
const HEIGHTS = new Float64Array(LAYERS + 1);
ENDS[0] = AREA / exp(-TAIL);
ENDS[1] = TAIL;
for (let layer = 1; layer < LAYERS; layer++) {
  HEIGHTS[layer] = exp(-ENDS[layer]!);
  ENDS[layer + 1] = -ln(HEIGHTS[layer]! + AREA / ENDS[layer]!);
}
ENDS[LAYERS] = 0;
HEIGHTS[LAYERS] = 1;

/**
 * Draws from the exponential distribution of mean 1.
 *
 * The area below the density is covered by layers of equal area. A layer is drawn, and a point within its width.
 * In 98 of 100 cases the point is also within the width of the layer above, and therefore below the density.
 * Such a draw takes one uniform number and no logarithm. All platforms give the same bits.
 *
 * Source: G. Marsaglia and W. W. Tsang, "The ziggurat method for generating random variables", 2000.
 */
export function exponential(random: Random): number {
  const scaled = random.next() * LAYERS;
  const layer = scaled | 0;
  const x = (scaled - layer) * ENDS[layer]!;
  // The engine knows that a sum with 0 is a number. Without the sum, it would create an object for every draw.
  return x < ENDS[layer + 1]! ? x : 0 + atTheEdge(layer, x, random);
}

function atTheEdge(layer: number, x: number, random: Random): number {
  // The exponential distribution has no memory: its tail has the same distribution.
  if (layer === 0) return TAIL + exponential(random);
  const bottom = HEIGHTS[layer]!;
  const y = bottom + random.next() * (HEIGHTS[layer + 1]! - bottom);
  return y < exp(-x) ? x : exponential(random);
}
