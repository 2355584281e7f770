/** A table of results, ready to print: every cell is text. */
export interface Table {
  title: string
  /** One or two sentences below the title: what the figures mean, or why some are missing. */
  note?: string
  columns: readonly string[]
  rows: readonly (readonly string[])[]
}

/** What a suite is told by the command line. */
export interface SuiteOptions {
  /** How often each measurement is repeated, interleaved with the others. */
  rounds: number
  log: (line: string) => void
  /** Only these servers, by name. Default: all. */
  only?: readonly string[] | undefined
  /** Only these sizes, such as `1000x10`. Default: all. */
  sizes?: readonly string[] | undefined
}

/** One area of measurements, that is one section of RESULTS.md. */
export interface Suite {
  name: string
  /** One sentence: what is measured, and against what. */
  about: string
  run(options: SuiteOptions): Promise<Table[]>
}

/** The table as Markdown, its columns aligned so that it reads well in a terminal too. */
export function toMarkdown({ title, note, columns, rows }: Table): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, index) => (index === 0 ? (cells[index] ?? '').padEnd(width) : (cells[index] ?? '').padStart(width))).join(' | ')} |`
  const rule = `| ${widths.map((width, index) => (index === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [`### ${title}`, '', ...(note === undefined ? [] : [note, '']), line(columns), rule, ...rows.map(line), ''].join('\n')
}
