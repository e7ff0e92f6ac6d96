/** Does all pieces of work that is divided into pieces, without pauses. Returns the result of the work. */
export function finished<T>(pieces: Generator<unknown, T>): T {
  let piece = pieces.next();
  while (!piece.done) piece = pieces.next();
  return piece.value;
}
