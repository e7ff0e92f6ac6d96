import type { Command, Message, Problem, Result, Update } from "./protocol.ts";

/** A command failed. Its message is the text that the command line shows for the same mistake. */
export class CommandFailed extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.hint === undefined ? problem.message : `${problem.message}\n${problem.hint}`);
    this.problem = problem;
  }
}

/** The part of a worker that the link uses. A test may use another object. */
export interface WorkerPort {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

/** The page's end of the connection to the simulation in its worker. */
export class WorkerLink {
  readonly #port: WorkerPort;
  readonly #pending = new Map<
    number,
    { resolve(result: Result): void; reject(error: Error): void; progress(share: number): void }
  >();
  #requests = 0;

  /**
   * @param update Called with each message that is not an answer.
   * @param fail Called if the worker cannot be loaded or has a defect.
   */
  constructor(port: WorkerPort, update: (update: Update) => void, fail: (words: string) => void) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === "update") return update(data);
      if (data.kind === "started") return;
      const waiting = this.#pending.get(data.request);
      if (data.kind === "progress") return waiting?.progress(data.share);
      this.#pending.delete(data.request);
      if (data.kind === "reply") waiting?.resolve(data.result);
      else waiting?.reject(new CommandFailed(data.problem));
    };
    port.onerror = (event) => fail(event.message || "the simulation could not be loaded");
  }

  /**
   * Sends a command, and waits for its result.
   *
   * @param progress Called now and then with the progress, from 0 to 1.
   * @throws {CommandFailed} if the command failed.
   */
  ask<T extends Result>(command: Command, progress = (_share: number) => {}): Promise<T> {
    const request = ++this.#requests;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(request, {
        resolve: (result) => resolve(result as T),
        reject,
        progress,
      });
      this.#port.postMessage({ request, ...command });
    });
  }
}
