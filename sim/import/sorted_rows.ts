import type { TrafficRow } from "../../lib/recording/mod.ts";

/** The number of rows that are sorted in memory. */
const IN_MEMORY = 100_000;
const PIECE_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/**
 * Sorts rows by their times in bounded memory: if there are many, sorted parts of them are written to files, and
 * these files are merged. Rows with equal times keep their order.
 */
export class SortedRows {
  readonly #directory: string;
  readonly #inMemory: number;
  readonly #files: string[] = [];
  #rows: TrafficRow[] = [];
  #count = 0;

  /** @param directory An existing directory for the files; the caller, which created it, removes it. */
  constructor(directory: string, inMemory = IN_MEMORY) {
    this.#directory = directory;
    this.#inMemory = inMemory;
  }

  /** How many rows there are. */
  get count(): number {
    return this.#count;
  }

  add(row: TrafficRow): void {
    this.#count++;
    this.#rows.push(row);
    if (this.#rows.length === this.#inMemory) this.#spill();
  }

  /** The rows in the order of their times. They can be read once, when all have been added. */
  *[Symbol.iterator](): Generator<TrafficRow> {
    const parts: Iterator<TrafficRow>[] = this.#files.map((file) => rowsOf(file));
    parts.push(sorted(this.#rows).values());
    const heads = parts.map((part) => part.next());
    while (true) {
      let first = -1;
      for (const [i, { done, value }] of heads.entries()) {
        if (!done && (first === -1 || value.at < heads[first]!.value.at)) first = i;
      }
      if (first === -1) return;
      yield heads[first]!.value;
      heads[first] = parts[first]!.next();
    }
  }

  #spill(): void {
    const name = `${this.#directory}/${this.#files.length}.jsonl`;
    using file = Deno.openSync(name, { write: true, createNew: true, mode: 0o600 });
    const rows = sorted(this.#rows);
    for (let i = 0; i < rows.length; i += 1000) {
      const text = rows.slice(i, i + 1000).map((row) => `${JSON.stringify(row)}\n`).join("");
      const bytes = encoder.encode(text);
      for (let sent = 0; sent < bytes.length;) sent += file.writeSync(bytes.subarray(sent));
    }
    this.#files.push(name);
    this.#rows = [];
  }
}

function sorted(rows: TrafficRow[]): TrafficRow[] {
  return rows.sort((a, b) => a.at - b.at);
}

function* rowsOf(name: string): Generator<TrafficRow> {
  using file = Deno.openSync(name);
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(PIECE_BYTES);
  let rest = "";
  for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
    const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}
