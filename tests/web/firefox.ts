/** Debian's Firefox for tests, driven by the browser's own protocol: WebDriver BiDi. */
import { installed } from "../support/tools.ts";

const PROGRAM = installed("firefox-esr", "firefox");

/** A page in Firefox. */
export interface FirefoxPage {
  /** The value of an expression; a promise is awaited. The value must be possible in JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** All messages of the page's console, and its errors. */
  readonly complaints: readonly string[];
}

/** A test that needs Firefox. */
export function firefoxTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: PROGRAM === undefined, fn });
}

/** Opens a page in a Firefox of its own. */
export async function withFirefox<T>(
  url: string,
  use: (page: FirefoxPage) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-firefox-" });
  const child = new Deno.Command(PROGRAM!, {
    args: ["--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"],
    env: { MOZ_CRASHREPORTER_DISABLE: "1", HOME: folder },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const address = Promise.withResolvers<string>();
  const drained = (async () => {
    let text = "";
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += part;
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(text)?.[1];
      if (found !== undefined) address.resolve(found);
    }
    address.reject(new Error(`${PROGRAM} ended: ${text}`));
  })();
  try {
    const session = await Session.open(await address.promise);
    try {
      return await use(await session.page(url));
    } finally {
      await session.close();
    }
  } finally {
    child.kill("SIGTERM");
    await child.status;
    await drained;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

type Result = Record<string, unknown>;

/** A session of WebDriver BiDi. */
class Session {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, PromiseWithResolvers<Result>>();
  readonly #complaints: string[] = [];
  #count = 0;

  static async open(address: string): Promise<Session> {
    const socket = new WebSocket(`${address}/session`);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error(`no session: ${(event as ErrorEvent).message}`));
    });
    const session = new Session(socket);
    await session.#ask("session.new", { capabilities: {} });
    await session.#ask("session.subscribe", { events: ["log.entryAdded"] });
    return session;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, type, method, params, result, error, message } = JSON.parse(data);
      if (method === "log.entryAdded" && ["error", "warn"].includes(params.level)) {
        this.#complaints.push(params.text);
      }
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (type === "error") waiting?.reject(new Error(`${error}: ${message}`));
      else waiting?.resolve(result);
    };
  }

  async page(url: string): Promise<FirefoxPage> {
    const { contexts } = await this.#ask("browsingContext.getTree", {});
    const [{ context }] = contexts as [{ readonly context: string }];
    await this.#ask("browsingContext.navigate", { context, url, wait: "complete" });
    return {
      complaints: this.#complaints,
      evaluate: async (expression) => {
        const { type, result, exceptionDetails } = await this.#ask("script.evaluate", {
          // The value is passed as JSON, because the protocol has a form of its own for objects.
          expression: `(async () => JSON.stringify(await (${expression})) ?? "null")()`,
          target: { context },
          awaitPromise: true,
        });
        if (type !== "success") {
          throw new Error((exceptionDetails as { readonly text: string }).text);
        }
        return JSON.parse((result as { readonly value: string }).value);
      },
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.onclose = () => resolve());
    await this.#ask("session.end", {}).catch(() => {});
    this.#socket.close();
    await closed;
  }

  #ask(method: string, params: Result): Promise<Result> {
    const id = ++this.#count;
    const waiting = Promise.withResolvers<Result>();
    this.#pending.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise;
  }
}
