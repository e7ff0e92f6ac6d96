/**
 * Every pair of controls: what must happen when both apply. Other files test each rule alone; this table tests two
 * rules together.
 */
import assert from "node:assert/strict";
import type {
  BackendMode,
  BackendOptions,
  Connection,
  SchedulerOptions,
  StickyRules,
} from "../../../lib/core/mod.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { acquire, placeOf } from "../../support/phases.ts";
import { bringUp, schedulerOf, STICKY, takeDown } from "../../support/scheduling.ts";

const CONTROLS = [
  "sticky",
  "queue",
  "drain",
  "maintenance",
  "ejection",
  "slow start",
  "backup",
  "weight 0",
  "limits",
  "reload",
] as const;

type Control = typeof CONTROLS[number];

/** The settings of some backends, by id. */
type Backends = Readonly<Record<string, Partial<Omit<BackendOptions, "id">>>>;

/** A configuration. By default, clients go to the first available backend. */
interface Setting extends Partial<Omit<SchedulerOptions, "backends">> {
  readonly backends: Backends;
}

/**
 * An action, and then its outcomes. A client (`a`, `b` …) `comes`, `ends` its oldest connection, or
 * `fails`: it comes, and its connect fails. A backend `drains`, is in `maintenance`, `ready`, `down`, `up` or
 * `probed`. `12 clients` come; `at 5 s`: it is now this time. An object is another configuration.
 */
type Step = readonly [action: string | Setting, ...outcome: readonly string[]];

interface Meeting {
  readonly pair: readonly [Control, Control];
  readonly expected: string;
  readonly setting: Setting;
  readonly steps: readonly Step[];
}

const ALLOW: StickyRules = { ...STICKY, drain: "allow" };
const STAY: StickyRules = { ...STICKY, onFailback: "stay" };
const QUEUE = { length: 2, timeout: 100 * NS_PER_S };
const EJECTION = { failures: 1, base: 10 * NS_PER_S, max: 100 * NS_PER_S, maxShare: 0.5 };
const SLOW = { duration: 20 * NS_PER_S, floor: 0.1 };
const TURNS = { algorithm: { name: "round-robin" } } as const;
const UNPROBED = { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 };
const ONE = { maxConnections: 1 };

const MEETINGS: readonly Meeting[] = [
  {
    pair: ["sticky", "queue"],
    expected: "a client that waits takes the first free place at any backend, and stays pinned",
    setting: { sticky: STICKY, queue: QUEUE, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
      ["a comes", "a: waits"],
      ["b ends", "a: B2"],
      ["a ends"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "drain"],
    expected: "a pinned client moves at its next connection, and returns",
    setting: { sticky: STICKY, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 drains"],
      ["a comes", "a: B2"],
      ["B1 ready"],
      ["B1 probed"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "drain"],
    expected: "with drain: allow a pinned client comes back and a new one does not",
    setting: { sticky: ALLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 drains"],
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
    ],
  },
  {
    pair: ["sticky", "maintenance"],
    expected:
      "a pinned client moves, whatever drain says, and returns when its backend answers probes",
    setting: { sticky: ALLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 maintenance"],
      ["a comes", "a: B2"],
      ["B1 ready"],
      ["a comes", "a: B2"],
      ["B1 probed"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "ejection"],
    expected: "a pinned client stays away when the ejection ends, until a probe has succeeded",
    setting: { sticky: STICKY, ejection: EJECTION, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["at 10 s", "B1 readmitted"],
      ["a comes", "a: B2"],
      ["b comes", "b: B1"],
      ["B1 probed"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "ejection"],
    expected:
      "without probes, a pinned client returns after another client's connect has succeeded",
    setting: {
      healthCheck: UNPROBED,
      sticky: STICKY,
      ejection: EJECTION,
      backends: { B1: {}, B2: {} },
    },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["at 10 s", "B1 readmitted"],
      ["a comes", "a: B2"],
      ["b comes", "b: B1"],
      ["at 11 s"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "slow start"],
    expected: "pinned clients return at once, however little weight their backend has",
    setting: { ...TURNS, sticky: STICKY, slowStart: SLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 down"],
      ["a comes", "a: B2"],
      ["at 1 s"],
      ["B1 up"],
      ["a comes", "a: B1"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "backup"],
    expected: "a client that was pinned to a backup moves to a primary that works",
    setting: { sticky: STICKY, backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["B1 down"],
      ["a comes", "a: B2"],
      ["at 1 s"],
      ["B1 up"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "weight 0"],
    expected: "a pinned client moves; with drain: allow it comes back",
    setting: { sticky: STICKY, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ sticky: STICKY, backends: { B1: { weight: 0 }, B2: {} } }],
      ["a comes", "a: B2"],
      [{ sticky: STICKY, backends: { B1: {}, B2: {} } }],
      ["B1 probed"],
      ["a comes", "a: B1"],
      [{ sticky: ALLOW, backends: { B1: { weight: 0 }, B2: {} } }],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "limits"],
    expected:
      "while a backend is full, a connection of its client goes to another backend, and the client stays pinned",
    setting: { sticky: STICKY, backends: { B1: ONE, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["a comes", "a: B2"],
      ["a ends"],
      ["a comes", "a: B1"],
    ],
  },
  {
    pair: ["sticky", "limits"],
    expected: "limits apply to pinned clients, too",
    setting: {
      sticky: STICKY,
      limits: { connections: 2, perClient: { connections: 1 } },
      backends: { B1: {} },
    },
    steps: [
      ["a comes", "a: B1"],
      ["a comes", "a: client_connection_limit"],
      ["b comes", "b: B1"],
      ["c comes", "c: connection_limit"],
    ],
  },
  {
    pair: ["sticky", "reload"],
    expected: "pins stay, except those to a backend that was removed or has another address",
    setting: { sticky: STICKY, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ sticky: STICKY, backends: { B2: {}, B1: {} } }],
      ["a comes", "a: B1"],
      [{ sticky: STICKY, backends: { B2: {}, B1: { address: { host: "10.0.0.1", port: 1 } } } }],
      ["B1 probed", "B1 up"],
      ["a comes", "a: B2"],
    ],
  },
  {
    pair: ["queue", "drain"],
    expected:
      "a client that waits gets no place at a backend that drains, and no client waits for such a backend",
    setting: { queue: QUEUE, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
      ["c comes", "c: waits"],
      ["B1 drains"],
      ["a ends"],
      ["B2 drains", "c: no_backend_available"],
      ["d comes", "d: no_backend_available"],
    ],
  },
  {
    pair: ["queue", "drain"],
    expected:
      "with drain: allow a pinned client waits for its backend, and is served before clients that wait longer",
    setting: { sticky: ALLOW, queue: QUEUE, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
      ["B1 drains"],
      ["c comes", "c: waits"],
      ["a comes", "a: waits"],
      ["a ends", "a: B1"],
      ["b ends", "c: B2"],
      ["B2 drains"],
      ["c comes", "c: waits"],
      ["d comes", "d: no_backend_available"],
      ["c ends", "c: B2"],
    ],
  },
  {
    pair: ["queue", "maintenance"],
    expected:
      "clients wait as long as another backend may get room; when maintenance ends, they are served",
    setting: { queue: QUEUE, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["B2 maintenance"],
      ["b comes", "b: waits"],
      ["B2 ready", "b: B2"],
      ["c comes", "c: waits"],
      ["B1 maintenance"],
      ["B2 maintenance", "c: no_backend_available"],
    ],
  },
  {
    pair: ["queue", "ejection"],
    expected: "a client that waits is served when an ejection ends",
    setting: { queue: QUEUE, ejection: EJECTION, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["b comes", "b: waits"],
      ["at 9.9 s"],
      ["at 10 s", "B1 readmitted", "b: B1"],
    ],
  },
  {
    pair: ["queue", "slow start"],
    expected: "a client that waits is served by a backend that starts slowly",
    setting: { ...TURNS, queue: QUEUE, slowStart: SLOW, backends: { B1: ONE, B2: ONE } },
    steps: [
      ["B1 down"],
      ["a comes", "a: B2"],
      ["b comes", "b: waits"],
      ["B1 up", "b: B1"],
    ],
  },
  {
    pair: ["queue", "backup"],
    expected: "clients wait only when the backup is full, too, and also for the backup",
    setting: { queue: QUEUE, backends: { B1: ONE, B2: { ...ONE, backup: true } } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
      ["c comes", "c: waits"],
      ["b ends", "c: B2"],
    ],
  },
  {
    pair: ["queue", "weight 0"],
    expected: "no client waits for a backend of weight 0",
    setting: { queue: QUEUE, backends: { B1: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: waits"],
      [{ queue: QUEUE, backends: { B1: { ...ONE, weight: 0 } } }, "b: no_backend_available"],
      ["c comes", "c: no_backend_available"],
    ],
  },
  {
    pair: ["queue", "limits"],
    expected: "clients that wait count for all limits",
    setting: {
      queue: QUEUE,
      limits: { connections: 2, perClient: { connections: 1 } },
      backends: { B1: ONE },
    },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: waits"],
      ["b comes", "b: client_connection_limit"],
      ["c comes", "c: connection_limit"],
      ["a ends", "b: B1"],
      ["c comes", "c: waits"],
    ],
  },
  {
    pair: ["queue", "reload"],
    expected:
      "more room serves clients that wait; another timeout applies to them at once; without a queue they continue to wait",
    setting: { queue: QUEUE, backends: { B1: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: waits"],
      ["c comes", "c: waits"],
      [{ queue: QUEUE, backends: { B1: { maxConnections: 2 } } }, "b: B1"],
      [{ backends: { B1: ONE } }],
      ["d comes", "d: all_backends_full"],
      [{ queue: { length: 2, timeout: 5 * NS_PER_S }, backends: { B1: ONE } }],
      ["at 5 s", "c: queue_timeout"],
    ],
  },
  {
    pair: ["drain", "maintenance"],
    expected:
      "no client comes when a backend changes from one to the other; in maintenance, not even a pinned client",
    setting: { sticky: ALLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 drains"],
      ["a comes", "a: B1"],
      ["B1 maintenance"],
      ["B1 drains"],
      ["b comes", "b: B2"],
      ["B1 maintenance"],
      ["a comes", "a: B2"],
    ],
  },
  {
    pair: ["drain", "ejection"],
    expected:
      "an ejection ends although the backend drains, and clients come only when the backend is ready",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: {} } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["B1 drains"],
      ["at 10 s", "B1 readmitted"],
      ["b comes", "b: B2"],
      ["B1 ready"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["drain", "slow start"],
    expected: "the time of a slow start does not run while the backend drains",
    setting: { ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["B1 down"],
      ["B1 up"],
      ["B1 drains"],
      ["at 100 s"],
      ["B1 ready"],
      ["22 clients", "B1 2, B2 20"],
      ["at 120 s"],
      ["20 clients", "B1 10, B2 10"],
    ],
  },
  {
    pair: ["drain", "backup"],
    expected: "a backup serves while all primaries drain, and no longer",
    setting: { backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["B1 drains"],
      ["a comes", "a: B2"],
      ["B1 ready"],
      ["b comes", "b: B1"],
    ],
  },
  {
    pair: ["drain", "weight 0"],
    expected: "each keeps new clients away; the end of one does not end the other",
    setting: { backends: { B1: { weight: 0 }, B2: {} } },
    steps: [
      ["B1 drains"],
      ["a comes", "a: B2"],
      ["B1 ready"],
      ["b comes", "b: B2"],
      [{ backends: { B1: {}, B2: {} } }],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["drain", "limits"],
    expected: "connections on a backend that drains count for every limit",
    setting: { limits: { connections: 2 }, backends: { B1: ONE, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 drains"],
      ["b comes", "b: B2"],
      ["c comes", "c: connection_limit"],
      ["B1 ready"],
      ["b ends"],
      ["c comes", "c: B2"],
    ],
  },
  {
    pair: ["drain", "reload"],
    expected: "the operator's drain stays after a reload, unless the file changes the mode",
    setting: { backends: { B1: {}, B2: {} } },
    steps: [
      ["B1 drains"],
      [{ backends: { B1: { weight: 2 }, B2: {} } }],
      ["a comes", "a: B2"],
      [{ backends: { B1: { mode: "maintenance" }, B2: {} } }],
      ["b comes", "b: B2"],
      [{ backends: { B1: { mode: "ready" }, B2: {} } }],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["maintenance", "ejection"],
    expected: "an ejection continues during and after maintenance, and ends at its time",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: {} } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["B1 maintenance"],
      ["at 5 s"],
      ["B1 ready"],
      ["b comes", "b: B2"],
      ["at 10 s", "B1 readmitted"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["maintenance", "slow start"],
    expected: "a backend starts slowly after each maintenance, from the floor",
    setting: { ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["B1 maintenance"],
      ["B1 ready"],
      ["at 10 s"],
      ["B1 maintenance"],
      ["at 40 s"],
      ["B1 ready"],
      ["22 clients", "B1 2, B2 20"],
    ],
  },
  {
    pair: ["maintenance", "backup"],
    expected:
      "a backup serves while all primaries are in maintenance; a backup in maintenance does not",
    setting: { backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["B1 maintenance"],
      ["a comes", "a: B2"],
      ["B2 maintenance"],
      ["b comes", "b: no_backend_available"],
      ["B1 ready"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["maintenance", "weight 0"],
    expected: "at the end of maintenance, weight 0 stays 0",
    setting: { backends: { B1: { weight: 0 }, B2: {} } },
    steps: [
      ["B1 maintenance"],
      ["B1 ready"],
      ["a comes", "a: B2"],
      ["B2 down"],
      ["b comes", "b: no_backend_available"],
    ],
  },
  {
    pair: ["maintenance", "limits"],
    expected: "connections that were opened before maintenance count for max_connections after it",
    setting: { backends: { B1: ONE, B2: ONE } },
    steps: [
      ["a comes", "a: B1"],
      ["B1 maintenance"],
      ["B1 ready"],
      ["b comes", "b: B2"],
      ["c comes", "c: all_backends_full"],
      ["a ends"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["maintenance", "reload"],
    expected: "a backend gets no clients while the file has it in maintenance",
    setting: { backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ backends: { B1: { mode: "maintenance" }, B2: {} } }],
      ["b comes", "b: B2"],
      [{ backends: { B1: {}, B2: {} } }],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["ejection", "slow start"],
    expected: "a backend that returns from an ejection starts slowly",
    setting: { ...TURNS, ejection: EJECTION, slowStart: SLOW, backends: { B1: {}, B2: {} } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["at 10 s", "B1 readmitted"],
      // The connect that failed was a turn of B1.
      ["22 clients", "B1 1, B2 21"],
      ["at 30 s"],
      ["20 clients", "B1 10, B2 10"],
    ],
  },
  {
    pair: ["ejection", "backup"],
    expected: "a backup serves while the primaries are ejected; max_share is of all backends",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["b fails", "b: B2 fails", "b: connects_failed"],
      ["c comes", "c: B2"],
      ["at 10 s", "B1 readmitted"],
      ["d comes", "d: B1"],
    ],
  },
  {
    pair: ["ejection", "weight 0"],
    expected:
      "the last backend with a weight can be ejected, and a backend of weight 0 takes none of its clients",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: { weight: 0 } } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: connects_failed"],
      ["b comes", "b: no_backend_available"],
      ["at 10 s", "B1 readmitted"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["ejection", "limits"],
    expected:
      "max_share counts only backends that are ejected now, and a retry does not go to a full backend",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: ONE } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      ["b comes", "b: all_backends_full"],
      ["at 10 s", "B1 readmitted"],
      ["b fails", "b: B1 fails", "B1 ejected", "b: connects_failed"],
      ["a ends"],
      ["c comes", "c: B2"],
    ],
  },
  {
    pair: ["ejection", "reload"],
    expected: "an ejection stays after a reload, unless the new file has no ejection",
    setting: { ejection: EJECTION, backends: { B1: {}, B2: {} } },
    steps: [
      ["a fails", "a: B1 fails", "B1 ejected", "a: B2"],
      [{ ejection: EJECTION, backends: { B1: { weight: 2 }, B2: {} } }],
      ["b comes", "b: B2"],
      [{ backends: { B1: {}, B2: {} } }, "B1 readmitted"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["slow start", "backup"],
    expected: "a backup does not serve while a primary starts slowly",
    setting: { ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["B1 down"],
      ["1 clients", "B2 1"],
      ["B1 up"],
      ["5 clients", "B1 5"],
    ],
  },
  {
    pair: ["slow start", "weight 0"],
    expected: "a backend that came up with weight 0 starts slowly when it gets a weight",
    setting: { ...TURNS, slowStart: SLOW, backends: { B1: { weight: 0 }, B2: {} } },
    steps: [
      ["B1 down"],
      ["B1 up"],
      ["at 100 s"],
      [{ ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: {} } }],
      ["22 clients", "B1 2, B2 20"],
    ],
  },
  {
    pair: ["slow start", "limits"],
    expected:
      "slow start does not reduce max_connections, and clients of a full backend go to the one that starts slowly",
    setting: { ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: { maxConnections: 4 } } },
    steps: [
      ["B1 down"],
      ["B1 up"],
      ["10 clients", "B1 6, B2 4"],
    ],
  },
  {
    pair: ["slow start", "reload"],
    expected: "a backend that a reload adds starts slowly when it comes up; the others do not",
    setting: { ...TURNS, slowStart: SLOW, backends: { B2: {} } },
    steps: [
      [{ ...TURNS, slowStart: SLOW, backends: { B1: {}, B2: {} } }],
      ["at 100 s"],
      ["B1 probed", "B1 up"],
      ["22 clients", "B1 2, B2 20"],
      ["at 120 s"],
      ["20 clients", "B1 10, B2 10"],
    ],
  },
  {
    pair: ["backup", "weight 0"],
    expected: "a backup serves if the only primary has weight 0; a backup of weight 0 never serves",
    setting: { backends: { B1: { weight: 0 }, B2: { backup: true } } },
    steps: [
      ["a comes", "a: B2"],
      [{ backends: { B1: { weight: 0 }, B2: { backup: true, weight: 0 } } }],
      ["b comes", "b: no_backend_available"],
    ],
  },
  {
    pair: ["backup", "limits"],
    expected: "a backup serves while the primaries are full",
    setting: { backends: { B1: ONE, B2: { ...ONE, backup: true } } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B2"],
      ["c comes", "c: all_backends_full"],
      ["a ends"],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["backup", "reload"],
    expected:
      "a reload changes a primary into a backup and a backup into a primary, and no connection is lost",
    setting: { backends: { B1: {}, B2: { backup: true } } },
    steps: [
      ["a comes", "a: B1"],
      [{ backends: { B1: { backup: true }, B2: ONE } }],
      ["b comes", "b: B2"],
      ["c comes", "c: B1"],
      ["b ends"],
      ["d comes", "d: B2"],
    ],
  },
  {
    pair: ["weight 0", "limits"],
    expected:
      "a client that is pinned to a full backend of weight 0 moves, as from any backend that takes no clients",
    setting: { sticky: STAY, backends: { B1: ONE, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ sticky: STAY, backends: { B1: { ...ONE, weight: 0 }, B2: {} } }],
      ["a comes", "a: B2"],
      [{ sticky: STAY, backends: { B1: ONE, B2: {} } }],
      ["a ends"],
      ["a comes", "a: B2"],
    ],
  },
  {
    pair: ["weight 0", "reload"],
    expected:
      "after a reload to weight 0 a backend gets no clients; after a reload to another weight it does",
    setting: { backends: { B1: {}, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ backends: { B1: { weight: 0 }, B2: {} } }],
      ["b comes", "b: B2"],
      [{ backends: { B1: {}, B2: {} } }],
      ["c comes", "c: B1"],
    ],
  },
  {
    pair: ["limits", "reload"],
    expected:
      "a backend that is removed and added again counts its open connections; with another address it does not",
    setting: { backends: { B1: ONE, B2: {} } },
    steps: [
      ["a comes", "a: B1"],
      [{ backends: { B2: {} } }],
      [{ backends: { B1: ONE, B2: {} } }],
      ["B1 probed", "B1 up"],
      ["b comes", "b: B2"],
      ["a ends"],
      ["c comes", "c: B1"],
      [{ backends: { B1: { ...ONE, address: { host: "10.0.0.1", port: 1 } }, B2: {} } }],
      ["B1 probed", "B1 up"],
      ["d comes", "d: B1"],
      ["e comes", "e: B2"],
    ],
  },
  {
    pair: ["limits", "reload"],
    expected:
      "after a reload to a smaller limit, new clients are refused, and no connection is closed",
    setting: { limits: { connections: 10 }, backends: { B1: {} } },
    steps: [
      ["a comes", "a: B1"],
      ["b comes", "b: B1"],
      [{ limits: { connections: 2 }, backends: { B1: {} } }],
      ["c comes", "c: connection_limit"],
      ["a ends"],
      ["c comes", "c: B1"],
    ],
  },
];

function optionsOf({ backends, ...rest }: Setting) {
  return {
    algorithm: { name: "first-available" },
    healthCheck: { type: "tcp", interval: NS_PER_S, jitter: 0, rise: 2, fall: 3 },
    retries: 3,
    limits: { connections: 1000 },
    ...rest,
    backends: Object.entries(backends).map(([id, options]) => ({
      id,
      weight: 1,
      backup: false,
      ...options,
    })),
  } as const;
}

/** A scheduler that executes actions, and their outcomes. */
class Stage {
  readonly #scheduler: ReturnType<typeof schedulerOf>["scheduler"];
  readonly #held = new Map<string, Connection[]>();
  /** Connections whose connects succeed at the end of the present action. */
  readonly #opening: Connection[] = [];
  #now = 0;
  #outcome: string[] = [];

  constructor(setting: Setting) {
    const { scheduler, events } = schedulerOf(optionsOf(setting));
    this.#scheduler = scheduler;
    events.subscribe("test", ["backend_ejected", "backend_readmitted", "backend_up"], (event) => {
      const what = event.type.replace("backend_", "");
      this.#outcome.push(`${event.backend} ${what}`);
    });
  }

  /** Executes an action. Returns its outcomes. */
  act(action: string | Setting): string[] {
    this.#outcome = [];
    if (typeof action === "string") this.#act(action);
    else this.#scheduler.reconfigure(optionsOf(action), this.#now);
    for (const lease of this.#opening.splice(0)) lease.connected(this.#now);
    return this.#outcome;
  }

  #act(action: string): void {
    const [subject = "", verb = ""] = action.split(" ");
    if (subject === "at") {
      this.#now = parseFloat(verb) * NS_PER_S;
      this.#scheduler.passTime(this.#now);
    } else if (verb === "clients") this.#comeMany(Number(subject));
    else if (subject.startsWith("B")) this.#operate(subject, verb);
    else if (verb === "comes") this.#goesTo(subject, acquire(this.#scheduler, subject, this.#now));
    else if (verb === "fails") this.#fails(subject);
    else this.#held.get(subject)!.shift()!.close("closed", this.#now);
  }

  #operate(id: string, verb: string): void {
    const scheduler = this.#scheduler;
    if (verb === "down") takeDown(scheduler, id, this.#now);
    else if (verb === "probed") scheduler.probed(id, true, ++this.#now, 0);
    else if (verb === "up") {
      bringUp(scheduler, id, this.#now);
      this.#outcome = this.#outcome.filter((outcome) => outcome !== `${id} up`);
    } else {
      scheduler.setMode(id, verb === "drains" ? "drain" : verb as BackendMode, this.#now);
    }
  }

  #comeMany(count: number): void {
    const places: string[] = [];
    for (let i = 0; i < count; i++) {
      const held = acquire(this.#scheduler, `${i}`, this.#now);
      assert.equal(held.phase, "connecting");
      held.connected(this.#now);
      places.push(held.backend.id);
    }
    const counts = [...new Set(places)].sort()
      .map((id) => `${id} ${places.filter((place) => place === id).length}`);
    this.#outcome.push(counts.join(", "));
  }

  #fails(client: string): void {
    const lease = acquire(this.#scheduler, client, this.#now);
    assert.equal(lease.phase, "connecting");
    this.#outcome.push(`${client}: ${lease.backend.id} fails`);
    lease.connectFailed("refused", this.#now);
    this.#goesTo(client, lease);
  }

  #goesTo(client: string, connection: Connection): void {
    this.#outcome.push(`${client}: ${placeOf(connection)}`);
    connection.onSettled = () => this.#goesTo(client, connection);
    if (connection.phase !== "connecting") return;
    this.#held.set(client, [...this.#held.get(client) ?? [], connection]);
    this.#opening.push(connection);
  }
}

for (const { pair, expected, setting, steps } of MEETINGS) {
  Deno.test(`${pair.join(" and ")}: ${expected}`, () => {
    const stage = new Stage(setting);
    const happened = steps.map(([action]) => [action, ...stage.act(action)]);
    assert.deepEqual(happened, steps);
  });
}

Deno.test("every pair of controls is in the table", () => {
  const inTable = new Set(MEETINGS.map(({ pair }) => pair.toSorted().join(" and ")));
  const pairs = CONTROLS.flatMap((one, i) =>
    CONTROLS.slice(i + 1).map((other) => [one, other].toSorted().join(" and "))
  );
  assert.deepEqual([...inTable].sort(), pairs.sort());
});
