import type { FaultsAnswer } from "../lib/api/mod.ts";
import {
  didYouMean,
  escapeAll,
  formatDuration,
  type Nanoseconds,
  UserError,
} from "../lib/base/mod.ts";
import type { BackendMode } from "../lib/core/mod.ts";
import { type ServerFault, writtenFault } from "../lib/fault/mod.ts";
import { explanationLines, type Snapshot } from "../lib/observe/mod.ts";
import { type AdminClient, RequestRefused } from "../lib/admin/mod.ts";

/** The answer to a change. */
export interface Wished {
  /** How the operator's wishes differ from the file, one line each. */
  readonly wishes: readonly string[];
}

/** The answer to a request for sessions. */
export interface Sessions {
  readonly count: number;
  readonly sessions: readonly {
    readonly client: string;
    readonly backend: string;
    readonly home: string;
    readonly connections: number;
    readonly used_at_ms: number;
  }[];
}

type Explained = Parameters<typeof explanationLines>[0];

/** A running balancer, through its admin API. Its answers are text from outside, and not yet escaped. */
export class Balancer {
  readonly #client: AdminClient;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  async status(): Promise<Snapshot> {
    return await this.#client.ask("GET", "/api/status") as Snapshot;
  }

  async setState(id: string, state: BackendMode): Promise<Wished> {
    return await this.#change("PUT", id, "state", { state }) as Wished;
  }

  async setWeight(id: string, weight: number): Promise<Wished> {
    return await this.#change("PUT", id, "weight", { weight }) as Wished;
  }

  /** Withdraws the wishes for one backend, or all wishes. */
  async withdraw(id: string | undefined): Promise<Wished> {
    if (id === undefined) return await this.#client.ask("DELETE", "/api/wishes") as Wished;
    await this.#change("DELETE", id, "state");
    return await this.#change("DELETE", id, "weight") as Wished;
  }

  async setAlgorithm(algorithm: string): Promise<Wished> {
    return await this.#client.ask("PUT", "/api/algorithm", { algorithm }) as Wished;
  }

  /** The faults that a backend has. */
  async faults(id: string): Promise<FaultsAnswer> {
    return await this.#change("GET", id, "fault") as FaultsAnswer;
  }

  /** @param duration If left out, the fault lasts until it is ended. */
  async hurt(
    id: string,
    fault: ServerFault,
    duration: Nanoseconds | undefined,
  ): Promise<FaultsAnswer> {
    return await this.#change("PUT", id, "fault", {
      kind: writtenFault(fault),
      ...duration !== undefined && { for: formatDuration(duration) },
    }) as FaultsAnswer;
  }

  /** Ends all faults of a backend. */
  async endFaults(id: string): Promise<FaultsAnswer> {
    return await this.#change("DELETE", id, "fault") as FaultsAnswer;
  }

  async sessions(limit: number, client: string | undefined): Promise<Sessions> {
    const query = new URLSearchParams({
      limit: String(limit),
      ...client !== undefined && { client },
    });
    return await this.#client.ask("GET", `/api/sessions?${query}`) as Sessions;
  }

  async reload(): Promise<unknown> {
    return await this.#client.ask("POST", "/api/reload", {});
  }

  async explain(client: string): Promise<Explained> {
    return await this.#client.ask("POST", "/api/explain", { client }) as Explained;
  }

  /** The explanation as lines that are safe to show. */
  async explanation(client: string): Promise<string[]> {
    return explanationLines(escapeAll(await this.explain(client)));
  }

  /** @throws {UserError} if there is no such backend; the hint has the existing ids. */
  async #change(method: string, id: string, key: string, body?: unknown): Promise<unknown> {
    try {
      const path = `/api/backends/${encodeURIComponent(id)}/${key}`;
      return await this.#client.ask(method, path, body);
    } catch (error) {
      if (!(error instanceof RequestRefused && error.status === 404)) throw error;
      const ids = (await this.status()).backends.map((backend) => backend.id);
      throw new UserError(`there is no backend "${id}"`, {
        exitCode: 2,
        hint: didYouMean(id, ids) ?? `one of: ${ids.join(", ")}`,
        cause: error,
      });
    }
  }
}
