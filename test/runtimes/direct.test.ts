import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { locate, missingPackage } from './engines/packages.ts'
import { makeProject, type Project } from './project.ts'

// Over HTTP/1.1, bytes go past node's sockets to what lies below them. How, depends on the version of node.

const NODES = {
  'Node 22': 'node22/bin/node',
  'Node 24': '../../../node_modules/node/bin/node',
  'Node 26': 'node26/bin/node',
}
const EVENTS = 3_000
const ALL = Array.from({ length: EVENTS }, (_, i) => i + 1)

/** What the program prints. */
interface Served {
  readonly writes: number
  readonly buffered: number
  readonly heard: number[][]
}

let project: Project

beforeAll(async () => {
  project = await makeProject()
  return () => project.remove()
})

async function serve(program: string, ...words: readonly string[]): Promise<Served> {
  const { stdout } = await promisify(execFile)(locate(program), ['entries/direct.ts', ...words], { cwd: project.folder, timeout: 60_000 })
  return JSON.parse(stdout) as Served
}

for (const [name, program] of Object.entries(NODES)) {
  const missing = missingPackage(name, program)
  describe.skipIf(missing)(`on ${name}${missing ? `: ${missing}` : ''}`, () => {
    test.each([
      ['plain', '1'],
      ['plain', '262144'],
      ['detach', '1'],
      ['detach', '65536'],
    ])('every client hears all, in order, once, however it reads: %s, high water mark %s', async (how, mark) => {
      const { writes, buffered, heard } = await serve(program, how, mark)
      const [one, two, left, ...others] = heard
      for (const numbers of [one, two, ...others]) expect(numbers).toEqual(ALL)
      expect(left).toEqual(ALL.slice(0, left!.length))
      // Those of the heads, and what follows while the system has yet to take something: of about four times the events.
      expect(writes).toBeLessThan(2 * EVENTS)
      expect(buffered).toBeGreaterThan(0)
    })

    test('who has replaced the write of sockets sees what is written', async () => {
      const { writes, heard } = await serve(program, 'replaced', '65536')
      for (const [i, numbers] of heard.entries()) expect(numbers).toEqual(i === 2 ? ALL.slice(0, numbers.length) : ALL)
      expect(writes).toBeGreaterThan(2 * EVENTS)
    })
  })
}
