import type { Command } from 'commander';
import { configPath } from '../config-path.ts';

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('Serve clients. SIGHUP reloads the configuration, SIGTERM drains and stops.')
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .action(async (options: { config?: string }) => {
      // Loaded lazily, so that the commands that ask a running edge start fast.
      const { serve } = await import('./service.ts');
      await serve(configPath(options.config));
    });
}
