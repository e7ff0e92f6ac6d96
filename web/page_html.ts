/** The parts of the HTML that differ between the two pages. */
export interface PageNames {
  readonly title: string;
  /** The address of the icon and of the style sheet, without their endings. */
  readonly files: string;
  /** The elements of the scripts, and of the files that are loaded before them. */
  readonly scripts: readonly string[];
  /** The text for a browser without JavaScript. */
  readonly noscript: string;
}

/**
 * The HTML of the dashboard or of the playground: the script of the page creates everything else.
 */
export function pageHtml({ title, files, scripts, noscript }: PageNames): string {
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title}</title>
    <link rel="icon" href="${files}.svg" type="image/svg+xml">
    <link rel="stylesheet" href="${files}.css">
    ${scripts.join("\n    ")}
  </head>
  <body>
    <div id="app"></div>
    <noscript>${noscript}</noscript>
  </body>
</html>
`;
}
