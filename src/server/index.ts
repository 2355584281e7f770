export { createEmitter, type EmitOptions, type Emitter } from './emitter.ts'
export type { HandleOptions } from './admission.ts'
export type { ConnectDetails, ConnectHook, Grant, Granted } from './grant.ts'
export type { Connection } from './connection-handle.ts'
export type { CorsOptions } from './cors.ts'
export type { OutgoingEvent } from './event.ts'
export type { EmittedEvent, EmitterOptions, SlowConsumer, StreamLimits, StreamOptions } from './options.ts'
export type { Handlers } from './handlers.ts'
export type { EmitterStats } from './stats.ts'
export { publishHandler, type Publication, type PublishGiven, type PublishOptions } from './publish-handler.ts'
export type { CloseOptions } from './shutdown.ts'
export {
  streamEvents,
  type EventStreams,
  type StreamedEvent,
  type StreamEventsOptions,
  type StreamGenerator,
  type StreamRequest,
} from './stream.ts'
export type { Source } from './pump.ts'
export { memoryLog, type HistoryOptions, type MemoryLog } from './memory-log.ts'
export type { Log, LogListener, LogPage, LogRange, LogRecord } from './log.ts'
export type { ShardedLog } from './sharding.ts'
export type { Duration } from './duration.ts'
export type { NodeResponse } from './node.ts'
export type { NodeRequest } from './node-request.ts'
export type { Topics } from './topics.ts'
