import { DEFAULTS, type ServerOptions } from '../server-options.ts'

/** What the bench has started this server with: its first argument, as JSON. */
export const options: ServerOptions = { port: 0, ...DEFAULTS, ...(JSON.parse(process.argv[2] ?? '{}') as Partial<ServerOptions>) }
