/** Each client has one address, in whatever form the balancer gets it. */
import assert from "node:assert/strict";
import { type Config, parseConfig } from "../../../lib/config/mod.ts";
import { encodeProxyHeader } from "../../../lib/io/proxy_protocol.ts";
import { balance } from "../../support/balance.ts";
import { ask, echo, eventually, TestServer } from "../../support/sockets.ts";

/** A balancer with these rules. */
function lab({ address }: TestServer, text: string) {
  const backends = "backends: [{id: B1, address: 127.0.0.1:1}]\nhealth_check: {type: none}\n";
  const { backends: _, ...rules }: Config = parseConfig({ file: "test", text: backends + text });
  return balance([address], rules);
}

Deno.test("Balancer treats an IPv4 client as IPv4, although a dual-stack socket shows it as IPv6", async () => {
  await using one = new TestServer(echo);
  await using running = await lab(
    one,
    `
listen: "[::]:0"
allow: ["::ffff:127.0.0.0/104"]
proxy_protocol: {send: v1}
`,
  );
  const { port } = running.balancer.address;
  const got = await ask({ host: "127.0.0.1", port }, "hi");
  assert.match(got, new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${port}\r\nhi$`));
  assert.deepEqual(running.of("connection_opened").map(({ client }) => client), ["127.0.0.1"]);
});

Deno.test("Balancer recognises a trusted proxy on a dual-stack socket by its IPv4 address", async () => {
  await using one = new TestServer(echo);
  await using running = await lab(
    one,
    `
listen: "[::]:0"
proxy_protocol: {accept_from: [127.0.0.1]}
`,
  );
  const { port } = running.balancer.address;
  const header = "PROXY TCP6 ::ffff:10.9.9.9 2001:DB8:0::1 4000 80\r\n";
  assert.equal(await ask({ host: "127.0.0.1", port }, `${header}hi`), "hi");
  assert.deepEqual(running.of("connection_opened").map(({ client }) => client), ["10.9.9.9"]);
});

for (const version of ["v1", "v2"] as const) {
  Deno.test(`Balancer counts IPv4 clients separately, although a PROXY ${version} header writes them as IPv6`, async () => {
    await using one = new TestServer(echo);
    await using running = await lab(
      one,
      `
listen: 127.0.0.1:0
limits: {per_client: {connections: 1}}
proxy_protocol: {accept_from: ["::ffff:127.0.0.0/104"]}
`,
    );
    const { host, port } = running.balancer.address;
    const connect = async (source: string) => {
      const client = await Deno.connect({ hostname: host, port });
      const destination = { host: "::ffff:10.0.0.100", port: 80 };
      await client.write(
        encodeProxyHeader(version, { source: { host: source, port: 4000 }, destination }),
      );
      return client;
    };
    const clients = await Promise.all(
      ["::ffff:10.0.0.1", "::ffff:10.9.9.9", "::ffff:192.168.5.5"].map(connect),
    );
    await eventually(
      () => running.of("connection_opened").length === 3,
      "three clients are served",
    );
    const again = await connect("10.9.9.9");
    await eventually(
      () => running.of("connection_refused").length === 1,
      "a second one is refused",
    );
    const { client, reason } = running.of("connection_refused")[0]!;
    assert.deepEqual([client, reason], ["10.9.9.9", "client_connection_limit"]);
    for (const open of [...clients, again]) open.close();
  });
}
