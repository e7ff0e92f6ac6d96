import type { ComponentChild } from "preact";

/** A text with the marks of Markdown for code, bold and emphasis. A link is shown as its words. */
export function Inline({ text }: { readonly text: string }) {
  const parts: ComponentChild[] = [];
  let from = 0;
  for (
    const match of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\b_([^_]+)_\b|\[([^\]]+)\]\([^)]*\)/g)
  ) {
    parts.push(text.slice(from, match.index));
    from = match.index + match[0].length;
    const [, code, bold, emphasis, link] = match;
    if (code !== undefined) parts.push(<code>{code}</code>);
    else if (bold !== undefined) parts.push(<strong>{bold}</strong>);
    else parts.push(emphasis === undefined ? link! : <em>{emphasis}</em>);
  }
  parts.push(text.slice(from));
  return <>{parts}</>;
}
