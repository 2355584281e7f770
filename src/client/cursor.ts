/** Keeps a cursor between subscribers. */
export interface CursorStore {
  /** Gives the cursor that was saved last, if there is one. When it fails, that is a failed attempt to connect, and it is asked again. */
  load(): string | null | undefined | Promise<string | null | undefined>
  /** Saves a cursor. It is not called again before it is done, and then with the newest cursor. What it throws goes to `onError`, once until it is better. */
  save(cursor: string): unknown
}

/** Keeps the cursor in `sessionStorage`: it survives a reload, and each tab has its own. */
export function sessionCursor(key: string): CursorStore {
  return stored(key, () => sessionStorage)
}

/** Keeps the cursor in `localStorage`: it survives the browser, and all tabs of the origin have it in common. */
export function localCursor(key: string): CursorStore {
  return stored(key, () => localStorage)
}

function stored(key: string, storage: () => Storage): CursorStore {
  return {
    load() {
      try {
        return storage().getItem(key)
      } catch {
        // Storage that may not be read has not been written to either.
        return null
      }
    },
    save: (cursor) => storage().setItem(key, cursor),
  }
}
