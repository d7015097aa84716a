// Chromium as installed, one profile a test file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const here = name => fileURLToPath(new URL(name, import.meta.url));
const axe = readFileSync(here('../node_modules/axe-core/axe.min.js'), 'utf8');

export async function browser(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'supyo-chrome-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.SUPYO_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'], ...options });
  return { context, async close() { await context.close(); rmSync(profile, { recursive: true, force: true }); } };
}

/// What axe-core finds, as lines.
export async function violations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return result.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? '')).slice(0, 5).join(' | ')}`);
}
