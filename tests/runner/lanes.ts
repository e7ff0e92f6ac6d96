/** Which test files run beside each other. */

/**
 * Files that compute for most of their time, the longest first. The other files wait for sockets, timers, browsers and
 * terminals. One file of each kind runs at a time. Then the file that computes has a core of its own. It hardly
 * disturbs the other file, which may measure time.
 */
const COMPUTING: readonly RegExp[] = [
  /^tests\/docs\//,
  /^tests\/examples\//,
  /^tests\/sim\//,
  /^tests\/tidy\//,
  /^tests\/lib\/(?!io\/)/,
  /^tests\/(?:browser|packaging|play)\//,
];

/** The files that are still to run. */
export class Lanes {
  readonly #computing: string[];
  readonly #waiting: string[];

  constructor(files: readonly string[]) {
    const rank = (file: string) => COMPUTING.findIndex((kind) => kind.test(file));
    this.#computing = files.filter((file) => rank(file) !== -1)
      .sort((one, other) => rank(one) - rank(other));
    this.#waiting = files.filter((file) => rank(file) === -1);
  }

  /** The next file of a lane; undefined if none is left. The first lane prefers files that wait. */
  next(lane: number): string | undefined {
    const [first, second] = lane % 2 === 0
      ? [this.#waiting, this.#computing]
      : [this.#computing, this.#waiting];
    return first.shift() ?? second.shift();
  }
}
