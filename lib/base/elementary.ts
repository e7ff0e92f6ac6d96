/**
 * Logarithm, exponential, power and sine that give the same bits on every platform. IEEE 754 defines `+ − × ÷ √` to
 * the last bit, but not these functions, and engines differ. A simulation that gives the same bytes everywhere needs
 * its own functions.
 *
 * Source: fdlibm 5.3 (`e_log.c`, `e_exp.c`, `k_sin.c`, `k_cos.c`), © 1993 Sun Microsystems, freely usable and
 * distributable as long as this notice is kept.
 */

const LN2_HIGH = 6.93147180369123816490e-01;
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.44269504088896338700e+00;
const TWO_POW_54 = 2 ** 54;

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
double[0] = 1;
/** The position of the word with sign and exponent, which depends on the byte order of the machine. */
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

/**
 * By biased exponent: the factor that scales a number to between 1 and 2. A multiplication is much faster than
 * writing an exponent into the bits, because a load that follows a narrower store to the same place has to wait for
 * the store.
 */
const SCALES = new Float64Array(0x800);
for (let i = 0, scale = 2 ** 1023; i < SCALES.length; i++, scale /= 2) SCALES[i] = scale;

/** The natural logarithm of `x`, with an error of less than one unit in the last place. */
export function ln(x: number): number {
  double[0] = x;
  let high = words[HIGH]!;
  let exponent = 0;
  if (high < 0x00100000) {
    if (x === 0) return -Infinity;
    if (high < 0) return NaN;
    exponent = -54;
    double[0] = x * TWO_POW_54;
    high = words[HIGH]!;
  }
  if (high >= 0x7ff00000) return x;
  // Above √2 times a power of two, the next power of two is used, so that f is close to 0.
  const biased = (high + 0x95f64) >> 20;
  exponent += biased - 1023;
  const f = double[0]! * SCALES[biased]! - 1;
  high &= 0x000fffff;
  if ((0x000fffff & (2 + high)) < 3) return lnNearOne(f, exponent);
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w *
    (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const odd = z *
    (6.666666666666735130e-01 +
      w *
        (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const r = even + odd;
  if (((high - 0x6147a) | (0x6b851 - high)) > 0) {
    const half = 0.5 * f * f;
    return exponent * LN2_HIGH - (half - (s * (half + r) + exponent * LN2_LOW) - f);
  }
  return exponent * LN2_HIGH - (s * (f - r) - exponent * LN2_LOW - f);
}

function lnNearOne(f: number, exponent: number): number {
  if (f === 0) return exponent * LN2_HIGH + exponent * LN2_LOW;
  const r = f * f * (0.5 - 0.33333333333333333 * f);
  return exponent * LN2_HIGH - (r - exponent * LN2_LOW - f);
}

/** e to the power of `x`, with an error of less than one unit in the last place. */
export function exp(x: number): number {
  const size = Math.abs(x);
  if (!(size < 708)) return expFarFromZero(x);
  if (size < 2 ** -28) return 1 + x;
  const exponent = nearestPowerOfTwo(x);
  return expPart(x, exponent) * powerOfTwo(exponent);
}

/** The exponential for arguments whose result may not be a normal number. */
function expFarFromZero(x: number): number {
  if (x > 7.09782712893383973096e+02) return Infinity;
  if (x < -7.45133219101941108420e+02) return 0;
  if (Number.isNaN(x)) return x;
  const exponent = nearestPowerOfTwo(x);
  const y = expPart(x, exponent);
  return x < 0
    ? y * powerOfTwo(exponent + 1000) * powerOfTwo(-1000)
    : y * 2 * powerOfTwo(exponent - 1);
}

/** The exponent of the power of two that is nearest to e^x. */
function nearestPowerOfTwo(x: number): number {
  return Math.floor(INVERSE_LN2 * x + 0.5);
}

/** e^x / 2^exponent. */
function expPart(x: number, exponent: number): number {
  const high = x - exponent * LN2_HIGH;
  const low = exponent * LN2_LOW;
  const rest = high - low;
  const t = rest * rest;
  const c = rest -
    t * (1.66666666666666019037e-01 +
        t * (-2.77777777770155933842e-03 +
            t * (6.61375632143793436117e-05 +
                t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))));
  return 1 - (low - rest * c / (2 - c) - high);
}

/** 2 to the power of an integer from −1024 to 1023. */
function powerOfTwo(exponent: number): number {
  return SCALES[1023 - exponent]!;
}

/**
 * `base` to the power of `exponent`, for `base` ≥ 0. Its relative error is about
 * |exponent · ln(base)| · 10⁻¹⁶: good for drawing variates, not for cryptography.
 */
export function power(base: number, exponent: number): number {
  if (exponent === 0) return 1;
  if (base === 0) return exponent > 0 ? 0 : Infinity;
  return exp(exponent * ln(base));
}

/** The exponent of `x` in scientific notation: ⌊log₁₀ x⌋ for a positive number, exactly. */
export function decimalExponent(x: number): number {
  return Number(x.toExponential().split("e")[1]);
}

/** `x` times itself. The result of `x ** 2` may differ between engines. */
export function square(x: number): number {
  return x * x;
}

/** The sine of an angle given in turns: `sinTurns(0.25)` is 1. */
export function sinTurns(turns: number): number {
  const turn = turns - Math.round(turns);
  const quarter = Math.round(turn * 4);
  const angle = (turn - quarter / 4) * 2 * Math.PI;
  switch (quarter & 3) {
    case 0:
      return sinNearZero(angle);
    case 1:
      return cosNearZero(angle);
    case 2:
      return -sinNearZero(angle);
    default:
      return -cosNearZero(angle);
  }
}

/** The sine, for |x| ≤ π/4. */
function sinNearZero(x: number): number {
  const z = x * x;
  const r = 8.33333333332248946124e-03 +
    z * (-1.98412698298579493134e-04 +
        z * (2.75573137070700676789e-06 +
            z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)));
  return x + z * x * (-1.66666666666666324348e-01 + z * r);
}

/** The cosine, for |x| ≤ π/4. */
function cosNearZero(x: number): number {
  const z = x * x;
  const r = 4.16666666666666019037e-02 +
    z * (-1.38888888888741095749e-03 +
        z * (2.48015872894767294178e-05 +
            z * (-2.75573143513906633035e-07 +
                z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11))));
  return 1 - (0.5 * z - z * z * r);
}
