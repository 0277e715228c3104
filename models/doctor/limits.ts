/** Bounds of what the doctor looks at. */

/** A forest of 1,000 deep trees is about 100 MB; more is no model for single-row answers in milliseconds. */
export const MODEL_BYTES_MAX = 256 * 1024 * 1024;
/** Also the bound of rows a graph may be asked about at a time, times 4 bytes: 40 MB at 1,000 rows. */
export const COLUMNS_MAX = 10_000;
/** Graphs within graphs (If, Scan): converters nest two or three. */
export const GRAPH_DEPTH_MAX = 8;
export const NODES_MAX = 100_000;

/** Of all memory of the examining process: the file three times over, and room for the run. */
export const EXAMINE_MEMORY_MB = 2_048;
/** A large forest loads within 10 s; then come some seconds of measuring. */
export const EXAMINE_TIMEOUT_MS = 60_000;

export const SAMPLE_ROWS_MAX = 10_000;
/** As of the platform's own models. */
export const GOLDEN_ROWS_MAX = 32;
/** Categories of a feature that are taken from the graph; one with more is open to any string. */
export const CATEGORIES_MAX = 10_000;
