export {
  defineEvents,
  text,
  type Contract,
  type ContractOptions,
  type EventData,
  type EventInput,
  type EventName,
  type EventOf,
  type EventSchemas,
  type TerminalEvent,
  type TextSchema,
} from './contract.ts'
export { EventwireError, type ErrorCode, type ErrorDetails } from './errors.ts'
