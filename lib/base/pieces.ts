/** Does work that is cut into pieces, all of it. Returns its result. */
export function finished<T>(pieces: Generator<unknown, T>): T {
  let piece = pieces.next();
  while (!piece.done) piece = pieces.next();
  return piece.value;
}
