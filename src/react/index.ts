export { useEvent, useLatest, useStatus, useSubscriber, type StreamUrl } from './hooks.ts'
export type { SharedOptions } from './shared.ts'
