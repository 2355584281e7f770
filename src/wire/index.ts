export { encode, type Message } from './encode.ts'
export { createDecoder, type DecodedMessage, type Decoder, type DecoderOptions } from './decode.ts'
export type { End, EndReason, Gap, GapReason, Ready } from './control.ts'
