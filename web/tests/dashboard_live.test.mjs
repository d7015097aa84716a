// The dashboard of a real job: examples/product with a live generator, until the generator is killed. SUPYO names the binary; takes two to three minutes, most of it the judge's
// first minute and the thirty seconds of the freshness objective.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { browser, here, violations } from './browser.mjs';

const supyo = process.env.SUPYO, shots = process.env.SUPYO_SHOTS, wait = { timeout: 240_000 };
const directory = mkdtempSync(join(tmpdir(), 'supyo-live-')), children = [];
let started;
after(async () => {
  for (const c of children) c.kill('SIGKILL');
  await started?.close();
  rmSync(directory, { recursive: true, force: true });
});

function run(...args) {
  const child = spawn(supyo, args, { cwd: here('../..'), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const ended = new Promise(resolve => child.on('close', resolve));
  child.stderr.setEncoding('utf8').on('data', d => { said += d; });
  children.push(child);
  return { child, ended, said: () => said, async says(pattern) { for (let i = 0; i < 600; ++i) { const m = pattern.exec(said); if (m) return m; await new Promise(r => setTimeout(r, 100)); } throw new Error(said); } };
}

test('a job from its first second to an incident and to its record', async () => {
  assert.ok(supyo, 'SUPYO must name the binary');
  const generator = run('gen', 'product', '--live', '--tps', '300', '--disorder', '500ms', '--to', `embedded:${directory}/log/product-events`), file = join(directory, 'run.html');
  const job = run('run', 'examples/product/pipeline.sql', '--var', `DATA=${directory}`, '--set', 'execution.checkpointing.interval=1s', '--slo', 'examples/product/slo.yaml', '--state', join(directory, 'state'), '--serve', '0', '--dashboard', file);
  const [, url] = await job.says(/serving (http:\S+)\/ \(the dashboard\)/);
  started = await browser({ locale: 'en-GB' });
  const page = await started.context.newPage(), errors = [];
  page.on('pageerror', e => errors.push(String(e)));
  await page.setViewportSize({ width: 1440, height: 950 });
  const answer = await page.goto(url + '/');
  assert.equal(await answer.text(), readFileSync(here('../dist/dashboard.html'), 'utf8'));
  const banner = () => page.$eval('#decision', e => e.innerText), state = s => page.waitForFunction(w => document.querySelector(`#decision.${w}`), s, wait);
  await page.waitForSelector('#decision.UNKNOWN', wait);
  assert.match(await banner(), /not the same as good/);
  await state('OK');
  assert.match(await banner(), /Every objective of the readers holds/);
  await page.waitForFunction(() => document.querySelectorAll('#results table tbody tr').length === 50, null, wait);
  assert.match(await page.$eval('#results', e => e.innerText), /product_changes/);
  assert.ok((await page.$$eval('#graph svg .node', e => e.length)) >= 3);
  assert.deepEqual(await violations(page), []);
  if (shots) await page.screenshot({ path: join(shots, 'live-ok.png'), fullPage: true });

  generator.child.kill('SIGKILL');
  await state('INCIDENT');
  for (const part of [/Records are held for the watermark/i, /records wait for the watermark now/i, /no record has come for/i, /look at its producer/i, /Readers of product_changes/, /Lag alarms say nothing/]) assert.match(await banner(), part);
  assert.match(await page.title(), /^✖ INCIDENT/);
  await page.waitForFunction(() => document.querySelector('#objectives tbody tr').innerText.includes('BROKEN'));
  assert.deepEqual(await violations(page), []);
  if (shots) await page.screenshot({ path: join(shots, 'live-incident.png'), fullPage: true });
  // Back to when all was well.
  await page.click('.events li:has-text("OK → INCIDENT") button');
  await page.focus('input[type=range]');
  for (let i = 0; i < 4; ++i) await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('#decision.OK', wait);

  job.child.kill('SIGINT');
  await job.ended;
  await page.keyboard.press('Escape');
  await state('UNKNOWN');
  assert.match(await banner(), /Supyo does not answer/);
  await page.goto('file://' + file);
  await page.waitForSelector('#decision.INCIDENT', wait);
  assert.match(await banner(), /The job has ended: STOPPED/);
  assert.deepEqual(errors, []);
});
