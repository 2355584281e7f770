// For workers: answers a request for `/?<address of the server>` with the results.
import { runSuite } from '../suite.ts'

// oxlint-disable-next-line import/no-default-export
export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await runSuite(decodeURIComponent(new URL(request.url).search.slice(1))))
  },
}
