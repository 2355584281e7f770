/** Modules of node, where it is node's own: Bun, Deno and Workers only act as if there were sockets. Their types are left to be inferred, for to name them would be to import them. */
export const { http, net } = builtins()

function builtins() {
  const { process } = globalThis
  const { uv, bun, deno } = process?.versions ?? {}
  if (uv === undefined || bun !== undefined || deno !== undefined) return {}
  return { http: process.getBuiltinModule?.('node:http'), net: process.getBuiltinModule?.('node:net') }
}
