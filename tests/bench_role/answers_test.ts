import assert from "node:assert/strict";
import { BackendNames, NO_BACKEND } from "../../bench/core/backend_names.ts";
import { INVALID, MORE, MORE_WITHOUT } from "../../bench/core/answers.ts";
import { httpPayload, linePayload, type Payload, rawPayload } from "../../bench/core/payload.ts";

const encoder = new TextEncoder();
const HTTP = httpPayload("x", "/", 0, false);

/** Reads an answer that arrives in pieces. Returns what is left behind it, or the reason why there is no answer. */
function read(payload: Payload, text: string, size = Infinity, request = 1) {
  const names = new BackendNames();
  const reader = payload.reader(names);
  reader.begin(payload.write(request, new Uint8Array(payload.size)));
  const bytes = encoder.encode(text);
  const buffer = new Uint8Array(bytes.length + 10);
  let filled = 0;
  let outcome: number = MORE;
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, Math.min(bytes.length, at + size));
    buffer.set(piece, filled);
    outcome = reader.take(buffer, filled, filled + piece.length);
    if (outcome >= 0 || outcome === INVALID) {
      const left = bytes.length - at - piece.length + filled + piece.length - outcome;
      return {
        outcome: outcome === INVALID ? "invalid" : "whole",
        left: outcome === INVALID ? NaN : left,
        backend: names.names[reader.backend],
        error: reader.error,
        isLast: reader.isLast,
      };
    }
    filled = outcome === MORE_WITHOUT ? 0 : filled + piece.length;
  }
  return { outcome: "more", endsWithConnection: reader.endsWithConnection() };
}

const ANSWERS = {
  "a line": [linePayload(), "Hello from B1: request 0000000001\n"],
  "a line with CRLF": [linePayload(), "Hello from B1: request 0000000001\r\n"],
  "raw bytes": [rawPayload(5, 7), "1234567"],
  "HTTP with a length": [HTTP, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello from B1\n"],
  "HTTP without a body": [HTTP, "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n"],
  "HTTP with bare newlines": [HTTP, "HTTP/1.1 200 OK\nContent-length:  2\n\nab"],
  "HTTP in chunks": [
    HTTP,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n12345\r\nA\r\n1234567890\r\n0\r\nX: y\r\n\r\n",
  ],
} as const;

for (const [name, [payload, text]] of Object.entries(ANSWERS)) {
  Deno.test(`an answer of ${name} is found, in however many pieces it arrives`, () => {
    for (const size of [1, 2, 3, 7, Infinity]) {
      const { outcome, left, error } = read(payload, text, size);
      assert.deepEqual([outcome, left, error], ["whole", 0, undefined], `${size}`);
      assert.equal(read(payload, text.slice(0, -1), size).outcome, "more");
    }
  });
}

for (
  const [name, text, backend] of [
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello from B7\n", "B7"],
    [
      "chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nHello from B7\n\r\n0\r\n\r\n",
      "B7",
    ],
    ["another body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello", undefined],
  ] as const
) {
  Deno.test(`an HTTP answer with ${name} names its backend`, () => {
    assert.equal(read(HTTP, text).backend, backend);
  });
}

Deno.test("an HTTP answer with an error status is an error", () => {
  const answer = (status: number) =>
    read(HTTP, `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`).error;
  assert.deepEqual([200, 301, 404, 503].map(answer), [
    undefined,
    undefined,
    "http_4xx",
    "http_5xx",
  ]);
});

Deno.test("an HTTP answer says whether the connection can be used again", () => {
  const isLast = (version: string, field: string) =>
    read(HTTP, `HTTP/${version} 200 OK\r\n${field}Content-Length: 0\r\n\r\n`).isLast;
  assert.equal(isLast("1.1", ""), false);
  assert.equal(isLast("1.1", "Connection: Close\r\n"), true);
  assert.equal(isLast("1.0", ""), true);
  assert.equal(isLast("1.0", "connection: keep-alive\r\n"), false);
});

Deno.test("an HTTP answer without a length ends with its connection", () => {
  const { outcome, endsWithConnection } = read(HTTP, "HTTP/1.1 200 OK\r\n\r\nabc");
  assert.deepEqual([outcome, endsWithConnection], ["more", true]);
});

for (
  const text of [
    "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 xyz OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "\n\n",
  ]
) {
  Deno.test(`${JSON.stringify(text)} is no HTTP answer`, () => {
    assert.equal(read(HTTP, text).outcome, "invalid");
  });
}

Deno.test("an echo of another request is a wrong answer", () => {
  const line = linePayload();
  assert.equal(read(line, "Hello from B1: request 0000000002\n").error, "wrong_answer");
  assert.equal(read(line, "Hello from B1:\n").error, "wrong_answer");
  assert.equal(read(line, "anything else\n").error, undefined);
});

Deno.test("bytes behind an answer are left over", () => {
  assert.equal(read(linePayload(), "one\ntwo\n").left, 4);
  assert.equal(read(rawPayload(1, 3), "abcde").left, 2);
});

Deno.test("linePayload() has lines of the given size, with a number if there is room", () => {
  for (const size of [1, 2, 18, 19, 20, 21, 100, 4096, 4097]) {
    const payload = linePayload(size);
    const text = new TextDecoder().decode(payload.write(1234567890, new Uint8Array(size)));
    assert.equal(text.length, size);
    assert.equal(text.indexOf("\n"), size - 1);
    assert.equal(text.endsWith("1234567890\n"), size >= 19 && size <= 4096, `${size}`);
  }
});

Deno.test("BackendNames.numberIn() gives each name its number", () => {
  const names = new BackendNames();
  const numberIn = (text: string) => names.numberIn(encoder.encode(text), 0, text.length);
  assert.deepEqual(
    ["Hello from B1: a", "Hello from B2", "Hello from B1\n", "Hello from ", "Hello", ""].map(
      numberIn,
    ),
    [0, 1, 0, NO_BACKEND, NO_BACKEND, NO_BACKEND],
  );
  for (let i = 0; i < 1000; i++) assert.equal(numberIn(`Hello from N${i}: x`), i + 2);
  assert.equal(numberIn("Hello from N500"), 502);
});
