// Opens labs' reports in a real browser: SUPYO_REPORT names the file, SUPYO_REPORT_TRIALS one of many like runs.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const report = process.env.SUPYO_REPORT && resolve(process.env.SUPYO_REPORT);
const browserPath = process.env.SUPYO_CHROMIUM ?? '/usr/bin/chromium';
const axe = readFileSync(fileURLToPath(new URL('../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8');
const shots = process.env.SUPYO_SHOTS;
let context, profile;

before(async () => {
  assert.ok(report && existsSync(report), 'SUPYO_REPORT must name a report.html');
  profile = mkdtempSync(join(tmpdir(), 'supyo-chrome-'));
  context = await chromium.launchPersistentContext(profile, { executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
});
after(async () => {
  await context?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

async function open({ width = 1100, scheme = 'light', media = 'screen', file = report } = {}) {
  const page = await context.newPage();
  const requests = [], errors = [];
  page.on('request', r => requests.push(r.url()));
  page.on('pageerror', e => errors.push(String(e)));
  page.on('console', m => m.type() === 'error' && errors.push(m.text()));
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme, media });
  await page.goto('file://' + file);
  return { page, requests, errors };
}

test('is one file: one request, no script, no error, under a megabyte', async () => {
  const { page, requests, errors } = await open();
  assert.equal(requests.length, 1, requests.join('\n'));
  assert.deepEqual(errors, []);
  assert.equal(await page.locator('script').count(), 0);
  assert.ok(readFileSync(report).length < 1_000_000);
  await page.close();
});

test('tables of many columns fit, at any width, and no word of them is taken apart', { skip: !process.env.SUPYO_REPORT_TRIALS }, async () => {
  for (const width of [1280, 800, 390]) {
    const { page } = await open({ width, file: resolve(process.env.SUPYO_REPORT_TRIALS) });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than a screen of ${width}`);
    const high = await page.evaluate(() => Math.max(...[...document.querySelectorAll('table.stack tbody th')].map(th => th.getClientRects()[0]?.height ?? 0)));
    assert.ok(high < 100, `a row's name is ${high} pixels high on a screen of ${width}`);
    const out = await page.evaluate(() => [...document.querySelectorAll('svg')].filter(s => s.getClientRects().length).flatMap(s => [...s.querySelectorAll('.pt')].filter(m => {
      const a = m.getBoundingClientRect(), b = s.getBoundingClientRect();
      return a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom;
    })).length);
    assert.equal(out, 0, `${out} marks are outside of their figure on a screen of ${width}`);
    await page.close();
  }
});

for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 390]) {
    test(`is accessible, and fits, in ${scheme} at ${width} pixels`, async () => {
      const { page } = await open({ width, scheme });
      await page.evaluate(axe);
      const result = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      const found = result.violations.map(v => `${v.id} (${v.impact}): ${v.nodes.map(n => n.target + ' ' + (n.any[0]?.message ?? '')).slice(0, 5).join(' | ')}`);
      assert.deepEqual(found, []);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than the screen`);
      if (shots) await page.screenshot({ path: join(shots, `report-${scheme}-${width}.png`), fullPage: true });
      await page.close();
    });
  }
}

test('shows every chart once, at each width, with a name and a description', async () => {
  for (const width of [1280, 390]) {
    const { page } = await open({ width });
    const charts = await page.evaluate(() => [...document.querySelectorAll('svg[role=img]')].filter(s => s.getBoundingClientRect().width > 0)
      .map(s => ({ id: s.getAttribute('aria-labelledby'), title: s.querySelector('title')?.textContent, desc: s.querySelector('desc')?.textContent, right: s.getBoundingClientRect().right })));
    assert.ok(charts.length >= 7, `${charts.length} charts`);
    assert.equal(new Set(charts.map(c => c.id)).size, charts.length);
    for (const c of charts) {
      assert.ok(c.title && c.desc, c.id);
      assert.ok(c.right <= width, `${c.id} ends at ${c.right}`);
    }
    await page.close();
  }
});

test('text in charts stays readable on a narrow screen', async () => {
  const { page } = await open({ width: 390 });
  const small = await page.evaluate(() => [...document.querySelectorAll('svg.narrow text')].map(t => {
    const scale = t.ownerSVGElement.getBoundingClientRect().width / t.ownerSVGElement.viewBox.baseVal.width;
    return parseFloat(getComputedStyle(t).fontSize) * scale;
  }).filter(px => px < 9));
  assert.deepEqual(small, []);
  await page.close();
});

test('labels in the strips lie inside their segments, and rows do not overlap', async () => {
  for (const width of [1280, 390]) {
    const { page } = await open({ width });
    const bad = await page.evaluate(() => {
      const out = [];
      for (const svg of document.querySelectorAll('svg[role=img]')) {
        if (svg.getBoundingClientRect().width === 0) continue;
        const box = svg.getBoundingClientRect();
        for (const text of svg.querySelectorAll('text')) {
          const r = text.getBoundingClientRect();
          if (r.left < box.left - 1 || r.right > box.right + 1) out.push(`${text.textContent}: ${r.left - box.left} .. ${r.right - box.right}`);
        }
      }
      return out;
    });
    assert.deepEqual(bad, []);
    await page.close();
  }
});

test('prints: light, wide charts, no chart cut by a page', async () => {
  const { page } = await open({ scheme: 'dark', media: 'print' });
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(background, 'rgb(255, 255, 255)');
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('figure')).breakInside), 'avoid');
  const pdf = await page.pdf({ format: 'A4', printBackground: true, path: shots ? join(shots, 'report.pdf') : undefined });
  assert.ok(pdf.length > 10_000);
  await page.close();
});

test('says in words what the colours say', async () => {
  const { page } = await open();
  const text = await page.evaluate(() => document.body.innerText);
  for (const word of ['CONFIRMED', 'REFUTED', 'INVALID'].filter(w => readFileSync(report, 'utf8').includes(`class="word">${w}`))) assert.ok(text.includes(word));
  const strip = await page.evaluate(() => [...document.querySelectorAll('svg.wide .seg title')].map(t => t.textContent));
  assert.ok(strip.some(s => /met|broken|INCIDENT|OK/.test(s)) && strip.some(s => /silent|alarm/.test(s)), strip.join('; '));
  await page.close();
});
