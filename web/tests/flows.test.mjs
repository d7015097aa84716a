// The page of both flows (web/flows.html, served by supyo watch, broker and consume) in a real browser, with answers that the test writes.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = name => fileURLToPath(new URL(name, import.meta.url));
const axe = readFileSync(here('../node_modules/axe-core/axe.min.js'), 'utf8'), html = readFileSync(here('../flows.html'), 'utf8');
const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
const shots = process.env.SUPYO_SHOTS;
const evil = '<img src=x onerror="document.title=\'owned\'">';
let context, profile;

const flows = {
  source: '127.0.0.1:9092', embedded: false, reachable: true, problem: '', at_s: 1, took_ms: 3,
  topics: [{ name: 'events', partitions: 1, rate: 2003.4, log_start: 1187340, end: 1198604, kept: 11264, bytes: null }, { name: evil, partitions: 3, rate: 0, log_start: 0, end: 0, kept: 0, bytes: 1234567 }],
  groups: [
    { name: 'fast-consumer-group', topic: 'events', state: 'Stable', members: 1, generation: -1, rate: 2001.2, lag: 210, headroom: 11054, gone: 0, lost: 0, loss_in_s: null },
    { name: 'slow-consumer-group', topic: 'events', state: 'Stable', members: 1, generation: -1, rate: 493, lag: 13264, headroom: -2000, gone: 2000, lost: 1093411, loss_in_s: null },
    { name: evil, topic: 'events', state: '', members: -1, generation: -1, rate: 0, lag: 5, headroom: 100, gone: 0, lost: 0, loss_in_s: 42 },
  ],
  metrics: { scrapes: 12, by: 'Prometheus/2.42.0', every_s: 2, samples: 214, last_s: 0.4 },
};

before(async () => {
  profile = mkdtempSync(join(tmpdir(), 'supyo-chrome-'));
  context = await chromium.launchPersistentContext(profile, { executablePath: process.env.SUPYO_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
});
after(async () => {
  await context?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

async function open({ width = 1280, scheme = 'light', answer = () => flows } = {}) {
  const page = await context.newPage(), errors = [], foreign = [];
  page.on('pageerror', e => errors.push(String(e)));
  page.on('console', m => m.type() === 'error' && errors.push(m.text()));
  await page.route('**/*', route => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/') return route.fulfill({ body: html, contentType: 'text/html; charset=utf-8', headers: { 'Content-Security-Policy': policy } });
    if (path === '/v1/flows') return route.fulfill({ json: answer() });
    if (path !== '/favicon.ico') foreign.push(route.request().url());
    return route.fulfill({ status: 404, body: '' });
  });
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto('http://localhost:8082/');
  await page.waitForSelector('html[data-ready="1"]');
  return { page, errors, foreign };
}

for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 390]) {
    test(`both flows: accessible, and fits, in ${scheme} at ${width} pixels`, async () => {
      for (const embedded of [false, true]) {
        const { page, errors, foreign } = await open({ width, scheme, answer: () => ({ ...flows, embedded }) });
        await page.evaluate(axe);
        const result = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
        assert.deepEqual(result.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target + ' ' + (n.any[0]?.message ?? '')).slice(0, 5).join(' | ')}`), []);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth) <= 0);
        assert.deepEqual([errors.filter(e => !e.includes('404')), foreign], [[], []]);
        if (shots) await page.screenshot({ path: join(shots, `flows-${embedded ? 'embedded' : 'kafka'}-${scheme}-${width}.png`), fullPage: true });
        await page.close();
      }
    });
  }
}

test('both flows: data solid, metrics dotted, with live rates', async () => {
  let rate = 2003.4;
  const { page } = await open({ answer: () => ({ ...flows, topics: [{ ...flows.topics[0], rate }] }) });
  const dashes = kind => page.$$eval(`#flows path.${kind}`, paths => paths.map(p => getComputedStyle(p).strokeDasharray));
  assert.ok((await dashes('data')).length >= 4 && (await dashes('data')).every(d => d === 'none'));
  assert.ok((await dashes('metric')).length >= 4 && (await dashes('metric')).every(d => d !== 'none'));
  const text = async () => page.$eval('#flows', s => s.textContent);
  for (const part of ['2,003/s', '493/s', 'LOST 1,093,411', '2,000 deleted unread', 'JMX exporter', 'Grafana', '214 samples every 2.0 s', 'Prometheus/2.42.0']) assert.ok((await text()).includes(part), part);
  rate = 7;
  await page.waitForFunction(() => document.querySelector('#flows').textContent.includes('7/s') && !document.querySelector('#flows').textContent.includes('2,003/s'));
  await page.close();
});

test('both flows: names are text, whatever they are', async () => {
  const { page } = await open();
  assert.equal(await page.title(), 'Supyo: both flows');
  assert.equal(await page.locator('img').count(), 0);
  assert.ok((await page.$eval('#groups', t => t.textContent)).includes(evil));
  await page.close();
});

test('both flows: says when the brokers do not answer', async () => {
  const { page } = await open({ answer: () => ({ ...flows, reachable: false, problem: 'nobody answers', topics: [], groups: [] }) });
  assert.match(await page.$eval('#state', e => e.textContent), /no answer/);
  assert.match(await page.$eval('#about', e => e.textContent), /nobody answers/);
  await page.close();
});
