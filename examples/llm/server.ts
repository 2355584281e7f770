import { streamEvents } from 'eventwire/server'
import { readJson, Refusal } from '../shared/http.ts'
import { serve, type Handler } from '../shared/serve.ts'
import { events, Question } from './events.ts'
import { answerTo, think } from './model.ts'

let answers = 0

const answer = streamEvents(
  events,
  {
    // What is no question is refused before there is a stream.
    async connect(request) {
      const { data } = Question.safeParse(await request.json())
      return data ? { context: data } : Response.json({ detail: 'Send { "prompt": "…" }, of 1 to 500 characters.' }, { status: 422 })
    },
  },
  async function* ({ context: { prompt }, lastEventId, signal }) {
    const name = `answer ${++answers}`
    // The id of a token is how many there are up to it: who was cut, or has reloaded, brings the last it has.
    let position = Math.min(/^\d{1,6}$/.test(lastEventId ?? '') ? Number(lastEventId) : 0, answerTo(prompt).length)
    let end = 'stopped'
    console.log(`${name}: ${position > 0 ? `goes on after token ${position}` : 'begins'}`)
    try {
      for await (const token of think(prompt, position, signal)) yield { event: 'token', data: token, id: String(++position) }
      yield { event: 'done', data: { tokens: position } }
      end = 'complete'
    } finally {
      console.log(`${name}: ${end} after token ${position}`)
    }
  },
)

const ask: Handler = async (req, res) => {
  if (req.method !== 'POST') throw new Refusal(405, 'Ask with POST.', { allow: 'POST' })
  // The body is left where a parser such as express.json() leaves it.
  answer.handleNode(Object.assign(req, { body: await readJson(req) }), res)
}

await serve({
  name: 'llm',
  routes: { '/answer': ask },
  shell: (url) => [`curl -N --json '{ "prompt": "How does this work?" }' ${url}/answer`],
  close: () => answer.close(),
})
