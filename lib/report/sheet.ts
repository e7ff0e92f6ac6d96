/** The sheets on which plots are drawn. */

/** A sheet on which a plot is drawn. */
export interface Sheet {
  readonly width: number;
  /** The free width at the right. */
  readonly edge: number;
  /** The width of a vertical axis, and the distance of its name. */
  readonly axis: number;
  readonly nameGap: number;
  /** The width of a vertical axis for shares of requests, whose numbers are long. */
  readonly shareAxis: number;
  readonly shareNameGap: number;
  /** Where a legend begins. */
  readonly legend: number;
  /** Characters of a backend's name. */
  readonly nameMax: number;
  /** Whether values are shown when a pointer rests on them. */
  readonly hasTitles: boolean;
}

/** For a page, or a picture of its own. */
export const WIDE: Sheet = {
  ...{ width: 800, edge: 30, axis: 80, nameGap: 52, shareAxis: 100, shareNameGap: 78 },
  ...{ legend: 80, nameMax: 30, hasTitles: true },
};

/** For a phone: text in the plot is as large as the text of the page, and there is no mouse pointer. */
export const NARROW: Sheet = {
  ...{ width: 360, edge: 24, axis: 62, nameGap: 44, shareAxis: 84, shareNameGap: 66 },
  ...{ legend: 8, nameMax: 12, hasTitles: false },
};
