import { Activity, Fragment, StrictMode, Suspense, use, useEffect, type ReactNode } from 'react'
import { flushSync } from 'react-dom'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { useEvent, useLatest, useStatus, useSubscriber } from 'eventwire/react'
import { market } from '../support/market.ts'

/** What the page shows. A test changes it with `app.show`. */
export interface View {
  /** Where the stream is; null for none. */
  readonly url: string | null
  /** The components that ask for it, each for itself, by their names. */
  readonly names?: readonly string[]
  /** What tells streams of one address apart. */
  readonly group?: string
  /** What handlers and headers close over. */
  readonly tag?: string
  /** Whether there is a component that asks for the stream and is never done rendering. */
  readonly suspended?: boolean
  readonly hidden?: boolean
  /** Whether there is a component that has the stream, and listens to nothing. */
  readonly idle?: boolean
  /** Whether React renders and mounts everything twice. */
  readonly strict?: boolean
}

/** What the components have seen and done, each line with its name. */
const notes: string[] = []
const root = globalThis.document && document.querySelector('main')

/** What a test may do in the page. */
const app = {
  notes,
  show: (_view: View): void => {},
}

declare global {
  interface Window {
    app: typeof app
  }
}

export function App({ names = ['one'], hidden = false, idle = false, suspended = false, strict = true, ...view }: View): ReactNode {
  const Mode = strict ? StrictMode : Fragment
  return (
    <Mode>
      <Activity mode={hidden ? 'hidden' : 'visible'}>
        {names.map((name) => (
          <Price key={name} name={name} {...view} />
        ))}
      </Activity>
      {idle && <Idle {...view} />}
      <Suspense fallback={<i>waiting</i>}>{suspended && <Suspended {...view} />}</Suspense>
    </Mode>
  )
}

function Price({ name, url, group, tag = '' }: View & { readonly name: string }): ReactNode {
  const stream = useSubscriber(market, url, { key: group, headers: { 'x-tag': tag }, backoff: { base: 1, max: 1 } })
  const price = useLatest(stream, 'price')
  const text = useLatest(stream, 'message', 'none')
  const status = useStatus(stream)
  useEvent(stream, 'price', ({ usd }) => void notes.push(`${name} heard ${usd}${tag}`))
  useEffect(() => void notes.push(`${name} rendered ${price?.usd} ${text}`))
  useEffect(() => void notes.push(`${name} is ${status.state === 'closed' ? status.reason : status.state}`), [name, status])
  return (
    <p>
      {name} {price?.usd ?? 'none'} {text} {status.state}
    </p>
  )
}

function Idle({ url }: View): ReactNode {
  useSubscriber(market, url)
  return null
}

const never = new Promise<never>(() => {})

function Suspended({ url }: View): ReactNode {
  const stream = useSubscriber(market, url)
  useLatest(stream, 'price')
  useEvent(stream, 'price', () => void notes.push('suspended heard'))
  return use(never)
}

if (root) {
  window.app = app
  const first: unknown = JSON.parse(root.dataset['view'] ?? 'null')
  if (first) {
    const hydrated = hydrateRoot(root, <App {...(first as View)} />, {
      onRecoverableError: (error) => notes.push(`recovered ${String(error)}`),
    })
    app.show = (view) => flushSync(() => hydrated.render(<App {...view} />))
  } else {
    const created = createRoot(root)
    // At once: a test goes on when it is shown.
    app.show = (view) => flushSync(() => created.render(<App {...view} />))
  }
}
