// npm run migration -- <name>   writes the next migration from schema.prisma
// node prisma/migrate.mjs --check   exit 1 where the migrations do not lead to schema.prisma
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withEngine } from './engine.mjs';

const folder = fileURLToPath(new URL('migrations', import.meta.url));
const schemaPath = fileURLToPath(new URL('schema.prisma', import.meta.url));
const LOCK = '# Written by `npm run migration`. Do not edit.\nprovider = "postgresql"\n';

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});

/** @returns {Promise<import('@prisma/schema-engine-wasm').MigrationList>} */
async function migrations() {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return {
    baseDir: folder,
    lockfile: { path: 'migration_lock.toml', content: LOCK },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.sort().map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: /** @type {const} */ ('ok'),
            value: await readFile(`${folder}/${name}/migration.sql`, 'utf8'),
          },
        },
      })),
    ),
  };
}

const schema = { path: schemaPath, content: await readFile(schemaPath, 'utf8') };
const list = await migrations();
const script = await withEngine(schema, async (engine) => {
  const result = await engine.diff({
    from: list.migrationDirectories.length === 0 ? { tag: 'empty' } : { tag: 'migrations', ...list },
    to: { tag: 'schemaDatamodel', files: [schema] },
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  });
  // 2 says that there is a difference, 0 that there is none.
  return result.exitCode === 2 ? result.stdout : null;
});

if (values.check) {
  if (script === null) console.log('migrations: lead to prisma/schema.prisma');
  else {
    console.error(
      `migrations: prisma/schema.prisma has changed. Run \`npm run migration -- <name>\`.\n${script}`,
    );
    process.exitCode = 1;
  }
} else if (script === null) console.log('migrations: nothing to do');
else {
  const name = positionals[0];
  if (!name || !/^[a-z0-9_]+$/.test(name))
    throw new Error('name the migration: npm run migration -- add_column');
  const stamp = new Date().toISOString().replace(/[-:T]/g, '').slice(0, 14);
  await mkdir(`${folder}/${stamp}_${name}`, { recursive: true });
  await writeFile(`${folder}/${stamp}_${name}/migration.sql`, script);
  await writeFile(`${folder}/migration_lock.toml`, LOCK);
  console.log(`migrations: wrote prisma/migrations/${stamp}_${name}`);
}
process.exit();
