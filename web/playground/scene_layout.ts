/** The places of all parts of a variant in the picture. All lengths are in CSS pixels. */
export interface SceneLayout {
  readonly width: number;
  readonly height: number;
  readonly clients: Box;
  readonly balancers: readonly Box[];
  readonly backends: readonly Box[];
  /** Whether a backend has room for its name and numbers. */
  readonly hasWords: boolean;
}

/** A rectangle. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The height of the variant's name above the picture. */
export const TITLE = 26;
const ROW_MAX = 44;
const ROW_MIN = 15;
const GAP = 4;
/** The width of the place before a backend, in which its queue is drawn. */
export const QUEUE = 46;

/** The number of columns of backends, and the height of a row. */
function gridOf(backends: number, width: number): { columns: number; rows: number; row: number } {
  const columnsMax = Math.max(1, Math.floor(0.62 * width / 96));
  const columns = Math.min(columnsMax, Math.ceil(backends / 16));
  const rows = Math.ceil(backends / columns);
  const row = Math.max(ROW_MIN, Math.min(ROW_MAX, 640 / rows));
  return { columns, rows, row };
}

/** How high the picture of a variant is. */
export function sceneHeight(backends: number, balancers: number, width: number): number {
  const { rows, row } = gridOf(backends, width);
  return Math.round(TITLE + Math.max(rows * row, balancers * 40, 150) + 12);
}

/** Computes the places of all parts. */
export function layoutOf(backends: number, balancers: number, width: number): SceneLayout {
  const height = sceneHeight(backends, balancers, width);
  const { columns, rows, row } = gridOf(backends, width);
  const isNarrow = width < 520;
  const middle = TITLE + (height - TITLE - 12) / 2;
  const clientsWidth = isNarrow ? 50 : 64;
  const clients = { x: 2, y: middle - 46, width: clientsWidth, height: 92 };
  const balancerWidth = isNarrow ? 58 : 84;
  const balancerHeight = Math.min(64, (height - TITLE - 20) / balancers - 6);
  const balancerX = Math.max(clientsWidth + 28, (columns > 2 ? 0.2 : 0.3) * width);
  const step = balancerHeight + 6;
  const firstBalancer = middle - (balancers * step - 6) / 2;
  const left = balancerX + balancerWidth + (isNarrow ? 24 : 48);
  const cell = (width - left) / columns;
  const queue = Math.min(QUEUE, 0.38 * cell);
  const firstRow = middle - rows * row / 2;
  return {
    width,
    height,
    clients,
    balancers: Array.from({ length: balancers }, (_, i) => ({
      x: balancerX,
      y: firstBalancer + i * step,
      width: balancerWidth,
      height: balancerHeight,
    })),
    backends: Array.from({ length: backends }, (_, i) => ({
      x: left + Math.floor(i / rows) * cell + queue,
      y: firstRow + (i % rows) * row + GAP / 2,
      width: cell - queue - 4,
      height: row - GAP,
    })),
    hasWords: row >= 22 && cell - queue >= 70,
  };
}

/** The backend at a point; undefined if there is none. */
export function backendAt({ backends }: SceneLayout, x: number, y: number): number | undefined {
  const found = backends.findIndex((box) =>
    x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height
  );
  return found < 0 ? undefined : found;
}
