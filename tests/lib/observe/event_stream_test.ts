import assert from "node:assert/strict";
import fc from "fast-check";
import { EventStreamParser } from "../../../lib/observe/event_stream.ts";

Deno.test("push() returns the events that are complete", () => {
  const parser = new EventStreamParser();
  assert.deepEqual(parser.push("retry: 1000\n\n: \n\nid: 7\nevent: frame\nda"), []);
  assert.deepEqual(parser.push("ta: {}\n\nevent: probe\ndata: a\ndata: b\n\n"), [
    { event: "frame", data: "{}", id: "7" },
    { event: "probe", data: "a\nb", id: "7" },
  ]);
  assert.deepEqual(parser.push("data:x\n\n"), [{ event: "message", data: "x", id: "7" }]);
});

Deno.test("push() gives the same events wherever the text is cut", () => {
  const text = "event: a\ndata: 1\n\nid: 2\nevent: b\ndata: 2\n\n: alive\n\ndata: 3\n\n";
  const whole = new EventStreamParser().push(text);
  assert.equal(whole.length, 3);
  fc.assert(fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
    const places = [0, ...cuts.toSorted((a, b) => a - b), text.length];
    const parser = new EventStreamParser();
    const found = places.slice(1).flatMap((end, i) => parser.push(text.slice(places[i], end)));
    assert.deepEqual(found, whole);
  }));
});
