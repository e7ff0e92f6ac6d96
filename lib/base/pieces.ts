/** Does all pieces of a work that is divided into pieces. Returns its result. */
export function finished<T>(pieces: Generator<unknown, T>): T {
  let piece = pieces.next();
  while (!piece.done) piece = pieces.next();
  return piece.value;
}
