/** One server-sent event. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  /** The id that the stream last named; empty if it named none. */
  readonly id: string;
}

/** Reads server-sent events out of texts that may be cut anywhere. */
export class EventStreamParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id = "";

  /** The events that end in this text. */
  push(text: string): ServerSentEvent[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const found: ServerSentEvent[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) {
          const event = this.#event || "message";
          found.push({ event, data: this.#data.join("\n"), id: this.#id });
        }
        this.#event = "";
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue; // A comment, which keeps the connection alive.
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "event") this.#event = value;
      else if (name === "data") this.#data.push(value);
      else if (name === "id") this.#id = value;
    }
    return found;
  }
}
