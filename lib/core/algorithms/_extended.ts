/** The same numbers in a longer array; the new elements are 0. */
export function extended(
  numbers: Float64Array<ArrayBuffer>,
  length: number,
): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(length);
  longer.set(numbers);
  return longer;
}
