import { expect, test } from 'vitest'
import { fences } from '../support/docs.ts'
import { describeMarket } from './support.ts'

test('the schemas that the page shows are those of the document', () => {
  const shown = fences('docs/guide/openapi.md', 'json').map(({ code }) => JSON.parse(code) as object)
  expect(shown).toHaveLength(1)
  expect(describeMarket().components.schemas).toMatchObject(shown[0]!)
})
