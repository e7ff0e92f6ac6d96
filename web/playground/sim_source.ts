import type { ExplainedPick, FrameSource, SessionPage, SourceReader } from "../dashboard/mod.ts";
import type { Playground } from "./playground.ts";
import type { Sessions, Update, Why } from "./protocol.ts";

/**
 * A variant of the run, as a source for the components of the dashboard. They change nothing, because the page has
 * its own controls.
 */
export class SimSource implements FrameSource {
  readonly operator = undefined;
  readonly #playground: Playground;

  constructor(playground: Playground) {
    this.#playground = playground;
  }

  start(reader: SourceReader): () => void {
    reader.link({ kind: "connected" });
    return this.#playground.onUpdate(({ variants }: Update) => {
      const one = variants[this.#variant] ?? variants[0];
      if (one === undefined) return;
      if (one.snapshot !== null) reader.snapshot(one.snapshot);
      reader.frame(one.frame);
      if (one.events_lost > 0) reader.lost(one.events_lost);
      for (const event of one.events) reader.event(event);
    });
  }

  async sessions(limit: number, client?: string): Promise<SessionPage> {
    return await this.#playground.ask<Sessions>({
      kind: "sessions",
      variant: this.#variant,
      limit,
      ...client !== undefined && { client },
    });
  }

  async explain(client: string): Promise<ExplainedPick> {
    return await this.#playground.ask<Why>({ kind: "explain", variant: this.#variant, client });
  }

  get #variant(): number {
    return this.#playground.variant.peek();
  }
}
