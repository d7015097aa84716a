// Numbers and times as people read them, in the chosen language.
let locale = 'en-GB';
export const setLocale = lang => { locale = lang === 'ko' ? 'ko-KR' : 'en-GB'; };

const none = v => v === null || v === undefined || Number.isNaN(v);
export const whole = v => none(v) ? '–' : Math.round(v).toLocaleString(locale);
export const rate = v => none(v) ? '–' : v >= 100 || v === 0 ? whole(v) : v.toLocaleString(locale, { maximumSignificantDigits: 2 });
export const percent = (share, digits = 1) => none(share) ? '–' : (100 * share).toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }) + ' %';
/// Good shares are rounded down: 99.999 % is not "100 %".
export const goodPercent = share => none(share) ? '–' : share >= 1 ? '100 %' : (Math.floor(share * 10000) / 100).toLocaleString(locale, { maximumFractionDigits: 2 }) + ' %';

const units = { en: { ms: ' ms', s: ' s', min: ' min', h: ' h', d: ' d' }, ko: { ms: 'ms', s: '초', min: '분', h: '시간', d: '일' } };
export function duration(s) {
  if (none(s)) return '–';
  const u = locale === 'ko-KR' ? units.ko : units.en, sign = s < 0 ? '−' : '';
  const a = Math.abs(s), n = (v, d) => v.toLocaleString(locale, { maximumFractionDigits: d });
  if (a < 0.0005) return '0' + u.s;
  if (a < 1) return sign + n(a * 1000, a < 0.01 ? 1 : 0) + u.ms;
  if (a < 10) return sign + n(a, 1) + u.s;
  if (a < 120) return sign + n(Math.floor(a), 0) + u.s;
  if (a < 7200) return sign + n(Math.floor(a / 60), 0) + u.min + (a < 1200 && Math.floor(a % 60) ? ' ' + Math.floor(a % 60) + u.s : '');
  if (a < 172800) return sign + n(a / 3600, 1) + u.h;
  return sign + n(a / 86400, 1) + u.d;
}
const two = n => String(n).padStart(2, '0');
export const clock = t => { if (none(t)) return '–'; const d = new Date(t * 1000); return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`; };
export const day = t => { const d = new Date(t * 1000); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
export const moment = (t, now) => none(t) ? '–' : day(t) === day(now) ? clock(t) : `${day(t)} ${clock(t)}`;
export const bytes = n => none(n) ? '–' : n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(0)} KiB` : n < 2 ** 30 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${(n / 2 ** 30).toFixed(2)} GiB`;
