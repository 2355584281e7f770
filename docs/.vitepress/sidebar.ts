import type { DefaultTheme } from 'vitepress'

type Pages = Readonly<Record<string, string>>

const group = (text: string, folder: string, pages: Pages, collapsed?: boolean): DefaultTheme.SidebarItem => ({
  text,
  ...(collapsed !== undefined && { collapsed }),
  items: Object.entries(pages).map(([page, title]) => ({ text: title, link: `${folder}${page}` })),
})

/** All pages, in the order in which a newcomer would read them. */
export const sidebar: DefaultTheme.SidebarItem[] = [
  group('Guide', '/', {
    'guide/install': 'Install',
    'guide/contract': 'The contract',
    'guide/server': 'The server',
    'guide/client': 'The client',
    'guide/topics': 'Topics',
    'guide/resume': 'Resuming, and gaps',
    'guide/snapshots': 'Snapshots',
    'guide/slow-consumers': 'Slow consumers',
    'guide/auth': 'Who is let in',
    'guide/publishing': 'Publishing',
    'guide/streams': 'Streams of one request',
    'frontends/react': 'React',
    'guide/testing': 'Testing',
    'guide/deployment': 'Deployment',
    'guide/nodes': 'Many nodes',
    'guide/compression': 'Compression',
    'guide/openapi': 'OpenAPI and AsyncAPI',
    'guide/cli': 'Command line',
  }),
  group('Servers', '/frameworks/', {
    express: 'Express',
    fastify: 'Fastify',
    hono: 'Hono',
    koa: 'Koa',
    nest: 'NestJS',
    next: 'Next.js',
  }),
  group('In the browser', '/frontends/', { vue: 'Vue', svelte: 'Svelte', 'tanstack-query': 'TanStack Query' }),
  group('Migration from', '/migration/', {
    eventsource: 'EventSource',
    'better-sse': 'better-sse',
    'fetch-event-source': 'fetch-event-source',
    'socket-io': 'socket.io',
  }),
  group('More', '/', {
    examples: 'Examples',
    faq: 'FAQ',
    comparison: 'Comparison',
    foreign: "Other servers' streams",
    operations: 'Operations',
    'custom-logs': 'Logs of your own',
  }),
  group('Reference', '/', { protocol: 'Protocol', errors: 'Errors' }),
  group('API', '/api/', {
    eventwire: 'eventwire',
    'eventwire/client': 'eventwire/client',
    'eventwire/server': 'eventwire/server',
    'eventwire/react': 'eventwire/react',
    'eventwire/redis': 'eventwire/redis',
    'eventwire/otel': 'eventwire/otel',
    'eventwire/openapi': 'eventwire/openapi',
    'eventwire/testing': 'eventwire/testing',
    'eventwire/wire': 'eventwire/wire',
  }),
  group('The project', '/project/', {
    bench: 'Benchmarks',
    results: 'Results',
    changelog: 'Changes',
    contributing: 'Contributing',
    security: 'Security',
  }),
]
