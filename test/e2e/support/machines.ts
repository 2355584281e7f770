import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { onTestFinished } from 'vitest'

export interface Machines {
  /** Of the first machine, where the second one finds it. */
  readonly address: string
  /** Runs a command on the first machine. */
  readonly here: readonly string[]
  /** Opens a stream on the second machine and reads it for good; resolves when its head has come. */
  follow(url: string): Promise<void>
  /** From here on every packet of the first to the second is lost, and neither is told. */
  cut(): void
  /** Opens a stream on the second machine, calls `opened`, and reads `bytes` every `ms` until nothing more comes. Gives how much it read. */
  sip(url: string, bytes: number, ms: number, opened: () => Promise<void>): Promise<number>
  /** Bytes that the kernels hold for one connection. */
  buffers(bytes: number): void
  /** How often the first sends a packet again before it gives up. */
  retransmissions(count: number): void
}

/** Of iproute2. */
const IP = 'ip'

const ip = (...args: readonly string[]): string => execFileSync(IP, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Why two machines cannot be had here; `undefined` when they can. */
export const missingMachines = ((): string | undefined => {
  const name = `eventwire-${process.pid}-try`
  try {
    ip('netns', 'add', name)
    ip('netns', 'del', name)
    return undefined
  } catch {
    return 'Network namespaces take Linux, root and iproute2, so nothing was tested over a network that loses packets.'
  }
})()

/** Two network namespaces and a cable between them, removed with the test. */
export function twoMachines(): Machines {
  const [here, there] = ['a', 'b'].map((side) => `eventwire-${process.pid}-${side}`) as [string, string]
  const addresses = ['10.77.0.1', '10.77.0.2'] as const
  for (const name of [here, there]) {
    ip('netns', 'add', name)
    onTestFinished(() => void ip('netns', 'del', name))
  }
  ip('link', 'add', 'cable', 'netns', here, 'type', 'veth', 'peer', 'name', 'cable', 'netns', there)
  for (const [i, name] of [here, there].entries()) {
    ip('-n', name, 'addr', 'add', `${addresses[i]}/24`, 'dev', 'cable')
    ip('-n', name, 'link', 'set', 'cable', 'up')
  }
  const set = (name: string, setting: string, value: string): void =>
    void ip('netns', 'exec', name, 'sh', '-c', `echo ${value} > /proc/sys/net/ipv4/${setting}`)
  const run = (script: string): ChildProcessByStdio<null, Readable, null> => {
    const child = spawn(IP, ['netns', 'exec', there, process.execPath, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await exited
    })
    return child
  }
  return {
    address: addresses[0],
    here: [IP, 'netns', 'exec', here],
    async follow(url) {
      const reader = run(`const { status, body } = await fetch('${url}'); console.log(status); for await (const _ of body);`)
      await once(reader.stdout, 'data')
    },
    async sip(url, bytes, ms, opened) {
      const reader = run(`
        const { connect } = await import('node:net')
        const { hostname, port } = new URL('${url}')
        const socket = connect(port, hostname).pause()
        socket.write('GET /events?topic=* HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n')
        await new Promise((resolve) => socket.once('readable', resolve))
        console.log('open')
        let taken = 0
        let tail = ''
        while (!tail.endsWith(':\\n\\n\\r\\n') || taken < 1e6) {
          await new Promise((resolve) => setTimeout(resolve, ${ms}))
          const chunk = socket.read(Math.min(socket.readableLength, ${bytes}) || undefined)
          if (!chunk && (socket.readableEnded || socket.destroyed)) break
          taken += chunk?.length ?? 0
          tail = (tail + (chunk ?? '')).slice(-100)
        }
        console.log(taken)
      `)
      await once(reader.stdout, 'data')
      await opened()
      const [taken] = (await once(reader.stdout, 'data')) as [Buffer]
      return Number(taken.toString())
    },
    buffers(bytes) {
      for (const name of [here, there]) {
        for (const which of ['wmem', 'rmem']) set(name, `tcp_${which}`, `4096 ${bytes} ${bytes}`)
      }
    },
    // To an address that the other end does not have.
    cut: () => void ip('-n', here, 'neigh', 'replace', addresses[1], 'lladdr', '02:00:00:00:00:99', 'dev', 'cable', 'nud', 'permanent'),
    retransmissions: (count) => set(here, 'tcp_retries2', String(count)),
  }
}
