/** A balancer and two backends as processes of their own, for tests that run scenarios on them. */
import { ask } from "./admin.ts";
import { freePort } from "./sockets.ts";
import { lbsim, type Outcome, RunningLbsim } from "./process.ts";

/** The addresses of a lab. */
interface Hosts {
  readonly balancer: string;
  readonly backends: readonly [string, string];
  /** Where the clients are, if the balancer lets them name themselves. */
  readonly proxy?: string;
  /** What runs a command on the host of a role. */
  readonly on?: (role: string) => string[];
}

const LOOPBACK: Hosts = { balancer: "127.0.0.1", backends: ["127.0.0.1", "127.0.0.1"] };

/** What the tests change of the scenario. */
export type Settings = Readonly<Record<string, string>>;

/** A LAN that runs as long as the test. */
export class LiveLab {
  readonly folder: string;
  readonly config: string;
  readonly token: string;
  /** By name: the balancer and the backends. */
  readonly processes = new Map<string, RunningLbsim>();
  readonly #hosts: Hosts;
  readonly #urls: ReadonlyMap<string, string>;

  static async start(hosts = LOOPBACK): Promise<LiveLab> {
    const folder = await Deno.makeTempDir({ prefix: "lbsim-live-lab-" });
    const token = "a-token-of-the-tests-of-the-lab";
    await Deno.writeTextFile(`${folder}/admin.token`, token, { mode: 0o600 });
    const ports = Array.from({ length: 6 }, () => freePort());
    const lab = new LiveLab(folder, token, hosts, ports);
    await Deno.writeTextFile(lab.config, configText(hosts, ports, folder));
    try {
      await Promise.all(["B1", "B2", "balancer"].map((name) => lab.startProcess(name)));
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  private constructor(folder: string, token: string, hosts: Hosts, ports: readonly number[]) {
    this.folder = folder;
    this.config = `${folder}/config.yaml`;
    this.token = token;
    this.#hosts = hosts;
    const at = (host: string, port: number) => `http://${host}:${port}`;
    this.#urls = new Map([
      ["balancer", at(hosts.balancer, ports[1]!)],
      ["B1", at(hosts.backends[0], ports[3]!)],
      ["B2", at(hosts.backends[1], ports[5]!)],
    ]);
  }

  /** Starts a process of the lab, and waits until it serves. */
  async startProcess(name: string): Promise<RunningLbsim> {
    const args = name === "balancer"
      ? ["lb", "--config", this.config]
      : ["backend", "--config", this.config, "--id", name];
    const process = new RunningLbsim(args, { prefix: this.#hosts.on?.(name) ?? [] });
    this.processes.set(name, process);
    await process.line((line) =>
      name === "balancer" ? line.includes("admin API on") : line.startsWith("admin API on")
    );
    if (name !== "balancer") return process;
    for (const id of ["B1", "B2"]) {
      await process.line((line) => new RegExp(`active: .*${id}|${id} is up`).test(line));
    }
    return process;
  }

  process(name: string): RunningLbsim {
    return this.processes.get(name)!;
  }

  /** Writes a scenario that extends the lab's configuration. */
  async scenario(settings: Settings = {}): Promise<string> {
    const all = { ...SCENARIO, ...settings };
    const text = Object.entries(all).map(([key, value]) => `${key}: ${value}\n`).join("");
    const file = `${this.folder}/scenario.yaml`;
    await Deno.writeTextFile(file, text);
    return file;
  }

  /** `lbsim live` with this lab. */
  async live(settings: Settings, ...args: string[]): Promise<Outcome> {
    const file = await this.scenario(settings);
    return await lbsim(["live", file, "--config", this.config, ...args], {
      prefix: this.#hosts.on?.("client") ?? [],
    });
  }

  /** The same, to be stopped. */
  async startLive(settings: Settings): Promise<RunningLbsim> {
    const file = await this.scenario(settings);
    return new RunningLbsim(["live", file, "--config", this.config], {
      prefix: this.#hosts.on?.("client") ?? [],
    });
  }

  /** What an admin API answers to a request with the token. */
  // deno-lint-ignore no-explicit-any
  async api(name: string, method: string, path: string, body?: unknown): Promise<any> {
    const { json } = await ask(`${this.#urls.get(name)}${path}`, {
      method,
      headers: { "Authorization": `Bearer ${this.token}`, "Content-Type": "application/json" },
      ...body !== undefined && { body: JSON.stringify(body) },
    });
    return json;
  }

  /** What is not as it was at the start. */
  async leftovers(): Promise<string[]> {
    const left: string[] = [...(await this.api("balancer", "GET", "/api/config")).wishes];
    for (const id of ["B1", "B2"]) {
      const { service } = await this.api(id, "GET", "/api/service");
      const { faults } = await this.api(id, "GET", "/api/fault");
      if (service !== null) left.push(`${id} serves a scenario`);
      if (faults.length > 0) left.push(`${id} has ${faults[0].fault}`);
    }
    return left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.values()].map((one) => one[Symbol.asyncDispose]()));
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** No request waits at a backend, so that its times are those of the work. */
const SCENARIO: Settings = {
  extends: "config.yaml",
  duration: "3s",
  warmup: "500ms",
  workload: "{arrivals: {poisson: 20/s}, timeout: 2s}",
  service: "{exponential: {mean: 10ms}}",
  servers: "{default: {slots: 4}}",
  balancer: "{algorithm: least-connections}",
};

function configText(
  { balancer, backends, proxy }: Hosts,
  ports: readonly number[],
  folder: string,
) {
  return `
listen: ${balancer}:${ports[0]}
algorithm: round-robin
backends:
  - {id: B1, address: ${backends[0]}:${ports[2]}, admin: ${backends[0]}:${ports[3]}}
  - {id: B2, address: ${backends[1]}:${ports[4]}, admin: ${backends[1]}:${ports[5]}}
health_check: {interval: 200ms, timeout: 150ms, rise: 1, fall: 2}
admin: {listen: ${balancer}:${ports[1]}, token_file: ${folder}/admin.token}
${proxy === undefined ? "" : `proxy_protocol: {accept_from: [${proxy}]}`}
`;
}
