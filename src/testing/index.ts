export { testLog, type RegisterTest, type TestLogOptions } from './log.ts'
