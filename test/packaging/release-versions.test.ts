import t from 'tap';
import { type Files, prepared, releaseNotes, versionFindings } from '../../bin/release-versions.ts';
import { command } from '../helpers/command.ts';

const FILES: Files = {
  'package.json': '{\n  "name": "breakwater",\n  "version": "0.1.0",\n  "dependencies": { "x": "0.1.0" }\n}\n',
  'package-lock.json':
    '{\n  "version": "0.1.0",\n  "packages": {\n    "": {\n      "version": "0.1.0"\n    },\n    "node_modules/x": {\n      "version": "0.1.0"\n',
  Dockerfile: 'ARG NODE_IMAGE=node:26.10.0\nARG VERSION=0.1.0\n',
  'docker-compose.yml': 'image: breakwater:0.1.0\n',
  'deploy/kubernetes/breakwater/Chart.yaml': 'name: breakwater\nversion: 0.1.0\nappVersion: "0.1.0"\n',
  'CHANGELOG.md': '# Changelog\n\n## Unreleased\n\n### Added\n- One.\n\n## 0.0.9 (2026-01-02)\n- breakwater:0.0.9\n',
};

t.test('every file of this repository names one version', async (t) => {
  const { output } = await command('node', ['bin/release-versions.ts', 'check']);
  t.equal(output, '');
});

t.test('what names another version is told, with file, line and remedy', async (t) => {
  t.strictSame(versionFindings(FILES, undefined), []);
  const rows: [string, string, RegExp][] = [
    [
      'docker-compose.yml',
      'a\nimage: breakwater:0.2.0\n',
      /^docker-compose\.yml:2: 0\.2\.0, expected 0\.1\.0; bin\/release prepare 0\.1\.0/,
    ],
    ['Dockerfile', 'ARG VERSION=0.2.0', /^Dockerfile:1: 0\.2\.0/],
    ['deploy/kubernetes/breakwater/Chart.yaml', 'version: 0.1.0\nappVersion: "0.2.0"', /Chart\.yaml:2: 0\.2\.0/],
    ['package-lock.json', '{\n  "version": "0.2.0",\n', /package-lock\.json:2: 0\.2\.0/],
    ['package.json', '{\n  "version": "1.0"\n}', /1\.0 is no semantic version/],
    ['package.json', '{\n  "version": "01.0.0"\n}', /01\.0\.0 is no semantic version/],
  ];
  for (const [file, text, expected] of rows)
    t.match(versionFindings({ ...FILES, [file]: text }, undefined)[0], expected);
});

t.test('a tag is that of the version, and the changelog has its section', async (t) => {
  t.match(versionFindings(FILES, 'v0.2.0'), [/^tag v0\.2\.0: expected v0\.1\.0/, /^CHANGELOG\.md: no heading/]);
  const released = prepared(FILES, '0.1.0', '2026-12-24');
  t.strictSame(versionFindings(released, 'v0.1.0'), []);
  t.strictSame(versionFindings(released, '0.1.0').length, 1, 'a tag begins with v');
});

t.test('preparing writes the version everywhere, and once', async (t) => {
  const files = prepared(FILES, '1.10.0-rc.1', '2026-12-24');
  t.strictSame(versionFindings(files, 'v1.10.0-rc.1'), []);
  t.match(
    files['package.json'],
    /"version": "1\.10\.0-rc\.1",\n {2}"dependencies": \{ "x": "0\.1\.0" \}/,
    'not in what it needs',
  );
  t.match(files['package-lock.json'], /node_modules\/x": \{\n {6}"version": "0\.1\.0"/);
  t.match(files.Dockerfile, /node:26\.10\.0\nARG VERSION=1\.10\.0-rc\.1/);
  t.match(files['CHANGELOG.md'], '## Unreleased\n\n## 1.10.0-rc.1 (2026-12-24)\n\n### Added\n- One.');
  t.match(files['CHANGELOG.md'], 'breakwater:0.0.9', 'history stays');
  t.strictSame(prepared(files, '1.10.0-rc.1', '2026-12-25'), files, 'a second time changes nothing');
  t.throws(() => prepared(FILES, '1.0', 'x'), /no semantic version/);
  t.throws(() => prepared(files, '2.0.0', 'x'), /nothing stands under "## Unreleased"/);
});

t.test('release notes are the section of the version', async (t) => {
  t.equal(releaseNotes(FILES['CHANGELOG.md'] ?? '', '0.0.9'), '- breakwater:0.0.9');
  t.equal(releaseNotes(FILES['CHANGELOG.md'] ?? '', '0.0'), undefined);
});
