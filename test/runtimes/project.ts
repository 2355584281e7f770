import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../support/bundle.ts'
import { ROOT } from '../support/docs.ts'

/** A user's project that holds the suite and the package as it was built. */
export interface Project {
  readonly folder: string
  /** The script that a command runs. */
  readonly command: string
  /** The scripts of a worker and of a page, with all they need. */
  readonly worker: string
  readonly page: string
  remove(): Promise<void>
}

/** Makes the project. */
export async function makeProject(): Promise<Project> {
  if (!existsSync(join(ROOT, 'dist/client.js'))) throw new Error('dist/client.js is missing: run `npm run build` first.')
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-runtimes-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(ROOT, join(folder, 'node_modules/eventwire'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', dependencies: { eventwire: '*' } }))
  for (const name of ['suite.ts', 'entries']) await cp(join(import.meta.dirname, name), join(folder, name), { recursive: true })
  const [worker = '', page = ''] = await Promise.all(
    Object.entries({ worker: 'workerd', page: 'browser' }).map(([name, condition]) =>
      // Silent: bundlers warn of what they leave out, unless it is really below node_modules.
      bundle(join(folder, `entries/${name}.ts`), { conditions: [condition], logLevel: 'silent' }),
    ),
  )
  return { folder, command: 'entries/command.ts', worker, page, remove: () => rm(folder, { recursive: true }) }
}
