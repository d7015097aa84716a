import { clock, duration } from './format.js';
import { Strip } from './strip.jsx';
import { STATES } from './view.js';

const ranges = [300, 900, 3600, 21600];

/// "state OK -> INCIDENT" and the like, in the reader's language as far as it is known.
function happened(t, what) {
  const state = /^state (.+) -> (.+)$/.exec(what);
  if (state) return state.slice(1).map(s => t('state' + (s === 'AT RISK' ? 'RISK' : s))).join(' → ');
  const known = [[/^objective (.+) broken$/, 'evBroken'], [/^objective (.+) met again$/, 'evMet'], [/^epoch (\d+) failed$/, 'evEpoch'], [/^(\d+) records lost$/, 'evLost'], [/^end-to-end latency of the last minute above its threshold$/, 'evSpike'], [/^the job restarted$/, 'evRestart']];
  for (const [pattern, key] of known) { const m = pattern.exec(what); if (m) return t(key, m[1]); }
  return what;
}

export function TimeTravel({ t, doc, view, at, setAt, range, setRange, dark }) {
  const { series } = view, last = series.t.at(-1), step = series.step_s, value = at ?? last, state = STATES[series.columns.state[view.index]] ?? 'UNKNOWN';
  const pick = v => setAt(doc.live !== false && v >= last - step / 2 ? null : v);
  // From where it is by now: keys come faster than the page is drawn.
  const move = seconds => setAt(a => { const v = Math.min(last, (a ?? last) + seconds); return doc.live !== false && v >= last - step / 2 ? null : v; });
  const key = e => { if (e.key === 'PageUp' || e.key === 'PageDown') { e.preventDefault(); move((e.key === 'PageUp' ? -1 : 1) * range / 4); } };
  const events = series.events.filter(e => at === null || e.t <= at + step).slice(-6).reverse();
  return <section class="card time" aria-labelledby="h-time">
    <h2 id="h-time">{t('timeline')} <small>{t('timelineHint')}</small></h2>
    <div class="controls" role="group" aria-label={t('range')}>
      {ranges.map(r => <button type="button" key={r} aria-pressed={range === r} onClick={() => setRange(r)}>{t('r' + r)}</button>)}
      <button type="button" onClick={() => move(-range / 2)}>◀ {t('earlier')}</button>
      <button type="button" disabled={at === null} onClick={() => move(range / 2)}>{t('later')} ▶</button>
      <button type="button" disabled={at === null} onClick={() => setAt(null)}>{t('toNow')}</button>
    </div>
    <Strip values={series.columns.state} label={`${t('objectiveSays')}: ${t('state' + state)}`} dark={dark} mark={at === null ? -1 : view.index} />
    <input type="range" min={series.t[0]} max={last} step={step} value={value} aria-label={t('lookAt')} aria-valuetext={`${clock(value)}, ${t('state' + state)}`} onInput={e => pick(Number(e.currentTarget.value))} onKeyDown={key} />
    <p class="ends"><span>{clock(series.t[0] - step)}</span><b>{clock(value)}{at !== null && `, ${t('ago', duration(doc.now_s - at))}`}: {t('state' + state)}</b><span>{clock(last)}</span></p>
    <h3>{t('events')}</h3>
    {events.length === 0 ? <p class="soft">{t('noEvents')}</p> : <ol class="events">{events.map((e, i) => <li key={e.t + e.what + i}><button type="button" onClick={() => setAt(e.t)}>{clock(e.t)}</button> {happened(t, e.what)}</li>)}</ol>}
  </section>;
}
