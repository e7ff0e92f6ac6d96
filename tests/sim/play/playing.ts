/** A player for tests: it gets commands, and does all its work before it answers. */
import assert from "node:assert/strict";
import {
  type Command,
  type Message,
  Player,
  type Problem,
  type Request,
  type Result,
  type TextFile,
  type Update,
} from "../../../sim/play/mod.ts";

/** This many ticks are enough for every command of a test. */
const TICKS_MAX = 100_000;

/** A command failed. */
export class Failed extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** A player whose clock moves only when a test moves it. */
export class Playing {
  wall = 0;
  #lookCost = 0;
  readonly messages: Message[] = [];
  readonly player: Player;
  #requests = 0;

  constructor() {
    this.player = new Player(
      () => this.wall += this.#lookCost,
      (message) => this.messages.push(message),
    );
  }

  /** Sends a command. Returns its number. */
  send(command: Command): number {
    const request = ++this.#requests;
    this.player.take({ request, ...command } as Request);
    return request;
  }

  /** The answer to a request, if it has come. */
  answerTo(request: number): Message | undefined {
    return this.messages.find((message) =>
      (message.kind === "reply" || message.kind === "failed") && message.request === request
    );
  }

  /** Sends a command, and lets the player work until it has answered. @throws {Failed} */
  ask<T extends Result>(command: Command): T {
    const request = this.send(command);
    for (let i = 0; i < TICKS_MAX; i++) {
      const answer = this.answerTo(request);
      if (answer?.kind === "failed") throw new Failed(answer.problem);
      if (answer?.kind === "reply") return answer.result as T;
      this.player.tick(10);
    }
    throw new Error(`there is no answer to ${command.kind}`);
  }

  /** A tick in which every look at the clock takes a millisecond, so that the tick ends although work remains. */
  tickWithCost(budgetMs: number): void {
    this.#lookCost = 1;
    this.player.tick(budgetMs);
    this.#lookCost = 0;
  }

  /** Lets the player work until it has nothing to do. Returns the last update. */
  rest(): Update | undefined {
    const before = this.messages.length;
    for (let i = 0; this.player.isBusy; i++) {
      assert.ok(i < TICKS_MAX, "the player does not come to rest");
      this.wall += 100;
      this.player.tick(1000);
    }
    return this.messages.slice(before).findLast((message) => message.kind === "update");
  }
}

/** A player with this text open. */
export function playing(text: string, files: Record<string, TextFile> = {}): Playing {
  const one = new Playing();
  one.ask({ kind: "open", source: { file: "test.yaml", text }, files });
  return one;
}
