/** Does a work that is divided into pieces, all pieces at once. Returns the result of the work. */
export function finished<T>(pieces: Generator<unknown, T>): T {
  let piece = pieces.next();
  while (!piece.done) piece = pieces.next();
  return piece.value;
}
