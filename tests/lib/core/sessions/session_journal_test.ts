import assert from "node:assert/strict";
import fc from "fast-check";
import { SessionJournal } from "../../../../lib/core/mod.ts";

interface Note {
  readonly key: string;
  readonly at: number;
  readonly dropped: boolean;
}

const RULES = { maxEntries: 1000, batch: 2, retry: 100, retryMax: 350 };

/** A journal whose store is open. */
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

Deno.test("SessionJournal.take() returns batches, the changes that have waited longest first", () => {
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

Deno.test("SessionJournal.take() returns one batch at a time, and nothing before the store is open", () => {
  const journal = new SessionJournal<Note>(RULES);
  note(journal, "abc");
  assert.equal(journal.usable, false);
  assert.equal(taken(journal), undefined);
  journal.opened([], 0);
  assert.equal(taken(journal), "ab");
  assert.equal(taken(journal), undefined);
});

Deno.test("SessionJournal.note() replaces an earlier change of the same session, and keeps its place", () => {
  const journal = opened();
  note(journal, "ab", 1);
  note(journal, "a", 2);
  assert.equal(journal.unwritten, 2);
  assert.deepEqual(journal.take(), [...notes("a", 2), ...notes("b", 1)]);
});

Deno.test("SessionJournal.note() of a session that is being written makes the journal write it again", () => {
  const journal = opened();
  note(journal, "a", 1);
  journal.take();
  note(journal, "a", 2);
  journal.written(0);
  assert.deepEqual(journal.take(), notes("a", 2));
});

Deno.test("SessionJournal.note() discards changes of removed sessions if there are too many, and then the oldest changes", () => {
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

Deno.test("SessionJournal.note() may discard a change that the store missed, and the outage still ends", () => {
  const journal = opened({ ...RULES, maxEntries: 1, batch: 9 });
  journal.failed(100);
  note(journal, "a", 0, true);
  journal.opened(notes("b"), 200);
  note(journal, "c");
  assert.equal(taken(journal), "bc");
  assert.deepEqual(journal.written(300), { outage: 200, written: 2 });
});

Deno.test("SessionJournal.failed() returns true only when an outage begins, and makes each pause longer", () => {
  const journal = opened();
  const waits = [];
  for (const first of [true, false, false, false]) {
    assert.equal(journal.failed(1000), first);
    waits.push(journal.retryAt - 1000);
  }
  assert.deepEqual(waits, [100, 200, 350, 350]);
  assert.equal(journal.usable, false);
});

Deno.test("SessionJournal.failed(): the pauses go on growing if a recovery does not last", () => {
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

Deno.test("SessionJournal.failed() takes the batch back, and a later change of the same session replaces the one in the batch", () => {
  const journal = opened();
  note(journal, "ab", 1);
  assert.deepEqual(journal.take(), notes("ab", 1));
  note(journal, "a", 2);
  journal.failed(0);
  journal.opened([], 0);
  assert.deepEqual(journal.take(), [...notes("a", 2), ...notes("b", 1)]);
});

Deno.test("SessionJournal.opened() after an outage makes the journal write all sessions, and written() reports when that is done", () => {
  const journal = opened();
  journal.failed(100);
  note(journal, "c");
  assert.equal(journal.opened(notes("abc"), 500), undefined);
  assert.equal(taken(journal), "ca");
  assert.equal(journal.written(600), undefined);
  // Changes that come now are not among those that the store has missed.
  note(journal, "xyz");
  assert.equal(taken(journal), "bx");
  assert.deepEqual(journal.written(700), { outage: 600, written: 4 });
  assert.equal(taken(journal), "yz");
  assert.equal(journal.written(800), undefined);
  assert.equal(journal.failed(1100), true, "the next outage is another one");
  assert.equal(journal.retryAt, 1200);
});

Deno.test("SessionJournal.opened() ends an outage at once if there is nothing to write", () => {
  const journal = new SessionJournal<Note>(RULES);
  assert.equal(journal.failed(100), true);
  assert.deepEqual(journal.opened([], 300), { outage: 200, written: 0 });
});

Deno.test("SessionJournal continues the same outage if the store fails before all missed changes are written", () => {
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

Deno.test("SessionJournal: after any failures, a store that works again has the present state of every session", () => {
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
