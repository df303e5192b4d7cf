/** What an option takes: nothing, a text, or a number. */
export type Kind = "flag" | "text" | "number";

/** The options that there are, by their long name. */
export type Description = Readonly<Record<string, Kind>>;

type Value<K extends Kind> = K extends "flag" ? boolean : K extends "number" ? number : string;

/** What was given: the options, and everything else in its order. */
export interface Parsed<D extends Description> {
  options: { [N in keyof D]?: Value<D[N]> };
  rest: string[];
}

/** Something on the command line that does not fit the description. */
export class OptionError extends Error {
  constructor(readonly option: string, reason: string) {
    super(`--${option}: ${reason}`);
  }
}

/** Reads a command line. `--` ends the options. */
export function parse<D extends Description>(description: D, args: readonly string[]): Parsed<D> {
  const options: Record<string, boolean | number | string> = {};
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith("--")) {
      rest.push(word);
      continue;
    }
    const [name, given] = split(word.slice(2));
    const kind = Object.prototype.hasOwnProperty.call(description, name) ? description[name] : undefined;
    if (kind === undefined) throw new OptionError(name, "there is no such option");
    if (kind === "flag") {
      if (given !== undefined) throw new OptionError(name, "takes no value");
      options[name] = true;
      continue;
    }
    const value = given ?? args[++i];
    if (value === undefined) throw new OptionError(name, "needs a value");
    options[name] = kind === "number" ? toNumber(name, value) : value;
  }
  return { options: options as Parsed<D>["options"], rest };
}

function split(word: string): [string, string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function toNumber(name: string, text: string): number {
  const n = Number(text);
  if (text.trim() === "" || Number.isNaN(n)) throw new OptionError(name, `${text} is no number`);
  return n;
}
