import assert from "node:assert/strict";
import fc from "fast-check";
import { SessionJournal } from "../../../../lib/core/mod.ts";

interface Note {
  readonly key: string;
  readonly at: number;
  readonly dropped: boolean;
}

const RULES = { maxEntries: 1000, batch: 2, retry: 100, retryMax: 350 };

/** A journal whose store is there. */
function opened(rules = RULES): SessionJournal<Note> {
  const journal = new SessionJournal<Note>(rules);
  assert.equal(journal.opened([], 0), undefined);
  return journal;
}

function notes(keys: string, at = 0, dropped = false): Note[] {
  return [...keys].map((key) => ({ key, at, dropped }));
}

function note(journal: SessionJournal<Note>, keys: string, at = 0, dropped = false): void {
  for (const one of notes(keys, at, dropped)) journal.note(one);
}

function taken(journal: SessionJournal<Note>): string | undefined {
  return journal.take()?.map(({ key }) => key).join("");
}

Deno.test("SessionJournal.take() hands out batches, what has waited longest first", () => {
  const journal = opened();
  note(journal, "abcde");
  assert.equal(taken(journal), "ab");
  assert.equal(journal.written(0), undefined);
  assert.equal(taken(journal), "cd");
  journal.written(0);
  assert.equal(taken(journal), "e");
  journal.written(0);
  assert.equal(taken(journal), undefined);
});

Deno.test("SessionJournal.take() hands out one batch at a time, and nothing before there is a store", () => {
  const journal = new SessionJournal<Note>(RULES);
  note(journal, "abc");
  assert.equal(journal.usable, false);
  assert.equal(taken(journal), undefined);
  journal.opened([], 0);
  assert.equal(taken(journal), "ab");
  assert.equal(taken(journal), undefined);
});

Deno.test("SessionJournal.note() keeps the latest of a session, in its place", () => {
  const journal = opened();
  note(journal, "ab", 1);
  note(journal, "a", 2);
  assert.equal(journal.unwritten, 2);
  assert.deepEqual(journal.take(), [...notes("a", 2), ...notes("b", 1)]);
});

Deno.test("SessionJournal.note() while a session is being written has it written again", () => {
  const journal = opened();
  note(journal, "a", 1);
  journal.take();
  note(journal, "a", 2);
  journal.written(0);
  assert.deepEqual(journal.take(), notes("a", 2));
});

Deno.test("SessionJournal.note() drops removed sessions when there is too much, and then the oldest", () => {
  const journal = opened({ ...RULES, maxEntries: 2, batch: 9 });
  note(journal, "ab");
  note(journal, "c", 0, true);
  note(journal, "d");
  assert.equal(journal.unwritten, 4, "no client is counted before the limit is reached");
  note(journal, "e");
  assert.equal(taken(journal), "abde");
  journal.written(0);
  note(journal, "abcde");
  assert.equal(taken(journal), "bcde");
});

Deno.test("SessionJournal.note() that drops what a store missed does not keep it from catching up", () => {
  const journal = opened({ ...RULES, maxEntries: 1, batch: 9 });
  journal.failed(100);
  note(journal, "a", 0, true);
  journal.opened(notes("b"), 200);
  note(journal, "c");
  assert.equal(taken(journal), "bc");
  assert.deepEqual(journal.written(300), { outage: 200, written: 2 });
});

Deno.test("SessionJournal.failed() says once that an outage begins, and leaves the store alone ever longer", () => {
  const journal = opened();
  const waits = [];
  for (const first of [true, false, false, false]) {
    assert.equal(journal.failed(1000), first);
    waits.push(journal.retryAt - 1000);
  }
  assert.deepEqual(waits, [100, 200, 350, 350]);
  assert.equal(journal.usable, false);
});

Deno.test("SessionJournal.failed() goes on with its waits when a recovery does not last", () => {
  const journal = opened();
  let now = 0;
  const fails = (after: number) => {
    assert.equal(journal.failed(now += after), true);
    const wait = journal.retryAt - now;
    assert.notEqual(journal.opened([], now += wait), undefined);
    return wait;
  };
  assert.deepEqual([fails(10), fails(10), fails(10), fails(349)], [100, 200, 350, 350]);
  assert.equal(fails(350), 100, "it has worked for as long as the longest wait");
});

Deno.test("SessionJournal.failed() takes the batch back, and a later change in it stays the later", () => {
  const journal = opened();
  note(journal, "ab", 1);
  assert.deepEqual(journal.take(), notes("ab", 1));
  note(journal, "a", 2);
  journal.failed(0);
  journal.opened([], 0);
  assert.deepEqual(journal.take(), [...notes("a", 2), ...notes("b", 1)]);
});

Deno.test("SessionJournal.opened() after an outage has everything written, and says when that is done", () => {
  const journal = opened();
  journal.failed(100);
  note(journal, "c");
  assert.equal(journal.opened(notes("abc"), 500), undefined);
  assert.equal(taken(journal), "ca");
  assert.equal(journal.written(600), undefined);
  // What comes meanwhile is no part of what was missed.
  note(journal, "xyz");
  assert.equal(taken(journal), "bx");
  assert.deepEqual(journal.written(700), { outage: 600, written: 4 });
  assert.equal(taken(journal), "yz");
  assert.equal(journal.written(800), undefined);
  assert.equal(journal.failed(1100), true, "the next outage is another one");
  assert.equal(journal.retryAt, 1200);
});

Deno.test("SessionJournal.opened() ends an outage at once if there is nothing to tell", () => {
  const journal = new SessionJournal<Note>(RULES);
  assert.equal(journal.failed(100), true);
  assert.deepEqual(journal.opened([], 300), { outage: 200, written: 0 });
});

Deno.test("SessionJournal goes on with the same outage if the store fails before it has caught up", () => {
  const journal = opened();
  journal.failed(100);
  journal.opened(notes("abc"), 200);
  journal.take();
  assert.equal(journal.failed(300), false);
  journal.opened(notes("abc"), 400);
  journal.take();
  journal.written(500);
  journal.take();
  assert.deepEqual(journal.written(600), { outage: 500, written: 3 });
});

/** What can happen to a journal and its store. */
type Step = "change" | "write" | "fail" | "open" | "lose";

Deno.test("SessionJournal: whatever fails, a store that works in the end knows every session as it is", () => {
  const step = fc.record({
    what: fc.constantFrom<Step>(
      "change",
      "change",
      "change",
      "write",
      "write",
      "fail",
      "open",
      "lose",
    ),
    key: fc.constantFrom(..."abcdefgh"),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 1, max: 4 }),
      (steps, batch) => {
        const journal = new SessionJournal<Note>({ ...RULES, batch });
        const sessions = new Map<string, Note>();
        const store = new Map<string, Note>();
        let now = 0;
        let inOutage = false;

        const recovers = (recovery: unknown) => {
          if (recovery === undefined) return;
          assert.ok(inOutage, "only what began ends");
          inOutage = false;
        };
        const write = () => {
          const batch = journal.take();
          batch?.forEach((note) => store.set(note.key, note));
          if (batch !== undefined) recovers(journal.written(now));
          return batch !== undefined;
        };
        const fail = () => {
          journal.take();
          assert.equal(journal.failed(now), !inOutage, "said once");
          inOutage = true;
        };
        const open = () => {
          if (!journal.usable) recovers(journal.opened(sessions.values(), now));
        };

        for (const { what, key } of steps) {
          now++;
          if (what === "change") {
            const note = { key, at: now, dropped: false };
            sessions.set(key, note);
            journal.note(note);
          } else if (what === "write") write();
          else if (what === "fail") fail();
          else if (what === "open") open();
          else {
            // The store was restarted: its connections fail.
            store.clear();
            fail();
          }
          assert.ok(journal.unwritten <= sessions.size);
        }
        open();
        while (write());
        assert.deepEqual([...store].sort(), [...sessions].sort());
        assert.equal(inOutage, false);
      },
    ),
  );
});
