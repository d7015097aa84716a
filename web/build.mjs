// Makes dist/dashboard.html: one document, script and style inside, allowed by their hashes and by nothing else. `--check` only compares.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = name => fileURLToPath(new URL(name, import.meta.url));

async function bundle(entry) {
  const out = await build({
    entryPoints: [here(entry)], bundle: true, minify: true, write: false, format: 'iife', target: ['chrome110', 'firefox110', 'safari16'], charset: 'utf8', legalComments: 'inline',
    jsx: 'automatic', jsxImportSource: 'preact', absWorkingDir: here('.'),
  });
  return out.outputFiles[0].text.trim();
}

export async function dashboard() {
  const script = (await bundle('src/main.jsx')).replaceAll('</script', '<\\/script'), style = await bundle('src/style.css');
  const hash = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const licence = ['preact', 'uplot'].map(name => `${name}\n${readFileSync(here(`node_modules/${name}/LICENSE`), 'utf8').trim()}`).join('\n\n').replaceAll('--', '- -');
  const policy = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="web/build.mjs">
<title>Supyo</title>
<!-- Contains:

${licence}
-->
<style>${style}</style>
</head>
<body>
<script type="application/json" id="recorded"></script>
<div id="app"></div>
<script>${script}</script>
</body>
</html>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const html = await dashboard(), file = here('dist/dashboard.html');
  if (process.argv.includes('--check')) {
    if (readFileSync(file, 'utf8') !== html) throw new Error('web/dist/dashboard.html is not what web/src gives: npm run build');
  } else {
    mkdirSync(here('dist'), { recursive: true });
    writeFileSync(file, html);
    console.log(`dist/dashboard.html: ${html.length} bytes`);
  }
}
