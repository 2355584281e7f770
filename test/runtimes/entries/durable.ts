// For workers: what several requests share has to be a durable object.
import serving from './serving.ts'

export class Streams {
  fetch(request: Request): Promise<Response> {
    return serving.fetch(request)
  }
}

interface Environment {
  readonly STREAMS: {
    idFromName(name: string): object
    get(id: object): { fetch(request: Request): Promise<Response> }
  }
}

// oxlint-disable-next-line import/no-default-export
export default {
  fetch: (request: Request, { STREAMS }: Environment): Promise<Response> => STREAMS.get(STREAMS.idFromName('all')).fetch(request),
}
