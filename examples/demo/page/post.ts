/** What became of a request: the body of a success, or the sentence that says why not. */
export type Posted = { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly detail: string }

/** Posts, and never rejects. */
export async function post(url: string, json?: unknown): Promise<Posted> {
  try {
    const init = json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }
    const response = await fetch(url, { method: 'POST', ...init })
    const text = await response.text()
    const body: unknown = text ? JSON.parse(text) : undefined
    return response.ok ? { ok: true, body } : { ok: false, detail: (body as { detail: string }).detail }
  } catch {
    return { ok: false, detail: 'The server could not be reached.' }
  }
}
