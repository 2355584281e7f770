import { onTestFinished } from 'vitest'
import type { Result } from '../suite.ts'
import type { Engine } from './engine.ts'
import { load, missingPackage } from './packages.ts'

export const workerd: Engine = {
  name: 'workerd',
  missing: missingPackage('workerd', 'miniflare'),
  async run({ project, origin }) {
    const { Miniflare } = await load<MiniflarePackage>('miniflare')
    const miniflare = new Miniflare({ modules: true, script: project.worker, compatibilityDate: '2024-09-23' })
    onTestFinished(() => miniflare.dispose())
    const response = await miniflare.dispatchFetch(`http://worker/?${encodeURIComponent(origin)}`)
    if (!response.ok) throw new Error(await response.text())
    return (await response.json()) as Result[]
  },
}

interface MiniflarePackage {
  Miniflare: new (options: { modules: boolean; script: string; compatibilityDate: string }) => {
    dispatchFetch(url: string): Promise<Response>
    dispose(): Promise<void>
  }
}
