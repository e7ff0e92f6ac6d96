import assert from "node:assert/strict";
import { dial, DialFailure } from "../../../lb/dial/dial.ts";
import { deadAddress, eventually, readAll, say, TestServer } from "../../support/sockets.ts";
import { stubConnect, systemError } from "../../support/stub_connect.ts";

const NEVER = new AbortController().signal;

/** A resolver that finds these addresses. */
function named(...addresses: string[]) {
  return () => Promise.resolve(addresses);
}

Deno.test("dial() tries the addresses of a name until one answers", async () => {
  await using server = new TestServer(say("hello"));
  const { port } = server.address;
  for (const addresses of [["::1", "127.0.0.1"], ["127.0.0.1"], ["127.0.0.1", "::1"]]) {
    const connection = await dial({ host: "two.test", port }, NEVER, named(...addresses));
    assert.ok(!(connection instanceof DialFailure));
    assert.equal(new TextDecoder().decode(await readAll(connection)), "hello");
    connection.close();
  }
});

Deno.test("dial() tries the next address while one does not answer", async () => {
  await using server = new TestServer(say("hello"));
  const { port } = server.address;
  using _stub = stubConnect((options, real) =>
    options.hostname === "192.0.2.1"
      ? new Promise((_, reject) => options.signal!.addEventListener("abort", reject))
      : real(options)
  );
  const silentFirst = named("192.0.2.1", "127.0.0.1");
  const connection = await dial({ host: "two.test", port }, NEVER, silentFirst);
  assert.ok(!(connection instanceof DialFailure));
  connection.close();
});

Deno.test("dial() reports the failure of each address of a name", async () => {
  const { port } = deadAddress();
  using _stub = stubConnect((options, real) =>
    options.hostname === "192.0.2.1" ? Promise.reject(systemError("EACCES")) : real(options)
  );
  const both = named("192.0.2.1", "127.0.0.1");
  assert.deepEqual(
    await dial({ host: "two.test", port }, NEVER, both),
    new DialFailure("refused", "192.0.2.1 other: it failed (EACCES), 127.0.0.1 refused"),
  );
  const one = named("127.0.0.1");
  assert.deepEqual(await dial({ host: "one.test", port }, NEVER, one), new DialFailure("refused"));
});

Deno.test("dial() reports why a name has no address", async () => {
  const to = { host: "no.test", port: 1 };
  const unknown = () => Promise.reject(systemError("ENOTFOUND"));
  assert.deepEqual(
    await dial(to, NEVER, unknown),
    new DialFailure("other", "lookup of no.test failed: the name is unknown"),
  );
  const broken = () => Promise.reject(new Error("getaddrinfo EAI_AGAIN no.test"));
  assert.deepEqual(
    await dial(to, NEVER, broken),
    new DialFailure("other", "lookup of no.test failed: getaddrinfo EAI_AGAIN no.test"),
  );
  assert.deepEqual(
    await dial(to, NEVER, named()),
    new DialFailure("other", "no.test has no IP address"),
  );
});

Deno.test("dial() gives up a lookup and a connect when its signal is aborted", async () => {
  const to = { host: "slow.test", port: 1 };
  const giveUp = new AbortController();
  const dialing = dial(to, giveUp.signal, () => new Promise(() => {}));
  giveUp.abort();
  assert.deepEqual(
    await dialing,
    new DialFailure("timeout", "the lookup of slow.test did not end in time"),
  );
  let connects = 0;
  using _stub = stubConnect((options) => {
    connects++;
    return new Promise((_, reject) => options.signal!.addEventListener("abort", reject));
  });
  const giveUpToo = new AbortController();
  const connecting = dial(to, giveUpToo.signal, named("192.0.2.1", "192.0.2.2"));
  await eventually(() => connects > 0, "it connects");
  giveUpToo.abort();
  assert.deepEqual(await connecting, new DialFailure("timeout"));
});

Deno.test("dial() distinguishes a shortage of this machine from a failure of the backend", async () => {
  const shortages = [
    ["EMFILE", "descriptors"],
    ["ENFILE", "descriptors"],
    ["EADDRNOTAVAIL", "local_ports"],
    ["EADDRINUSE", "local_ports"],
    ["EAGAIN", "local_ports"],
    ["ENOBUFS", "memory"],
    ["ENOMEM", "memory"],
  ] as const;
  for (const [code, shortage] of shortages) {
    using _stub = stubConnect(() => Promise.reject(systemError(code)));
    const failure = new DialFailure("other", `it failed (${code})`, shortage);
    assert.deepEqual(await dial({ host: "192.0.2.1", port: 1 }, NEVER), failure);
  }
  const { port } = deadAddress();
  const both = await (async () => {
    using _stub = stubConnect((options, real) =>
      options.hostname === "192.0.2.1"
        ? Promise.reject(systemError("EADDRNOTAVAIL"))
        : real(options)
    );
    return await dial({ host: "two.test", port }, NEVER, named("192.0.2.1", "127.0.0.1"));
  })();
  assert.ok(
    both instanceof DialFailure && both.shortage === "local_ports",
    "that address may be the right one",
  );
  using _stub = stubConnect(() => Promise.reject(systemError("ENOPROTOOPT")));
  assert.deepEqual(
    await dial({ host: "192.0.2.1", port: 1 }, NEVER),
    new DialFailure("other", "it failed (ENOPROTOOPT)"),
  );
});
