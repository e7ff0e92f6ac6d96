import { engineFlags, runFlags } from "../../../packaging/flags.ts";
import { freePort, isInstalled, run } from "./process.ts";

/** A program that balances TCP connections over backends on this machine. */
export interface Peer {
  readonly name: string;
  /** Why the peer cannot take part; undefined if it can. */
  missing(): Promise<string | undefined>;
  /**
   * The command that runs it in the foreground.
   *
   * @param directory An empty directory for its files.
   */
  command(port: number, backends: readonly number[], directory: string): Promise<readonly string[]>;
  /** The peer with which its costs are compared, if not with HAProxy, and the largest acceptable ratio. */
  readonly against?: { readonly peer: string; readonly ratio: number; readonly workloads: RegExp };
  /** The command of a program that runs beside it, and is not measured. */
  beside?(directory: string): Promise<readonly string[]>;
}

/** A limit of connections that no run reaches. */
const CONNECTIONS_MAX = 60_000;

const NGINX_MODULES = "/usr/lib/nginx/modules";
const ROOT = new URL("../../../", import.meta.url).pathname;

async function missingProgram(name: string): Promise<string | undefined> {
  return await isInstalled(name) ? undefined : `${name} is not installed`;
}

/** The path of a script in the folder of this file. */
function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

async function write(path: string, text: string): Promise<string> {
  await Deno.writeTextFile(path, text);
  return path;
}

/** lbsim with an admin API on a port of its own, or without one. */
function lbsimCommand(hasAdmin: boolean, isRecorded = false): Peer["command"] {
  return async (port, backends, directory) => {
    const config = await write(
      `${directory}/config.yaml`,
      `listen: 127.0.0.1:${port}
admin: {listen: ${hasAdmin ? `"127.0.0.1:${freePort()}"` : "off"}}
algorithm: round-robin
backends:
${backends.map((backend, i) => `  - {id: B${i + 1}, address: "127.0.0.1:${backend}"}`).join("\n")}
limits: {connections: ${CONNECTIONS_MAX}}
log: {connections: false}
`,
    );
    return [
      Deno.execPath(),
      "run",
      ...runFlags(),
      `${ROOT}main.ts`,
      "lb",
      "--config",
      config,
      ...isRecorded ? ["--record", `${directory}/run.jsonl`] : [],
    ];
  };
}

const lbsim: Peer = {
  name: "lbsim",
  missing: () => Promise.resolve(undefined),
  command: lbsimCommand(false),
};

/** lbsim with its admin API, which nothing reads. `lbsim` has none. */
const admin: Peer = {
  name: "lbsim-admin",
  missing: () => Promise.resolve(undefined),
  command: lbsimCommand(true),
  against: { peer: "lbsim", ratio: 1.01, workloads: /^(kept-alive|short)$/ },
};

/** lbsim that records all events. */
const recording: Peer = {
  name: "lbsim-record",
  missing: () => Promise.resolve(undefined),
  command: lbsimCommand(false, true),
  against: { peer: "lbsim", ratio: 1.25, workloads: /^(kept-alive|short)$/ },
};

/** lbsim with one dashboard open. */
const dashboard: Peer = {
  name: "lbsim-dashboard",
  missing: () => Promise.resolve(undefined),
  command: lbsimCommand(true),
  against: { peer: "lbsim", ratio: 1.05, workloads: /^(kept-alive|short)$/ },
  async beside(directory) {
    const config = await Deno.readTextFile(`${directory}/config.yaml`);
    const [, address] = /^admin: \{listen: "(.*)"\}$/m.exec(config)!;
    return [
      Deno.execPath(),
      "run",
      `--allow-net=${address}`,
      script("dashboard_reader.ts"),
      `http://${address}`,
    ];
  },
};

const relay: Peer = {
  name: "relay",
  missing: () => Promise.resolve(undefined),
  command: (port, backends) =>
    Promise.resolve([
      Deno.execPath(),
      "run",
      "--allow-net",
      ...engineFlags(),
      script("relay_alone.ts"),
      `${port}`,
      ...backends.map(String),
    ]),
};

const haproxy: Peer = {
  name: "haproxy",
  missing: () => missingProgram("haproxy"),
  async command(port, backends, directory) {
    const config = await write(
      `${directory}/haproxy.cfg`,
      `global
  nbthread 1
  maxconn ${CONNECTIONS_MAX}
  no strict-limits
defaults
  mode tcp
  timeout connect 2s
  timeout client 5m
  timeout server 5m
listen bench
  bind 127.0.0.1:${port} backlog 4096
  balance roundrobin
${backends.map((backend, i) => `  server B${i + 1} 127.0.0.1:${backend} check`).join("\n")}
`,
    );
    return ["haproxy", "-db", "-q", "-f", config];
  },
};

const nginx: Peer = {
  name: "nginx",
  async missing() {
    const program = await missingProgram("nginx");
    return program ?? await missingStreamModule();
  },
  async command(port, backends, directory) {
    const config = await write(
      `${directory}/nginx.conf`,
      `${await streamModule() ?? ""}
${nginxHead(directory)}
stream {
  access_log off;
  upstream bench { ${backends.map((backend) => `server 127.0.0.1:${backend};`).join(" ")} }
  server { listen 127.0.0.1:${port} backlog=4096; proxy_pass bench; proxy_timeout 5m; }
}
`,
    );
    return ["nginx", "-e", `${directory}/error.log`, "-c", config];
  },
};

/** The line that loads the stream module; undefined if the module is built in. */
async function streamModule(): Promise<string | undefined> {
  const { stderr } = await run(["nginx", "-V"]);
  return /--with-stream( |$)/m.test(stderr)
    ? undefined
    : `load_module ${NGINX_MODULES}/ngx_stream_module.so;`;
}

async function missingStreamModule(): Promise<string | undefined> {
  if (await streamModule() === undefined) return undefined;
  try {
    await Deno.stat(`${NGINX_MODULES}/ngx_stream_module.so`);
    return undefined;
  } catch {
    return "nginx has no stream module (Debian: libnginx-mod-stream)";
  }
}

/**
 * The settings of every nginx here: in the foreground, with one worker and its files in a
 * directory.
 */
export function nginxHead(directory: string): string {
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile ${CONNECTIONS_MAX};
pid ${directory}/nginx.pid;
error_log ${directory}/error.log crit;
events { worker_connections ${CONNECTIONS_MAX}; }`;
}

/**
 * Idle connections of pen seem to cost nothing: at its start, it reserves memory for the largest number of connections.
 */
const pen: Peer = {
  name: "pen",
  missing: () => missingProgram("pen"),
  command: (port, backends) =>
    Promise.resolve([
      "pen",
      "-f",
      "-r",
      "-x",
      "15000",
      `127.0.0.1:${port}`,
      ...backends.map((backend) => `127.0.0.1:${backend}:0`),
    ]),
};

const node: Peer = {
  name: "node",
  missing: () => missingProgram("node"),
  command: (port, backends) =>
    Promise.resolve(["node", script("node_proxy.mjs"), `${port}`, ...backends.map(String)]),
};

const asyncio: Peer = {
  name: "asyncio",
  missing: () => missingProgram("python3"),
  command: (port, backends) =>
    Promise.resolve(["python3", script("asyncio_proxy.py"), `${port}`, ...backends.map(String)]),
};

/** All peers. `relay` is the relay of lbsim without the rest of the balancer. */
export const PEERS: readonly Peer[] = [
  ...[lbsim, admin, dashboard, recording, relay],
  ...[haproxy, nginx, pen, node, asyncio],
];
