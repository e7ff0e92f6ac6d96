import { escapeAll, escapeText, NS_PER_MS, NS_PER_S, UserError } from "../lib/base/mod.ts";
import type { Io } from "../lib/cli/mod.ts";
import { sleep } from "../lib/io/mod.ts";
import type { Snapshot } from "../lib/observe/mod.ts";
import type { Balancer } from "./balancer.ts";
import { Screen } from "./screen.ts";
import { differences } from "./table.ts";
import {
  type Action,
  firstView,
  keysIn,
  press,
  refreshed,
  screenLines,
  type View,
} from "./view.ts";

/** The time between two requests for the state of the balancer. */
const EVERY = NS_PER_S;

/** Calls `show` with the state of the balancer once per second, until the user stops the command. */
export async function watchPlainly(
  balancer: Balancer,
  show: (snapshot: Snapshot) => void,
  io: Io,
): Promise<void> {
  while (!io.signal.aborted) {
    show(await balancer.status());
    await io.written();
    await sleep(EVERY, io.signal);
  }
}

/** Shows the state of the balancer on the whole terminal, and executes the actions of keys, until the user stops it. */
export async function watchOnScreen(balancer: Balancer, io: Io): Promise<void> {
  const first = await balancer.status();
  using screen = new Screen(io, io.stdinIsTerminal);
  await new Watch(balancer, screen, io, first).run();
}

/** The screen, the keyboard and the balancer, put together. */
class Watch {
  readonly #balancer: Balancer;
  readonly #screen: Screen;
  readonly #io: Io;
  readonly #ended = Promise.withResolvers<void>();
  #view: View;
  /** The actions of keys, which run one after the other. */
  #doing: Promise<void> = Promise.resolve();
  #toDo = 0;

  constructor(balancer: Balancer, screen: Screen, io: Io, first: Snapshot) {
    this.#balancer = balancer;
    this.#screen = screen;
    this.#io = io;
    this.#view = firstView(escapeAll(first));
  }

  async run(): Promise<void> {
    const { signal, stdinIsTerminal } = this.#io;
    const end = () => this.#ended.resolve();
    const draw = () => this.#draw();
    signal.addEventListener("abort", end);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGWINCH", draw);
    const timer = setInterval(() => void this.#look(), EVERY / NS_PER_MS);
    try {
      this.#draw();
      if (stdinIsTerminal) this.#readKeys().catch((error) => this.#ended.reject(error));
      await this.#ended.promise;
    } finally {
      clearInterval(timer);
      if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGWINCH", draw);
      signal.removeEventListener("abort", end);
    }
  }

  #draw(): void {
    const { columns, rows } = this.#screen.size;
    this.#screen.draw(screenLines(this.#view, { columns, rows, color: this.#io.color }));
  }

  async #readKeys(): Promise<void> {
    const decoder = new TextDecoder();
    const bytes = new Uint8Array(1024);
    while (true) {
      const count = await Deno.stdin.read(bytes);
      if (count === null) return this.#ended.resolve(); // The terminal is closed.
      for (const key of keysIn(decoder.decode(bytes.subarray(0, count), { stream: true }))) {
        const { view, action } = press(this.#view, key);
        this.#view = view;
        if (action?.kind === "quit") return this.#ended.resolve();
        if (action !== undefined) this.#do(action);
      }
      this.#draw();
    }
  }

  #do(action: Exclude<Action, { readonly kind: "quit" }>): void {
    this.#toDo++;
    this.#doing = this.#doing.then(async () => {
      const outcome = await this.#outcomeOf(action);
      this.#toDo--;
      this.#view = { ...this.#view, ...outcome };
      await this.#look();
    }).catch((error) => this.#ended.reject(error));
  }

  /** Executes an action, and returns what the view shows afterwards. */
  async #outcomeOf(action: Exclude<Action, { readonly kind: "quit" }>): Promise<Partial<View>> {
    try {
      switch (action.kind) {
        case "explain":
          return { page: await this.#balancer.explanation(action.client), message: "" };
        case "state": {
          const { wishes } = await this.#balancer.setState(action.backend, action.state);
          return { message: differences(wishes) };
        }
        case "weight": {
          const { wishes } = await this.#balancer.setWeight(action.backend, action.weight);
          return { message: differences(wishes) };
        }
      }
    } catch (error) {
      return { message: this.#inWords(error) };
    }
  }

  /** Requests the state of the balancer, and draws it. A state that is older than the latest key is ignored. */
  async #look(): Promise<void> {
    try {
      const snapshot = escapeAll(await this.#balancer.status());
      if (this.#toDo > 0) return;
      const isBack = this.#view.message.startsWith(OLD);
      this.#view = { ...refreshed(this.#view, snapshot), ...isBack && { message: "" } };
    } catch (error) {
      if (!(error instanceof UserError)) return this.#ended.reject(error);
      this.#view = { ...this.#view, message: `${OLD}${this.#inWords(error)}` };
    }
    this.#draw();
  }

  #inWords(error: unknown): string {
    if (error instanceof UserError) return escapeText(error.message);
    throw error;
  }
}

/** The beginning of the message while the balancer does not answer. */
const OLD = "not up to date: ";
