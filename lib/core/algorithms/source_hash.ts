import { hashClient, hashText } from "./_hash.ts";
import { LoadBound } from "./_load_bound.ts";
import { compareRendezvous, LOWEST, multiplierOf, rendezvous } from "./_rendezvous.ts";
import { without } from "./_without.ts";
import { define, HASH_PARAMETERS, hashSummary } from "./_definition.ts";
import type { Algorithm, Candidate, PickTrace, Tried } from "./algorithm.ts";

/** With at least this many backends, picks are cached. With fewer, comparing all of them is as fast as a look-up. */
const REMEMBERING = 64;
/** The number of clients whose picks are cached: a power of two. */
const CLIENTS = 2 ** 15;

/** Candidates with the same weight: the best is the one with the highest hash. */
interface Group {
  readonly weight: number;
  readonly candidates: Candidate[];
  /** The hashes of their ids. */
  hashes: Int32Array;
}

/**
 * `source-hash`: rendezvous hashing, also called highest random weight. Each client ranks all backends in an order of
 * its own, and goes to the first backend in it that is available. When a backend is removed, its clients spread over
 * all others by weight, and no other client moves.
 *
 * Rule: maximise `−weight_i / ln(h_i)`, where `h_i` in (0, 1) is the hash of client and backend id. Of backends with
 * equal weights, the one with the highest `h_i` is the best, so only the best backend of each weight is compared. A
 * pick computes a hash for each backend: O(n). So `h_i` must be cheap: it is `(hash(id) xor hash(client)) · m` in 32
 * bits with a sign, where `m` is odd and depends on the client. With many backends, the picks of the latest clients
 * are cached until a backend changes.
 *
 * Source: D. Thaler, C. V. Ravishankar, "Using name-based mappings to increase hit rates", 1998; Traefik, `hrw.go`.
 */
export class SourceHash implements Algorithm {
  readonly #bound: LoadBound;
  readonly #salt: number;
  readonly #groups: Group[] = [];
  readonly #groupOf: (Group | undefined)[] = [];
  #members = 0;
  /** The number of changes so far that can affect a pick. */
  #version = 0;
  readonly #picks = new RememberedPicks();

  /**
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   * @param salt The salt of all hashes.
   */
  constructor(boundedLoad: number, salt = 0) {
    this.#bound = new LoadBound(boundedLoad);
    this.#salt = salt;
  }

  add(candidate: Candidate): void {
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#version++;
    this.#bound.takeOut(candidate);
    this.#leave(candidate);
  }

  update(candidate: Candidate): void {
    this.#version++;
    this.#bound.update(candidate);
    if (this.#groupOf[candidate.index]?.weight === candidate.weight) return;
    this.#leave(candidate);
    this.#join(candidate);
  }

  loadChanged(candidate: Candidate): void {
    if (this.#bound.active) this.#bound.update(candidate);
  }

  pick(client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(client, this.#members >= REMEMBERING, trace);
    return without(this.#bound, tried, () => this.#pick(client, false, trace));
  }

  #pick(client: string, isRemembering: boolean, trace?: PickTrace): Candidate | undefined {
    const bound = this.#bound;
    if (bound.available === 0) return undefined;
    const clientHash = hashClient(client, this.#salt);
    const remembers = isRemembering && !bound.active && trace === undefined;
    if (remembers) {
      const remembered = this.#picks.find(clientHash, this.#version);
      if (remembered !== undefined) return remembered;
    }
    const multiplier = multiplierOf(clientHash);
    let best: Candidate | undefined;
    let bestWeight = 0;
    let bestHash = LOWEST;
    for (const { weight, candidates, hashes } of this.#groups) {
      let first: Candidate | undefined;
      let highest = LOWEST;
      for (let i = 0;; i++) {
        i = findAtLeast(highest, hashes, i, clientHash, multiplier);
        if (i === hashes.length) break;
        const candidate = candidates[i]!;
        if (!bound.admits(candidate)) continue;
        const hash = Math.imul(hashes[i]! ^ clientHash, multiplier);
        if (hash === highest && first !== undefined && first.id < candidate.id) continue;
        first = candidate;
        highest = hash;
      }
      if (first === undefined) continue;
      if (best !== undefined) {
        const lead = compareRendezvous(weight, highest, bestWeight, bestHash);
        if (lead < 0 || (lead === 0 && best.id < first.id)) continue;
      }
      best = first;
      bestWeight = weight;
      bestHash = highest;
    }
    if (remembers && best !== undefined) this.#picks.remember(clientHash, this.#version, best);
    if (trace !== undefined) this.#explain(trace, clientHash, best);
    return best;
  }

  #explain(trace: PickTrace, clientHash: number, best: Candidate | undefined): void {
    const multiplier = multiplierOf(clientHash);
    const passed: string[] = [];
    for (const { weight, candidates, hashes } of this.#groups) {
      candidates.forEach((candidate, i) => {
        if (!this.#bound.isIn(candidate)) return;
        const hash = Math.imul(hashes[i]! ^ clientHash, multiplier);
        trace.considered(candidate, rendezvous(weight, hash));
        if (!this.#bound.admits(candidate)) passed.push(this.#bound.refusal(candidate));
      });
    }
    if (best === undefined) return;
    trace.decided(["highest -weight / ln(hash of client and backend)", ...passed].join("; "));
  }

  #join(candidate: Candidate): void {
    const { index, id, weight } = candidate;
    let group = this.#groups.find((group) => group.weight === weight);
    if (group === undefined) {
      group = { weight, candidates: [], hashes: new Int32Array() };
      this.#groups.push(group);
    }
    group.candidates.push(candidate);
    group.hashes = Int32Array.from([...group.hashes, hashText(id, this.#salt)]);
    this.#groupOf[index] = group;
    this.#members++;
  }

  #leave(candidate: Candidate): void {
    const group = this.#groupOf[candidate.index];
    if (group === undefined) return;
    this.#groupOf[candidate.index] = undefined;
    this.#members--;
    const at = group.candidates.indexOf(candidate);
    group.candidates.splice(at, 1);
    group.hashes = group.hashes.filter((_, i) => i !== at);
    if (group.candidates.length === 0) this.#groups.splice(this.#groups.indexOf(group), 1);
  }
}

/** The picks of the latest clients. Each client has one place, which it shares with other clients. */
class RememberedPicks {
  #hashes = new Uint32Array(0);
  #versions = new Float64Array(0);
  #candidates: Candidate[] = [];

  /** The backend of the client's last pick, if no backend has changed since. */
  find(clientHash: number, version: number): Candidate | undefined {
    const place = clientHash & (CLIENTS - 1);
    const holds = this.#hashes[place] === clientHash && this.#versions[place] === version;
    return holds ? this.#candidates[place] : undefined;
  }

  remember(clientHash: number, version: number, candidate: Candidate): void {
    if (this.#hashes.length === 0) this.#begin(candidate);
    const place = clientHash & (CLIENTS - 1);
    this.#hashes[place] = clientHash;
    this.#versions[place] = version;
    this.#candidates[place] = candidate;
  }

  #begin(candidate: Candidate): void {
    this.#hashes = new Uint32Array(CLIENTS);
    this.#versions = new Float64Array(CLIENTS).fill(-1);
    this.#candidates = Array<Candidate>(CLIENTS).fill(candidate);
  }
}

/**
 * The next place, at or after `from`, of a backend whose hash for a client is at least `least`; the number
 * of hashes if there is none. Few hashes are that large, so a pick spends most of its time here.
 */
function findAtLeast(
  least: number,
  hashes: Int32Array,
  from: number,
  clientHash: number,
  multiplier: number,
): number {
  const { length } = hashes;
  let i = from;
  while (i < length && Math.imul(hashes[i]! ^ clientHash, multiplier) < least) i++;
  return i;
}

/** The parameters of `source-hash`, and the function that creates it. */
export const sourceHash = define({
  parameters: HASH_PARAMETERS,
  summary: ({ boundedLoad }) => hashSummary(boundedLoad),
  create: ({ boundedLoad, salt }) => new SourceHash(boundedLoad, salt),
});
