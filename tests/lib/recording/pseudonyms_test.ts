import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createRandom, parseIp } from "../../../lib/base/mod.ts";
import { clientKey } from "../../../lib/core/mod.ts";
import { Pseudonyms } from "../../../lib/recording/mod.ts";
import { recordedLife } from "../../support/recorded_life.ts";
import { replayOf } from "../../support/replays.ts";

const withKey = (key: string) =>
  new Pseudonyms((bytes) => createHmac("sha256", key).update(bytes).digest());

Deno.test("Pseudonyms are stable, differ by key, and keep IPv4 and IPv6 apart", () => {
  const [one, same, other] = [withKey("a"), withKey("a"), withKey("b")];
  const random = createRandom(1);
  const addresses = Array.from(
    { length: 500 },
    (_, i) => i % 2 === 0 ? `10.0.${Math.floor(random.next() * 256)}.${i % 256}` : `2001:db8::${i}`,
  );
  for (const address of addresses) {
    const pseudonym = one.of(address);
    assert.equal(same.of(address), pseudonym);
    assert.notEqual(other.of(address), pseudonym);
    assert.ok(parseIp(pseudonym) !== undefined);
    assert.equal(pseudonym.includes(":"), address.includes(":"));
  }
  const distinct = new Set(addresses);
  assert.equal(new Set([...distinct].map((address) => one.of(address))).size, distinct.size);
  assert.equal(one.of("no address"), "no address");
});

Deno.test("Pseudonyms of two addresses share as many first bits as the addresses", () => {
  const pseudonyms = withKey("key");
  for (let bits = 1; bits <= 32; bits++) {
    const same = (a: string, b: string) => clientKey(a, bits, 128) === clientKey(b, bits, 128);
    for (const other of ["10.1.2.77", "10.1.3.4", "10.9.9.9", "11.0.0.1", "200.0.0.1"]) {
      const [a, b] = [pseudonyms.of("10.1.2.3"), pseudonyms.of(other)];
      assert.equal(same(a, b), same("10.1.2.3", other), `${bits} bits of ${other}`);
    }
    const prefix = clientKey("10.1.2.3", bits, 128);
    assert.equal(pseudonyms.of(prefix), clientKey(pseudonyms.of("10.1.2.3"), bits, 128));
  }
});

Deno.test("Replay repeats the decisions if clients have pseudonyms, unless addresses are hashed", () => {
  const pseudonyms = withKey("key");
  let replayed = 0;
  for (let seed = 1; replayed < 5; seed++) {
    const lines = recordedLife(seed, 300);
    if (/"algorithm":"(source-hash|ring-hash|maglev)"/.test(lines.join("\n"))) continue;
    const [head, ...events] = lines.map((line) => JSON.parse(line));
    const written = [head, ...events.map((event) => pseudonyms.event(event))];
    const text = written.map((line) => `${JSON.stringify(line)}\n`).join("");
    assert.doesNotMatch(text, /"client":"10\.0\.0\./);
    const { difference } = replayOf(text);
    assert.equal(difference, undefined, `seed ${seed}: ${JSON.stringify(difference)}`);
    replayed++;
  }
});

Deno.test("Replay with pseudonyms ends at a reload with an algorithm that hashes addresses", () => {
  const pseudonyms = withKey("key");
  const hashes = (line: string) => /"algorithm":"(source-hash|ring-hash|maglev)"/.test(line);
  let ended = 0;
  for (let seed = 1; ended < 3; seed++) {
    assert.ok(seed < 500, "enough runs begin without an algorithm that hashes, and get one later");
    const lines = recordedLife(seed, 300);
    const at = lines.findIndex(hashes);
    if (at < 2) continue;
    const [head, ...events] = lines.map((line) => JSON.parse(line));
    const written = [head, ...events.map((event) => pseudonyms.event(event))];
    const text = written.map((line) => `${JSON.stringify(line)}\n`).join("");
    const result = replayOf(text, { isPseudonymous: true });
    assert.equal(result.difference, undefined, `seed ${seed}: ${JSON.stringify(result)}`);
    assert.deepEqual(result.hashed, { file: "test", line: at + 1 });
    ended++;
  }
});
