import { onTestFinished } from 'vitest'
import * as z from 'zod'
import { defineEvents, type Contract, type EventwireError } from 'eventwire'
import { createSubscriber, type Subscriber, type SubscriberOptions } from 'eventwire/client'

/** An answer begins, for the first time or anew: what was heard of it before does not count. */
const BEGIN = Symbol('begin')

/** The answer of all recordings, token by token. */
export const TOKENS = ['The', ' tide', ' täglich', ' turns', ', 🌊', ' and', ' line\nby line', ' returns', '.']

/** A question under way. */
export interface Asking {
  readonly stream: Pick<Subscriber<Contract>, 'closed' | 'close' | 'status' | 'onStatus'>
  readonly errors: readonly EventwireError[]
  /** What a loop over the events makes of them. */
  readonly pieces: AsyncIterable<string | typeof BEGIN>
}

/** A way of streaming the answer of a language model. */
export interface Model {
  /** The name of its recording. */
  readonly name: string
  /** Whether a block of the recording carries a token. */
  readonly isToken: (block: string) => boolean
  readonly ask: (url: string, options?: SubscriberOptions) => Asking
}

const Failure = z.object({ error: z.object({ message: z.string() }) })
const Delta = z.object({ role: z.string().optional(), content: z.string().nullish() })
const Chunk = z.object({ choices: z.array(z.object({ delta: Delta, finish_reason: z.string().nullable() })) })

/** Unnamed events, and a mark for the end. */
export const chat = defineEvents({ message: z.union([Chunk, Failure]) }, { ends: [{ event: 'message', data: '[DONE]' }] })

const Answer = z.object({ response: z.object({ id: z.string(), error: z.object({ message: z.string() }).nullable() }) })

/** Named events, and three ways to end. */
export const responses = defineEvents(
  {
    'response.created': Answer,
    'response.output_text.delta': z.object({ delta: z.string() }),
    'response.completed': Answer,
    'response.failed': Answer,
    'response.incomplete': Answer,
  },
  { ends: ['response.completed', 'response.failed', 'response.incomplete'] },
)

const Block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
])

/** Named events, pings, and an event for the end. */
export const messages = defineEvents(
  {
    message_start: z.object({ message: z.object({ id: z.string() }) }),
    content_block_delta: z.object({ index: z.int(), delta: Block }),
    message_delta: z.object({ delta: z.object({ stop_reason: z.string().nullable() }) }),
    message_stop: z.object({}),
  },
  { ends: ['message_stop'] },
)

export const MODELS: readonly Model[] = [
  {
    name: 'openai-chat',
    isToken: (block) => /"content":"[^"]/.test(block),
    ask(url, options) {
      const { stream, errors } = ask(chat, url, options)
      const pieces = async function* (): Asking['pieces'] {
        for await (const { data } of stream.events('message')) {
          if ('error' in data) throw new Error(data.error.message)
          const [choice] = data.choices
          if (choice?.delta.role) yield BEGIN
          if (choice?.delta.content) yield choice.delta.content
        }
      }
      return { stream, errors, pieces: pieces() }
    },
  },
  {
    name: 'openai-responses',
    isToken: (block) => block.startsWith('event: response.output_text.delta\n'),
    ask(url, options) {
      const { stream, errors } = ask(responses, url, options)
      const pieces = async function* (): Asking['pieces'] {
        for await (const { event, data } of stream) {
          if (event === 'response.created') yield BEGIN
          if (event === 'response.output_text.delta') yield data.delta
        }
      }
      return { stream, errors, pieces: pieces() }
    },
  },
  {
    name: 'anthropic',
    isToken: (block) => block.includes('"text_delta"'),
    ask(url, options) {
      const { stream, errors } = ask(messages, url, options)
      const pieces = async function* (): Asking['pieces'] {
        for await (const { event, data } of stream) {
          if (event === 'message_start') yield BEGIN
          if (event === 'content_block_delta' && data.delta.type === 'text_delta') yield data.delta.text
        }
      }
      return { stream, errors, pieces: pieces() }
    },
  },
]

/** Asks with a body and headers that take their time, as those of an application do that looks up its key. */
export function ask<C extends Contract>(
  contract: C,
  url: string,
  options: SubscriberOptions = {},
): { readonly stream: Subscriber<C>; readonly errors: readonly EventwireError[] } {
  const stream = createSubscriber(contract, url, {
    headers: async () => ({ 'content-type': 'application/json', authorization: 'Bearer key-1' }),
    body: async () => JSON.stringify({ model: 'tide-1', stream: true, prompt: 'When does the tide turn, täglich?' }),
    backoff: { base: 1, max: 1 },
    ...options,
  })
  const errors: EventwireError[] = []
  stream.onError((error) => errors.push(error))
  onTestFinished(() => stream.close())
  return { stream, errors }
}

/** Reads an answer to its end; `heard` has its tokens so far, also when it fails. */
export async function read({ pieces }: Asking, heard: string[], onToken: (count: number) => void = () => {}): Promise<void> {
  for await (const piece of pieces) {
    if (piece === BEGIN) heard.length = 0
    else onToken(heard.push(piece))
  }
}
