import { testGroup } from './group-test.ts';

await testGroup('restart');
