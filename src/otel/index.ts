export { observeEmitter, type Meter, type Observable, type Observation } from './metrics.ts'
