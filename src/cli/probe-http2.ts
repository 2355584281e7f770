import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { PATIENCE } from './exchange.ts'
import { ok, warn, type Finding } from './finding.ts'

/** Whether browsers get HTTP/2, without which they open six connections to an origin and no more. */
export async function probeHttp2(url: string): Promise<Finding[]> {
  const { protocol, hostname, port } = new URL(url)
  if (protocol !== 'https:') return []
  if ((await negotiated(hostname.replace(/^\[|\]$/g, ''), Number(port || 443))) === 'h2')
    return [ok('HTTP/2', 'offered, so streams share a connection')]
  return [
    warn('HTTP/2', 'not offered', 'browsers open six connections to an origin and no more, over all tabs: have the proxy offer HTTP/2.'),
  ]
}

/** The protocol that a server chooses of those that browsers offer. */
function negotiated(host: string, port: number): Promise<string | false | null> {
  const name = isIP(host) ? {} : { servername: host }
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...name, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.alpnProtocol)
      socket.destroy()
    })
    socket.setTimeout(PATIENCE, () => socket.destroy())
    socket.on('error', () => {}).on('close', () => resolve(false))
  })
}
