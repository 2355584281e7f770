import type { StandardSchemaV1 } from '@standard-schema/spec'

/** What a schema says of a value: what it makes of it, or the issues that it takes. */
export type Verdict = StandardSchemaV1.Result<unknown>

/** Why something is no schema; `undefined` when it is one. */
export function schemaFault(schema: unknown): string | undefined {
  const standard =
    schema && (typeof schema === 'object' || typeof schema === 'function') ? (schema as Partial<StandardSchemaV1>)['~standard'] : undefined
  if (typeof standard?.validate === 'function') return undefined
  return 'its value is no Standard Schema. Give a schema of zod, valibot, arktype or the like, or text().'
}

/** The issues as a sentence that names the fields. */
export function formatIssues(issues: readonly StandardSchemaV1.Issue[]): string {
  const keys = (path: NonNullable<StandardSchemaV1.Issue['path']>): string[] =>
    path.map((key) => String(typeof key === 'object' ? key.key : key))
  return issues.map(({ message, path }) => (path?.length ? `${keys(path).join('.')}: ${message}` : message)).join('; ')
}
