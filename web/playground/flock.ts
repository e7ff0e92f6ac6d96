import { type Dots, NONE, PHASES } from "./protocol.ts";
import type { Box, SceneLayout } from "./scene_layout.ts";
import { slotPlace } from "./slot_place.ts";

/** The colours of dots. */
export interface Look {
  readonly travelling: string;
  readonly waiting: string;
  readonly serving: string;
  readonly done: string;
  readonly failed: string;
  readonly still: string;
  readonly ground: string;
}

/** How fast a dot moves to its place: after a second, e^−RATE of the distance remains. */
const RATE = 14;
/** When a request has ended, its dot moves back to its client in this time. */
const HOMEWARD_S = 0.35;
const RADIUS = 3.4;

/** The classes of dots: each has a colour and a form. */
const CLASSES = ["travelling", "waiting", "serving", "done", "failed", "still", "stuck"] as const;
type DotClass = (typeof CLASSES)[number];

const CLASS_OF: Readonly<Record<(typeof PHASES)[number], DotClass>> = {
  "to balancer": "travelling",
  "queued at balancer": "waiting",
  "connecting": "travelling",
  "to backend": "travelling",
  "queued at backend": "waiting",
  "in service": "serving",
  "returning": "done",
  "failing": "failed",
  "before retry": "failed",
  "stuck": "stuck",
  "thinking": "still",
};

interface Bird {
  readonly number: number;
  x: number;
  y: number;
  toX: number;
  toY: number;
  kind: DotClass;
  /** The latest update that has this request. */
  seen: number;
  /** For a request that has ended: the seconds until its dot is back at the client. */
  left: number;
}

/**
 * The dots of a variant. A frame contains the place of each request. Between two frames, the dot moves to the new
 * place: with a network that takes no time, the place itself jumps. When a request has ended, its dot moves back to its
 * client.
 */
export class Flock {
  readonly #birds = new Map<number, Bird>();
  readonly #homeward: Bird[] = [];
  #update = 0;

  /** Takes the requests of a frame. Returns the share of them that were in the previous frame; 1 if there are none. */
  take(dots: Dots, layout: SceneLayout): number {
    const update = ++this.#update;
    let known = 0;
    for (let i = 0; i < dots.count; i++) {
      const number = dots.number[i]!;
      const phase = PHASES[dots.phase[i]!]!;
      const home = homeOf(layout, dots.client[i]!);
      let bird = this.#birds.get(number);
      if (bird === undefined) {
        bird = { number, ...home, toX: 0, toY: 0, kind: "travelling", seen: 0, left: 0 };
        this.#birds.set(number, bird);
      } else known++;
      bird.seen = update;
      bird.kind = CLASS_OF[phase];
      placeOf(bird, dots, i, phase, layout, home);
    }
    const width = layout.clients.x + layout.clients.width;
    for (const [number, bird] of this.#birds) {
      if (bird.seen === update) continue;
      this.#birds.delete(number);
      if (this.#homeward.length > 600) continue;
      bird.kind = bird.kind === "failed" || bird.kind === "stuck" ? "failed" : "done";
      bird.toX = width - 6;
      bird.toY = layout.clients.y + 8 + (number % 8) * (layout.clients.height - 16) / 8;
      bird.left = HOMEWARD_S;
      this.#homeward.push(bird);
    }
    return dots.count === 0 ? 1 : known / dots.count;
  }

  /** @param passed Seconds; Infinity brings every dot to its place at once. */
  move(passed: number): void {
    const part = 1 - Math.exp(-RATE * passed);
    for (const bird of this.#birds.values()) {
      bird.x += (bird.toX - bird.x) * part;
      bird.y += (bird.toY - bird.y) * part;
    }
    let kept = 0;
    for (const bird of this.#homeward) {
      bird.left -= passed;
      if (!(bird.left > 0)) continue;
      bird.x += (bird.toX - bird.x) * part;
      bird.y += (bird.toY - bird.y) * part;
      this.#homeward[kept++] = bird;
    }
    this.#homeward.length = kept;
  }

  forget(): void {
    this.#birds.clear();
    this.#homeward.length = 0;
  }

  /** The number of the request whose dot is nearest to a point, within a distance. */
  at(x: number, y: number, within: number): number | undefined {
    let nearest: number | undefined;
    let best = within ** 2;
    for (const bird of this.#birds.values()) {
      const distance = (bird.x - x) ** 2 + (bird.y - y) ** 2;
      if (distance < best) [best, nearest] = [distance, bird.number];
    }
    return nearest;
  }

  /** How many dots are drawn. */
  get size(): number {
    return this.#birds.size + this.#homeward.length;
  }

  draw(context: CanvasRenderingContext2D, look: Look): void {
    const paths: Record<DotClass, Path2D> = {
      travelling: new Path2D(),
      waiting: new Path2D(),
      serving: new Path2D(),
      done: new Path2D(),
      failed: new Path2D(),
      still: new Path2D(),
      stuck: new Path2D(),
    };
    for (const bird of this.#birds.values()) addForm(paths[bird.kind], bird);
    for (const bird of this.#homeward) addForm(paths[bird.kind], bird);
    const fill = (kind: DotClass, colour: string) => {
      context.fillStyle = colour;
      context.fill(paths[kind]);
    };
    context.globalAlpha = 1;
    fill("travelling", look.travelling);
    fill("serving", look.serving);
    fill("waiting", look.waiting);
    fill("done", look.done);
    fill("still", look.still);
    fill("stuck", look.failed);
    context.lineWidth = 2;
    context.strokeStyle = look.failed;
    context.stroke(paths.failed);
  }
}

/** Adds the form of a dot. Each class has a form of its own, so the classes differ not only by colour. */
function addForm(path: Path2D, { x, y, kind }: Bird): void {
  if (kind === "failed") {
    path.moveTo(x - RADIUS, y - RADIUS);
    path.lineTo(x + RADIUS, y + RADIUS);
    path.moveTo(x + RADIUS, y - RADIUS);
    path.lineTo(x - RADIUS, y + RADIUS);
  } else if (kind === "stuck") path.rect(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS);
  else if (kind === "done") {
    path.moveTo(x - RADIUS, y);
    path.lineTo(x + RADIUS, y - RADIUS);
    path.lineTo(x + RADIUS, y + RADIUS);
    path.closePath();
  } else {
    const radius = kind === "still" ? 2 : RADIUS;
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  }
}

function homeOf({ clients }: SceneLayout, client: number): { x: number; y: number } {
  const y = clients.y + 8 + (client * 37 % 64) / 64 * (clients.height - 16);
  return { x: clients.x + clients.width, y };
}

function placeOf(
  bird: Bird,
  dots: Dots,
  i: number,
  phase: (typeof PHASES)[number],
  layout: SceneLayout,
  home: { readonly x: number; readonly y: number },
): void {
  const balancer = layout.balancers[dots.balancer[i]!] ?? layout.balancers[0]!;
  const backend = dots.backend[i] === NONE ? undefined : layout.backends[dots.backend[i]!];
  const entry = { x: balancer.x, y: balancer.y + balancer.height / 2 };
  const exit = { x: balancer.x + balancer.width, y: entry.y };
  const door = backend === undefined ? exit : { x: backend.x, y: backend.y + backend.height / 2 };
  const progress = Number.isNaN(dots.progress[i]!) ? 0.5 : dots.progress[i]!;
  switch (phase) {
    case "to balancer":
      return move(bird, home, entry, progress);
    case "queued at balancer": {
      const place = dots.place[i]! || 0;
      const rows = Math.max(1, Math.floor(balancer.height / 8));
      bird.toX = balancer.x - 6 - 8 * Math.floor(place / rows);
      bird.toY = balancer.y + 4 + 8 * (place % rows);
      return;
    }
    case "connecting":
    case "to backend":
      return move(bird, exit, door, progress);
    case "queued at backend": {
      const place = dots.place[i]! || 0;
      const rows = backend === undefined || backend.height < 20 ? 1 : 2;
      const column = Math.min(5, Math.floor(place / rows));
      bird.toX = door.x - 6 - 7 * column;
      bird.toY = door.y + (rows === 1 ? 0 : place % 2 === 0 ? -4 : 4);
      return;
    }
    case "in service":
      return inService(bird, backend, dots.place[i]! || 0, door);
    case "returning":
    case "failing":
      if (backend === undefined) return move(bird, entry, home, progress);
      return progress < 0.5
        ? move(bird, door, exit, 2 * progress)
        : move(bird, entry, home, 2 * progress - 1);
    case "before retry":
      bird.toX = layout.clients.x + 6 + dots.number[i]! % 7 * (layout.clients.width - 12) / 7;
      bird.toY = layout.clients.y + layout.clients.height + 6;
      return;
    case "stuck":
      return move(bird, exit, door, 0.82 + 0.02 * (dots.number[i]! % 7));
    case "thinking":
      bird.toX = door.x + (backend?.width ?? 0) - 3 - dots.number[i]! % 5 * 5;
      bird.toY = door.y + (backend?.height ?? 0) / 2 - 3;
      return;
  }
}

function inService(
  bird: Bird,
  backend: Box | undefined,
  slot: number,
  door: { readonly x: number; readonly y: number },
): void {
  const place = backend === undefined ? door : slotPlace(backend, slot);
  bird.toX = place.x;
  bird.toY = place.y;
}

/** Moves a dot to a point of the curve that the picture draws between two places. */
function move(
  bird: Bird,
  from: { readonly x: number; readonly y: number },
  to: { readonly x: number; readonly y: number },
  part: number,
): void {
  const middle = (from.x + to.x) / 2;
  const rest = 1 - part;
  const [a, b, c, d] = [rest ** 3, 3 * rest * rest * part, 3 * rest * part * part, part ** 3];
  bird.toX = a * from.x + (b + c) * middle + d * to.x;
  bird.toY = (a + b) * from.y + (c + d) * to.y;
}
