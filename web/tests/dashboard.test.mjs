// The dashboard (web/dist/dashboard.html, served by supyo run --serve) in a real browser, with documents that the test writes. dashboard_live.test.mjs has a real job.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dashboard } from '../build.mjs';
import { tables } from '../src/i18n.js';
import { browser, here, violations } from './browser.mjs';
import { document as fixture, evil, NOW } from './fixture.mjs';

const html = readFileSync(here('../dist/dashboard.html'), 'utf8'), shots = process.env.SUPYO_SHOTS;
const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
let started, context;

before(async () => { started = await browser({ timezoneId: 'Asia/Seoul', locale: 'en-GB' }); context = started.context; });
after(() => started?.close());

async function open(answer, { width = 1440, scheme = 'light', lang = 'en' } = {}) {
  const page = await context.newPage(), errors = [], foreign = [], asked = [];
  page.on('pageerror', e => errors.push(String(e)));
  page.on('console', m => m.type() === 'error' && errors.push(m.text()));
  await page.route('**/*', async route => {
    const url = new URL(route.request().url());
    if (url.pathname === '/') return route.fulfill({ body: html, contentType: 'text/html; charset=utf-8', headers: { 'Content-Security-Policy': policy } });
    if (url.pathname !== '/v1/dashboard') { foreign.push(url.href); return route.fulfill({ status: 404, body: '' }); }
    asked.push(url.search);
    const doc = typeof answer === 'function' ? answer() : answer;
    return doc ? route.fulfill({ json: doc }) : route.abort();
  });
  await page.setViewportSize({ width, height: 950 });
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await page.addInitScript(l => { try { localStorage.setItem('supyo.language', l); localStorage.setItem('supyo.theme', 'auto'); localStorage.setItem('supyo.range', '900'); } catch { /* not yet a page */ } }, lang);
  await page.goto('http://localhost:8081/');
  await page.waitForSelector('html[data-ready="1"]');
  return { page, errors, foreign, asked };
}
const text = (page, selector) => page.$eval(selector, e => e.innerText);

test('the built page is what its sources give', async () => assert.ok(await dashboard() === html, 'npm run build, and commit web/dist'));

test('every text is there in English and in Korean', () => assert.deepEqual(Object.keys(tables.ko).sort(), Object.keys(tables.en).sort()));

for (const scheme of ['light', 'dark']) {
  for (const width of [1440, 390]) {
    test(`is accessible, and fits, in ${scheme} at ${width} pixels`, async () => {
      for (const [kind, lang] of [['incident', 'en'], ['ok', 'ko'], ['unknown', 'en'], ['unjudged', 'ko']]) {
        const { page, errors, foreign } = await open(fixture(kind), { width, scheme, lang });
        assert.deepEqual(await violations(page), [], `${kind} ${lang}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth) <= 0, kind);
        assert.deepEqual(await page.$$eval('nav a', links => links.map(a => a.hash).filter(h => !document.querySelector(h))), [], `${kind}: links that lead nowhere`);
        assert.deepEqual([errors, foreign], [[], []]);
        if (shots) await page.screenshot({ path: join(shots, `dashboard-${kind}-${lang}-${scheme}-${width}.png`), fullPage: true });
        await page.close();
      }
    });
  }
}

test('an incident says what, who, since when, why, and what to do, on the first screen', async () => {
  const { page } = await open(fixture('incident'));
  const banner = await text(page, '#decision');
  for (const part of ['INCIDENT', 'since 20:03:15', '3 min 25 s', 'latency: only 59.66 % under 5 s in the last 10 min (95 % needed)', 'Readers of region_counts, user_totals', '484,000 records', "The sink's commit is slow", '76400 records wait',
    'Inspect the sink', 'Lag alarms say nothing'])
    assert.ok(banner.toLowerCase().includes(part.toLowerCase()), `${part}\n---\n${banner}`);
  assert.ok(await page.$eval('#decision', e => e.getBoundingClientRect().bottom) < 500);
  assert.match(await page.title(), /^✖ INCIDENT 3 min 25 s · region-orders$/);
  await page.close();
});

test('the same in Korean', async () => {
  const { page } = await open(fixture('incident'), { lang: 'ko' });
  const banner = await text(page, '#decision');
  for (const part of ['장애', '무엇이 잘못됐나', '종단 간 지연: 최근 10분 동안 5초 미만이 59.66 % 뿐 (95 % 필요)', '484,000건이 늦거나', '싱크 커밋이 느림', '지금 76,400건이 기다리는 중', '싱크 시스템이 느리거나 멈췄는지', '랙 경보는 조용합니다']) assert.ok(banner.includes(part), `${part}\n---\n${banner}`);
  assert.equal(await page.$eval('html', e => e.lang), 'ko');
  // No English is left but names, and what the judge wrote into its timeline.
  const words = (await text(page, 'main')).replace(/SUPYO|Burrow/g, '');
  const tickets = await text(page, '#diagnosis');
  for (const part of ['예산 소진 알림 page 14.4x', '제때 보이지 않은 레코드를 보세요']) assert.ok(tickets.includes(part), `${part}\n---\n${tickets}`);
  for (const word of ['budget', 'Objective', 'records', 'stage', 'waiting', 'blocked', 'completed']) assert.ok(!words.includes(word), word);
  await page.close();
});

test('objectives stand by the budget left, and what is not known stands apart', async () => {
  const { page } = await open(fixture('incident'));
  const names = await page.$$eval('#objectives tbody:not(.unknown) tr th', e => e.map(x => x.firstChild.textContent));
  assert.deepEqual(names, ['latency', 'success', 'freshness']);
  assert.match(await text(page, '#objectives tbody.unknown'), /Not known.*not the same as good/s);
  assert.match(await text(page, '#objectives tbody tr'), /-710 %.*BROKEN/s);
  await page.close();
  const { page: early } = await open(fixture('unknown'));
  assert.match(await text(early, '#decision'), /UNKNOWN.*not the same as good/s);
  assert.equal(await early.$$eval('#objectives tbody:not(.unknown) tr', e => e.length), 0);
  await early.close();
  const unsure = fixture('unknown');
  unsure.slo.reasons = ['the clock was set forward by 5 min'];
  const { page: clock } = await open(unsure);
  assert.match(await text(clock, '#decision'), /UNKNOWN.*not known.*not the same as good.*the clock was set forward by 5 min/s);
  await clock.close();
});

test('lag and objectives stand side by side, and blindness is counted', async () => {
  const { page } = await open(fixture('incident'));
  assert.match(await text(page, '#lagBeside'), /Objectives say INCIDENT.*Lag says silent.*Lag was blind for/s);
  await page.close();
});

test('the loss clock tells the partition that loses first, and UNKNOWN where nobody answers', async () => {
  const { page } = await open(fixture('incident'));
  assert.match(await text(page, '#loss tbody tr'), /orders \/ 3.*in 45 min.*40 min – 51 min.*31 min.*retention\.ms/s);
  assert.match(await text(page, '#diagnosis'), /partition 3 has 71 %.*spread the key/is);
  await page.close();
  const { page: blind } = await open(fixture('unknown'));
  assert.match(await text(blind, '#diagnosis'), /not enough is known/i);
  assert.match(await text(blind, '#loss'), /UNKNOWN.*127\.0\.0\.1:9092: nobody answers/s);
  await blind.close();
  const gone = fixture('incident');
  Object.assign(gone.loss, { reachable: false, problem: 'nobody answers', known_age_s: 190 });
  const { page: stale } = await open(gone);
  assert.match(await text(stale, '#loss'), /UNKNOWN.*nobody answers.*last known 3 min 10 s ago.*orders \/ 3.*in 45 min/s);
  assert.equal(await stale.locator('#loss .word.OK').count(), 0);
  assert.match(await text(stale, '#diagnosis'), /partition 3 has 71 %.*last known 3 min 10 s ago/is);
  await stale.close();
});

test('time travel by keyboard: back to when all was well, and Escape to now', async () => {
  const { page, asked } = await open(fixture('incident'));
  await page.focus('input[type=range]');
  for (let i = 0; i < 2; ++i) await page.keyboard.press('PageUp');
  await page.waitForFunction(() => document.querySelector('#decision').innerText.includes('OK'));
  assert.match(await text(page, '.live'), /looking back: 19:59/);
  assert.match(await text(page, '#decision'), /Every objective of the readers holds/);
  assert.equal(await page.getAttribute('input[type=range]', 'aria-valuetext'), '19:59:10, OK');
  for (let i = 0; i < 44; ++i) await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelector('#decision').innerText.includes('AT RISK'));
  assert.match(await text(page, '#decision'), /Nobody yet.*commit is slow/s);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('#decision').innerText.includes('INCIDENT'));
  // Earlier than the range: that time is asked for.
  for (let i = 0; i < 2; ++i) await page.click('button:has-text("Earlier")');
  await page.waitForFunction(() => document.querySelector('.live').innerText.includes('looking back'));
  await page.click('.events button >> nth=0').catch(() => {});
  assert.ok(asked.some(q => q === '?from=-900&to=0'));
  await page.click('button:has-text("5 min")');
  assert.equal(await page.getAttribute('button:has-text("5 min")', 'aria-pressed'), 'true');
  await page.close();
});

test('every control is reached by Tab, with a name, and visibly', async () => {
  const { page } = await open(fixture('incident'));
  const seen = [];
  for (let i = 0; i < 60; ++i) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => { const e = document.activeElement; return e === document.body ? null : { what: e.tagName, name: e.getAttribute('aria-label') ?? e.getAttribute('aria-labelledby') ?? e.innerText, line: getComputedStyle(e).outlineStyle, type: e.type }; });
    if (at === null) break;
    assert.ok(at.name || at.what === 'SELECT', JSON.stringify(at));
    assert.notEqual(at.line, 'none', JSON.stringify(at));
    seen.push(at.what + (at.type ?? ''));
  }
  for (const kind of ['A', 'SELECTselect-one', 'BUTTONbutton', 'INPUTrange', 'SUMMARY']) assert.ok(seen.some(s => s.startsWith(kind)), kind + ' ' + seen);
  await page.close();
});

test('theme and language are chosen and kept', async () => {
  const { page } = await open(fixture('ok'));
  await page.selectOption('select >> nth=0', 'dark');
  assert.equal(await page.$eval('html', e => e.dataset.theme), 'dark');
  await page.selectOption('select >> nth=1', 'ko');
  await page.waitForFunction(() => document.querySelector('#decision').innerText.includes('정상'));
  assert.deepEqual(await page.evaluate(() => [localStorage.getItem('supyo.theme'), localStorage.getItem('supyo.language')]), ['dark', 'ko']);
  await page.close();
});

test('the graph tells rates, busy and blocked; the results are the newest rows', async () => {
  const { page } = await open(fixture('incident'));
  assert.match(await text(page, '#graph'), /job RUNNING.*shard 0\s+busy 23 %, blocked 38 %/s);
  const graph = await page.$eval('#graph svg', e => e.textContent);
  for (const part of ['Scan', 'orders', 'busy 17 %, blocked 50 %', 'TUMBLE 1min, by region', 'region_counts']) assert.ok(graph.includes(part), `${part}: ${graph}`);
  assert.equal(await page.$$eval('#graph svg .edge[stroke-dasharray]', e => e.length), 2);
  assert.equal((await page.$$('#results table tbody tr')).length, 50);
  assert.match(await text(page, '#results figcaption'), /경기 400/);
  await page.click('#results button:has-text("user_totals")');
  await page.waitForFunction(() => document.querySelector('#results h3').innerText.includes('newest row of each key'));
  assert.match(await text(page, '#results table'), /7\s+120\s+NULL/);
  assert.match(await text(page, '#epochs'), /490 completed, 1 failed/);
  await page.close();
});

test('names and values of others are text, whatever they are', async () => {
  const { page } = await open(fixture('failed'));
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.title(), /^✖ INCIDENT/);
  assert.match(await text(page, '#decision'), /The job has failed.*disk is full.*<img src=x/s);
  assert.ok((await text(page, '#objectives')).includes(evil));
  await page.close();
});

test('no answer is UNKNOWN, never green', async () => {
  let doc = fixture('ok');
  const { page } = await open(() => doc);
  assert.match(await text(page, '#decision'), /OK/);
  doc = null;
  await page.waitForFunction(() => document.querySelector('#decision').className.includes('UNKNOWN'));
  assert.match(await text(page, '#decision'), /Supyo does not answer, what you see is from 20:06:40/);
  assert.match(await page.title(), /^\? UNKNOWN/);
  doc = { ...fixture('ok'), now_s: NOW + 5 };
  await page.waitForFunction(() => document.querySelector('#decision').className.includes('OK'));
  await page.close();
});

test('a recorded run is one file that asks nobody', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'supyo-recorded-')), file = join(directory, 'run.html');
  const json = JSON.stringify(fixture('incident', { live: false })).replaceAll('<', '\\u003c');
  writeFileSync(file, html.replace('id="recorded">', () => 'id="recorded">' + json));
  const page = await context.newPage(), requests = [], errors = [];
  page.on('request', r => requests.push(r.url()));
  page.on('pageerror', e => errors.push(String(e)));
  page.on('console', m => m.type() === 'error' && errors.push(m.text()));
  await page.goto('file://' + file);
  await page.waitForSelector('html[data-ready="1"]');
  assert.match(await text(page, '.live'), /recorded run/);
  assert.match(await text(page, '#decision'), /INCIDENT/);
  await page.focus('input[type=range]');
  await page.keyboard.press('Home');
  await page.waitForFunction(() => document.querySelector('#decision').innerText.includes('UNKNOWN'));
  assert.deepEqual([requests.filter(r => !r.startsWith('data:')).length, errors], [1, []]);
  await page.close();
  rmSync(directory, { recursive: true });
});
