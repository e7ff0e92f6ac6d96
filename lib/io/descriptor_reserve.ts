import { closeDescriptors, openDescriptors } from "./descriptors.ts";

/** For some probes at a time, a name lookup, and reading the configuration. */
const SIZE = 16;

/**
 * File descriptors kept for what must work even while clients have taken all others: probes, name lookups
 * and reloads. Clients get one again only when the reserve is full.
 */
export class DescriptorReserve {
  #held: Deno.FsFile[] = [];

  /** Takes descriptors back, and says whether it has all. */
  fill(): boolean {
    if (this.#held.length > 0) return true;
    const opened = openDescriptors(SIZE);
    if (opened === undefined) return true;
    if (opened.length === SIZE) this.#held = opened;
    else closeDescriptors(opened);
    return opened.length === SIZE;
  }

  /** Gives all up. */
  release(): void {
    closeDescriptors(this.#held);
    this.#held = [];
  }
}
