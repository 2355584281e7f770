import { GraphQLFloat, GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { createHandler } from 'graphql-sse/lib/use/http'
import { createBus } from './bus.ts'
import { listen } from './node-http.ts'

const bus = createBus()

const sample = new GraphQLObjectType({
  name: 'Sample',
  fields: {
    id: { type: GraphQLInt },
    type: { type: GraphQLString },
    sym: { type: GraphQLString },
    px: { type: GraphQLFloat },
    qty: { type: GraphQLInt },
    t: { type: GraphQLString },
    note: { type: GraphQLString },
  },
})

async function* subscribe(): AsyncGenerator<{ sample: unknown }> {
  for await (const one of bus.listen()) yield { sample: one }
}

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { none: { type: GraphQLInt } } }),
  subscription: new GraphQLObjectType({ name: 'Subscription', fields: { sample: { type: sample, subscribe } } }),
})

const handle = createHandler({ schema })
listen((request, response) => void handle(request, response))
