/** What all pure code may use: it depends on nothing else of this house. */
export { decimalExponent, exp, ln, power, sinTurns, square } from "./elementary.ts";
