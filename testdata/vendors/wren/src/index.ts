export { OptionError, parse } from "./parse";
export type { Description, Kind, Parsed } from "./parse";
