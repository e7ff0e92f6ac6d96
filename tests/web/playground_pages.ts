/** Servers of the playground for tests, and actions of tests on its page. */
import type { Page } from "playwright-core";
import { servePlayground } from "../../play/server.ts";
import { playgroundFiles } from "../../web/playground_bundle.ts";
import { installed } from "../support/tools.ts";
import { eventually, freePort } from "../support/sockets.ts";
import { PATIENCE_MS } from "./browser.ts";

export const NGINX = installed("nginx");

/** Serves the page as `lbsim play` does, with its policy, while `use` runs. */
export async function served<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = await servePlayground(0, undefined);
  try {
    return await use(`${server.url}/`);
  } finally {
    await server.stop();
  }
}

/** Serves the static folder with a plain nginx, below a path, while `use` runs. */
export async function servedByNginx<T>(use: (url: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "lbsim-nginx-" });
  const port = freePort();
  await Deno.mkdir(`${folder}/site/some/where`, { recursive: true });
  for (const [name, { body }] of Object.entries(await playgroundFiles())) {
    await Deno.writeTextFile(`${folder}/site/some/where/${name}`, body);
  }
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `${Deno.uid() === 0 ? "user root;" : ""}
daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http {
  include /etc/nginx/mime.types; access_log off;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { listen 127.0.0.1:${port}; root ${folder}/site; }
}
`,
  );
  const nginx = new Deno.Command(NGINX!, {
    args: ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}/some/where/`;
  try {
    await eventually(async () => {
      const response = await fetch(url).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    }, "nginx serves the folder");
    return await use(url);
  } finally {
    nginx.kill("SIGQUIT");
    await nginx.status;
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Waits until an expression is true in the page. `page.waitForFunction` is not possible: it makes a script of a text,
 * which the policy of the page forbids.
 */
export async function until(page: Page, condition: string): Promise<void> {
  const came = await page.evaluate(`new Promise((resolve) => {
    const end = performance.now() + ${PATIENCE_MS};
    const look = () => {
      if (${condition}) resolve(true);
      else if (performance.now() > end) resolve(false);
      else setTimeout(look, 20);
    };
    look();
  })`);
  if (came !== true) throw new Error(`this condition did not become true: ${condition}`);
}

/** Waits until a run is open and its time has passed this point. */
export async function passed(page: Page, at_ms: number): Promise<void> {
  await until(page, `Number(document.querySelector(".clock")?.dataset.at) >= ${at_ms}`);
}

/** The error messages on the page. */
export async function problems(page: Page): Promise<string[]> {
  return await page.locator(".notice.bad:visible").allInnerTexts();
}

/** Drops files on the page. */
export async function drop(page: Page, files: Readonly<Record<string, string>>): Promise<void> {
  await page.evaluate(`(() => {
    const data = new DataTransfer();
    for (const [name, text] of Object.entries(${JSON.stringify(files)})) {
      data.items.add(new File([text], name));
    }
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  })()`);
}

/** Moves the slider of time to a point. The slider has a thousand places. */
export async function seek(page: Page, at_ms: number, within_ms = 100): Promise<void> {
  await page.evaluate(`(() => {
    const slider = document.querySelector('input[type="range"]');
    slider.value = ${at_ms};
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);
  await until(
    page,
    `Math.abs(Number(document.querySelector(".clock").dataset.at) - ${at_ms}) < ${within_ms}`,
  );
}

/** A scenario for pictures: two algorithms, and a backend that hangs at these times. Its network is slow, so that requests are seen on their way. */
export function hangs(
  { at_s, for_s, duration_s }: {
    readonly at_s: readonly number[];
    readonly for_s: number;
    readonly duration_s: number;
  },
): string {
  return `title: A backend hangs
watch: >-
  B2 becomes silent. Until the probes detect that, round-robin sends every third request to it;
  least-connections notices that the requests there do not end.
seed: 1
duration: ${duration_s}s
balancer:
  backends: 3
  health_check: { type: tcp, interval: 800ms, timeout: 400ms, rise: 2, fall: 3 }
  timeouts: { connect: 2s }
workload: { arrivals: { poisson: { rate: 11/s } } }
service: { uniform: { min: 200ms, max: 400ms } }
servers: { default: { slots: 4 } }
network: { latency: 130ms }
faults:
${
    at_s.map((at) => `  - { at: ${at}s, for: ${for_s}s, backend: B2, kind: hang }\n`).join("")
  }compare: { balancer.algorithm: [round-robin, least-connections] }
`;
}
