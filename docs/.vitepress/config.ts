import { defineConfig } from 'vitepress'
import manifest from '../../package.json' with { type: 'json' }
import { repositoryMarkdown, slugify } from './markdown.ts'
import { sidebar } from './sidebar.ts'

export default defineConfig({
  title: manifest.name,
  description: manifest.description,
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: { anchor: { slugify }, config: repositoryMarkdown },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Guide', link: '/guide/install', activeMatch: '^/guide/' },
      { text: 'Protocol', link: '/protocol' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
      { text: manifest.version, link: '/project/changelog' },
    ],
    sidebar,
  },
})
