/** A browser for tests: Debian's Chromium, driven by Playwright. */
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { installed } from "../support/tools.ts";

// Without this, Playwright reads a file to find out whether it runs on Windows. Tests must not read
// this file.
Deno.env.set("__IS_WSL_TEST__", "1");
const { chromium } = await import("playwright-core");

const PROGRAM = installed("chromium", "chromium-browser", "google-chrome");

/** Whether no browser is installed. Tests that need one are skipped then. */
export const hasNoBrowser = PROGRAM === undefined;

/** The longest time that a test waits, because a machine may be busy. */
export const PATIENCE_MS = 60_000;

/** The properties of the window in which a page is opened. */
export interface Look {
  readonly width?: number;
  readonly theme?: "light" | "dark";
  readonly reducedMotion?: boolean;
  /** The text that the user enters when the browser asks for a password. */
  readonly password?: string;
}

/** The errors of a page, and its forbidden requests. */
export interface Complaints {
  /** Errors and warnings of its console, and uncaught errors. */
  readonly console: string[];
  /** Requests to another origin. */
  readonly foreign: string[];
}

let browser: Promise<Browser> | undefined;
let endBrowser: () => Promise<void> = () => Promise.resolve();

/**
 * Starts the browser and connects to it through a socket. Playwright's own `launch` uses a pipe, on which answers are
 * sometimes lost under Deno.
 */
async function startBrowser(): Promise<Browser> {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-browser-" });
  const child = new Deno.Command(PROGRAM!, {
    args: [
      ...["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
      ...["--no-first-run", "--disable-background-networking", "--disable-component-update"],
      ...["--force-color-profile=srgb", "--hide-scrollbars", "--remote-debugging-port=0"],
      `--user-data-dir=${folder}`,
    ],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const address = Promise.withResolvers<string>();
  const drained = (async () => {
    let text = "";
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += part;
      const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (found !== undefined) address.resolve(found);
    }
    address.reject(new Error(`${PROGRAM} ended: ${text}`));
  })();
  endBrowser = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // The browser has ended by itself.
    }
    await child.status;
    await drained;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  return await connect(await address.promise, 3);
}

/** Connects to a browser. Its answer is sometimes lost; then this tries again. */
async function connect(address: string, attempts: number): Promise<Browser> {
  try {
    return await chromium.connectOverCDP(address, { timeout: PATIENCE_MS / 3 });
  } catch (error) {
    if (attempts === 1) throw error;
    return await connect(address, attempts - 1);
  }
}

/** Closes the browser. A test file calls it after its tests. */
export async function closeBrowser(): Promise<void> {
  const opened = browser;
  browser = undefined;
  await (await opened)?.close();
  await endBrowser();
}

/** Opens a page in a context of its own, while `use` runs. */
export async function withPage<T>(
  url: string,
  use: (page: Page, complaints: Complaints) => Promise<T>,
  { width = 1280, theme = "light", reducedMotion = false, password }: Look = {},
): Promise<T> {
  browser ??= startBrowser();
  const context = await (await browser).newContext({
    viewport: { width, height: 800 },
    colorScheme: theme,
    reducedMotion: reducedMotion ? "reduce" : "no-preference",
    ...password !== undefined && { httpCredentials: { username: "", password } },
  });
  try {
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const complaints: Complaints = { console: [], foreign: [] };
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.console.push(message.text());
    });
    page.on("pageerror", (error) => complaints.console.push(String(error)));
    const { origin } = new URL(url);
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) complaints.foreign.push(request.url());
    });
    await page.goto(url);
    return await use(page, complaints);
  } finally {
    await context.close();
  }
}

/** The findings of axe on a page, one line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  // The debugger evaluates the script, because the policy of the page allows no foreign script.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate("axe.run()") as {
    readonly violations: readonly {
      readonly id: string;
      readonly help: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }[];
  };
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) =>
      `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary}`
    )
  );
}

/** A test that needs a browser, and perhaps something else that may be missing. */
export function browserTest(name: string, fn: () => Promise<void>, isMissing = false): void {
  Deno.test({
    name,
    ignore: hasNoBrowser || isMissing,
    // The browser's driver keeps its own timers.
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}
