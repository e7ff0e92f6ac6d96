/**
 * A minimal simulation of power of two choices: the difference to it is the cost of an engine's
 * features.
 */

/** Each request has two events: it arrives, and it is done. */
export const EVENTS_PER_REQUEST = 2;

/**
 * Single servers with exponential service of mean 1, first come, first served; Poisson arrivals; each request goes to
 * the shorter queue of two. It has no objects and no features, and measures only the mean.
 *
 * @returns The mean sojourn.
 */
export function minimalLoop(servers: number, load: number, requests: number): number {
  let state = 0x2545f491;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const exponential = (mean: number) => -mean * Math.log(1 - uniform());
  // At most one departure for each server; the last entry is the next arrival.
  const times = new Float64Array(servers + 1).fill(Infinity);
  const heap = Int32Array.from(times, (_, i) => i);
  const place = Int32Array.from(heap);
  const queues = Array.from({ length: servers }, () => new Float64Array(1024));
  const first = new Int32Array(servers);
  const length = new Int32Array(servers);
  const gap = 1 / (servers * load);
  const size = servers + 1;

  const move = (entry: number) => {
    let at = place[entry]!;
    const time = times[entry]!;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      const other = heap[parent]!;
      if (times[other]! <= time) break;
      heap[at] = other;
      place[other] = at;
      at = parent;
    }
    while (true) {
      const child = 4 * at + 1;
      if (child >= size) break;
      let least = child;
      const end = Math.min(child + 4, size);
      for (let i = child + 1; i < end; i++) {
        if (times[heap[i]!]! < times[heap[least]!]!) least = i;
      }
      const other = heap[least]!;
      if (times[other]! >= time) break;
      heap[at] = other;
      place[other] = at;
      at = least;
    }
    heap[at] = entry;
    place[entry] = at;
  };

  let sum = 0;
  let done = 0;
  times[servers] = exponential(gap);
  move(servers);
  while (done < requests) {
    const entry = heap[0]!;
    const now = times[entry]!;
    if (entry === servers) {
      const a = Math.floor(uniform() * servers);
      let b = Math.floor(uniform() * (servers - 1));
      if (b >= a) b++;
      const chosen = length[a]! <= length[b]! ? a : b;
      queues[chosen]![(first[chosen]! + length[chosen]!) & 1023] = now;
      length[chosen] = length[chosen]! + 1;
      if (length[chosen] === 1) {
        times[chosen] = now + exponential(1);
        move(chosen);
      }
      times[servers] = now + exponential(gap);
    } else {
      sum += now - queues[entry]![first[entry]!]!;
      done++;
      first[entry] = (first[entry]! + 1) & 1023;
      length[entry] = length[entry]! - 1;
      times[entry] = length[entry]! > 0 ? now + exponential(1) : Infinity;
    }
    move(entry);
  }
  return sum / done;
}
