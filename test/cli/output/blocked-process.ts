import { FileTarget } from '../../../src/cli/output/file-target.ts';
import { LogOutput } from '../../../src/cli/output/log-output.ts';

// Ends while a thread is inside a write that does not return: standard output is a pipe that nothing reads, written as if it were a file.
const output = new LogOutput({ target: new FileTarget(1), onResumed: () => undefined });
output.write('x'.repeat(1_000_000), true);
setTimeout(() => output.exit(0), 700);
