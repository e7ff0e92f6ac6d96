/** The page with a real balancer and real backends, each a process of its own. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { addressOf, RunningLbsim } from "../support/process.ts";
import { eventually, freePort } from "../support/sockets.ts";
import { axeFindings, browserTest, closeBrowser, withPage } from "./browser.ts";

Deno.test.afterAll(closeBrowser);

function test(name: string, fn: (lab: Lab) => Promise<void>): void {
  browserTest(name, async () => {
    await using lab = await Lab.start();
    await fn(lab);
  });
}

/** A balancer over two backends. */
class Lab {
  readonly folder: string;
  readonly port = freePort();
  readonly url = `http://127.0.0.1:${freePort()}`;
  readonly #ports = [freePort(), freePort()];
  /** The port of the admin API of B2. */
  readonly #adminPort = freePort();
  readonly #backends: RunningLbsim[] = [];
  #balancer: RunningLbsim | undefined;
  token = "";

  static async start(): Promise<Lab> {
    const lab = new Lab(await Deno.makeTempDir({ prefix: "lbsim-web-" }));
    await lab.configure("");
    await Promise.all([lab.startBackend(0), lab.startBackend(1)]);
    await lab.startBalancer();
    lab.token = (await Deno.readTextFile(`${lab.folder}/admin.token`)).trim();
    return lab;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * @param more Further lines of the file.
   * @param host Where the admin API listens.
   */
  async configure(more: string, host = "127.0.0.1"): Promise<void> {
    await Deno.writeTextFile(
      `${this.folder}/config.yaml`,
      `listen: 127.0.0.1:${this.port}
algorithm: round-robin
backends:
  - {id: B1, address: 127.0.0.1:${this.#ports[0]}}
  - {id: B2, address: 127.0.0.1:${this.#ports[1]}, admin: 127.0.0.1:${this.#adminPort}}
health_check: {interval: 1s, timeout: 1s, fall: 3, rise: 1}
admin: {listen: "${host}:${new URL(this.url).port}", token_file: admin.token}
${more}`,
    );
  }

  async startBalancer(): Promise<void> {
    this.#balancer = new RunningLbsim(["lb", "--config", `${this.folder}/config.yaml`]);
    await eventually(async () => {
      const response = await fetch(`${this.url}/readyz`, {
        headers: { "Authorization": `Bearer ${this.token}` },
      }).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    }, "the balancer is ready");
  }

  async stopBalancer(): Promise<void> {
    await end(this.#balancer);
  }

  async startBackend(index: number): Promise<void> {
    const backend = new RunningLbsim([
      "backend",
      "--config",
      `${this.folder}/config.yaml`,
      "--id",
      `B${index + 1}`,
    ]);
    this.#backends[index] = backend;
    await addressOf(backend);
  }

  async killBackend(index: number): Promise<void> {
    await end(this.#backends[index]);
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  async change(method: string, path: string, body: unknown): Promise<void> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { "Authorization": `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#balancer, ...this.#backends].map(end));
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function end(process: RunningLbsim | undefined): Promise<void> {
  process?.kill("SIGKILL");
  await process?.ended();
}

function card(page: Page, id: string, condition = "") {
  const wanted = condition === "" ? "" : `[data-condition="${condition}"]`;
  return page.locator(`li[data-backend="${id}"]${wanted}`);
}

/** The page's list of settings that differ from the file. */
function wishes(page: Page, text = "") {
  return page.locator(".wishes", { hasText: text });
}

/** A script for the page: it notes when a backend's card changes its condition. */
const NOTE_CHANGES = `
globalThis.noted = [];
new MutationObserver((changes) => {
  for (const { target } of changes) {
    const { backend, condition } = target.dataset;
    if (backend !== undefined) noted.push({ backend, condition, at: Date.now() });
  }
}).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-condition"] });
`;

/** When the state of B2 last changed at the balancer, on the wall clock. */
async function knownAt(lab: Lab): Promise<number> {
  const { epoch_ms, backends } = await (await fetch(`${lab.url}/api/status`)).json();
  return epoch_ms + backends[1].health.since_ms;
}

/** The delay from the change of B2 at the balancer until the page showed it. */
async function delayOf(lab: Lab, page: Page, condition: "up" | "down"): Promise<number> {
  await card(page, "B2", condition).waitFor();
  const noted = await page.evaluate("noted") as {
    backend: string;
    condition: string;
    at: number;
  }[];
  const last = noted.findLast((one) => one.backend === "B2" && one.condition === condition)!;
  return last.at - await knownAt(lab);
}

test("the page follows a killed and returned backend within two seconds of the balancer", async (lab) => {
  await withPage(lab.url, async (page, complaints) => {
    await card(page, "B2", "up").waitFor();
    await page.evaluate(NOTE_CHANGES);
    // A busy machine may delay some attempts, so one attempt that is in time is enough.
    const delays: { down: number; up: number }[] = [];
    while (delays.length < 5 && !delays.some(({ down, up }) => down < 2000 && up < 2000)) {
      await lab.killBackend(1);
      const down = await delayOf(lab, page, "down");
      await lab.startBackend(1);
      const up = await delayOf(lab, page, "up");
      delays.push({ down, up });
    }
    const isInTime = delays.some(({ down, up }) => down < 2000 && up < 2000);
    assert.ok(isInTime, JSON.stringify(delays));
    await page.locator("li", { hasText: "B2 is up after" }).first().waitFor();
    await page.getByText("As a table").nth(1).click();
    await page.getByRole("region", { name: "Last minutes as a table" }).getByText("B2 is down")
      .first().waitFor();
    assert.deepEqual(complaints, { console: [], foreign: [] });
    assert.deepEqual(await axeFindings(page), []);
  });
});

test("a click on Drain empties the backend, and the wish remains after a reload of the file and of the page", async (lab) => {
  const connections = await Promise.all(Array.from({ length: 6 }, () => lab.connect()));
  await withPage(lab.url, async (page, complaints) => {
    const inFlight = (count: number) =>
      card(page, "B1").locator(".in-flight", { hasText: new RegExp(`^${count}$`) }).waitFor();
    await inFlight(3);
    await page.getByLabel("Token").fill(lab.token);
    await page.getByRole("button", { name: "Drain B1" }).click();
    await card(page, "B1", "drain").waitFor();
    await wishes(page, "B1.mode: ready → drain").waitFor();
    await inFlight(3);
    const later = await lab.connect();
    connections.forEach((connection) => connection.close());
    await inFlight(0);
    await card(page, "B2").locator(".in-flight", { hasText: /^1$/ }).waitFor();
    later.close();

    await lab.configure("limits: {connections: 1234}");
    await lab.change("POST", "/api/reload", {});
    await page.locator("li", { hasText: "limits.connections" }).waitFor();
    await card(page, "B1", "drain").waitFor();
    await page.reload();
    await card(page, "B1", "drain").waitFor();
    await wishes(page, "B1.mode: ready → drain").waitFor();

    // A reload of the page forgets the token.
    await page.getByRole("button", { name: "Ready B1" }).click();
    await page.locator(".notice", { hasText: "enter the token first" }).waitFor();
    await page.getByLabel("Token").fill(lab.token);
    await page.getByRole("button", { name: "Ready B1" }).click();
    await card(page, "B1", "up").waitFor();
    await wishes(page).waitFor({ state: "detached" });
    assert.deepEqual(complaints, { console: [], foreign: [] });
  });
});

test("the page changes weight, algorithm and mode, and withdraws the changes", async (lab) => {
  await withPage(lab.url, async (page) => {
    await page.getByLabel("Token").fill(lab.token);
    await page.getByLabel("Weight of B2", { exact: true }).fill("7");
    await page.getByRole("button", { name: "Set the weight of B2" }).click();
    await card(page, "B2").getByText("file: weight 1").waitFor();
    await page.getByLabel("Algorithm").selectOption("least-connections");
    await wishes(page, "algorithm: round-robin → least-connections").waitFor();
    await page.getByRole("button", { name: "Maintenance B1" }).click();
    await card(page, "B1", "maintenance").waitFor();
    await page.getByRole("button", { name: "Withdraw all" }).click();
    await card(page, "B1", "up").waitFor();
    await wishes(page).waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Algorithm").inputValue(), "round-robin");
  });
});

test("the page begins and ends a fault of a backend, with the keyboard alone", async (lab) => {
  await withPage(lab.url, async (page, complaints) => {
    await card(page, "B2", "up").waitFor();
    // B1 has no admin API.
    assert.equal(await page.getByRole("button", { name: "Hurt B1" }).count(), 0);
    await page.getByLabel("Token").fill(lab.token);
    await page.getByRole("button", { name: "Hurt B2" }).focus();
    await page.keyboard.press("Enter");
    const form = page.getByRole("form", { name: "Hurt B2" });
    await form.locator("select:focus").waitFor();
    await page.keyboard.press("Escape");
    await form.waitFor({ state: "detached" });
    await page.locator('button[aria-label="Hurt B2"]:focus').waitFor();
    await page.keyboard.press("Enter");
    await form.locator("select:focus").waitFor();
    await page.keyboard.type("refuse");
    await page.keyboard.press("Tab");
    await page.keyboard.type("300");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator(".notice", { hasText: "B2 refuse for 300 s: done" }).waitFor();
    await card(page, "B2").getByText("Fault: refuse").waitFor();
    await card(page, "B2", "down").waitFor();
    await page.locator("li", { hasText: "B2 has the fault refuse" }).first()
      .waitFor();
    await page.getByText("As a table").nth(1).click();
    await page.getByRole("region", { name: "Last minutes as a table" })
      .getByText("B2 has the fault refuse").first().waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await page.getByRole("button", { name: "End the fault of B2" }).click();
    await card(page, "B2", "up").waitFor();
    await card(page, "B2").getByText("Fault:").waitFor({ state: "detached" });
    assert.deepEqual(complaints, { console: [], foreign: [] });
  });
});

test("the page explains a pick of the balancer", async (lab) => {
  await withPage(lab.url, async (page) => {
    await page.getByLabel("Token").fill(lab.token);
    await page.getByLabel("Where would this client go now?").fill("192.0.2.7");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText(/192\.0\.2\.7 → B[12]:/).waitFor();
  });
});

test("a wrong token changes nothing, and the page says why", async (lab) => {
  await withPage(lab.url, async (page) => {
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("button", { name: "Drain B1" }).click();
    await page.locator(".notice", { hasText: "B1 drain: this needs the token" }).waitFor();
    await card(page, "B1", "up").waitFor();
  });
});

test("if the admin API listens beyond loopback, the browser asks for the token, and a change also needs it in the page", async (lab) => {
  await lab.stopBalancer();
  await lab.configure("", "0.0.0.0");
  await lab.startBalancer();
  await withPage(lab.url, async (page) => {
    await card(page, "B1", "up").waitFor();
    await page.getByRole("button", { name: "Drain B1" }).click();
    await page.locator(".notice", { hasText: "enter the token first" }).waitFor();
    await page.getByLabel("Token").fill(lab.token);
    await page.getByRole("button", { name: "Drain B1" }).click();
    await card(page, "B1", "drain").waitFor();
  }, { password: lab.token });
});

test("the page shows that the balancer is gone, and reconnects after its restart", async (lab) => {
  await withPage(lab.url, async (page, complaints) => {
    await page.getByText("● live").waitFor();
    await lab.stopBalancer();
    await page.getByText("connection lost").waitFor();
    await lab.startBalancer();
    await page.getByText("● live").waitFor();
    await lab.killBackend(0);
    await card(page, "B1", "down").waitFor();
    await page.locator("li", { hasText: "B1 is down" }).first().waitFor();
    // The browser itself reports requests that reached no server.
    const others = complaints.console.filter((text) => !/net::ERR_/.test(text));
    assert.deepEqual(others, []);
    assert.deepEqual(complaints.foreign, []);
  });
});
