export { createSubscriber, type Closed, type EventHandler, type Status, type Subscriber } from './subscriber.ts'
export type { BackoffOptions, Source, SubscriberLimits, SubscriberOptions } from './options.ts'
export type { Gap, GapReason } from '../wire/control.ts'
