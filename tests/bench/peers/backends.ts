import { nginxHead } from "./peers.ts";
import { isInstalled, listening, Process } from "./process.ts";

/** The paths of the backends: a greeting, a large file, and a greeting after `DELAY_MS`. */
export const PATHS = { small: "/", bulk: "/bulk", delayed: "/delayed" } as const;

/** How long a delayed answer takes. */
export const DELAY_MS = 10;

const BULK_BYTES = 64 * 1024 * 1024;

/**
 * Starts web servers on all given ports, as one process. All peers have the same backends. These
 * are nginx if it is installed, because it takes the least CPU time from the peers.
 *
 * @param directory An empty directory for its files.
 */
export async function startBackends(ports: readonly number[], directory: string): Promise<Process> {
  const backends = new Process(
    await isInstalled("nginx") ? await nginxCommand(ports, directory) : denoCommand(ports),
  );
  await Promise.all(ports.map(listening));
  return backends;
}

async function nginxCommand(ports: readonly number[], directory: string): Promise<string[]> {
  await Deno.writeFile(`${directory}/bulk`, new Uint8Array(BULK_BYTES), { mode: 0o644 });
  await Deno.writeTextFile(`${directory}/passwords`, "", { mode: 0o644 });
  await Deno.writeTextFile(
    `${directory}/nginx.conf`,
    `${nginxHead(directory)}
http {
  access_log off;
  sendfile on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join(" ")}
    location = ${PATHS.small} { return 200 "Hello from a backend\\n"; }
    location = ${PATHS.bulk} { root ${directory}; }
    # nginx can delay only its answer to a wrong password.
    location = ${PATHS.delayed} {
      auth_basic bench;
      auth_basic_user_file ${directory}/passwords;
      auth_delay ${DELAY_MS}ms;
      error_page 401 =200 /greeting;
    }
    location = /greeting { internal; return 200 "Hello from a backend\\n"; }
  }
}
`,
  );
  return ["nginx", "-e", `${directory}/error.log`, "-c", `${directory}/nginx.conf`];
}

function denoCommand(ports: readonly number[]): string[] {
  const server = `
    const bulk = new Uint8Array(${BULK_BYTES});
    for (const port of [${ports}]) {
      Deno.serve({ hostname: "127.0.0.1", port }, async (request) => {
        if (request.url.endsWith("${PATHS.delayed}")) {
          await new Promise((resolve) => setTimeout(resolve, ${DELAY_MS}));
        }
        return new Response(request.url.endsWith("${PATHS.bulk}") ? bulk : "Hello from a backend\\n");
      });
    }`;
  // `deno eval` has all permissions. It gets only the text above.
  return [Deno.execPath(), "eval", server];
}
