// What the page shows of a document: as it is now, or as it was at a moment.
export const STATES = ['OK', 'RISK', 'INCIDENT', 'UNKNOWN'];
const known = v => v !== null && v !== undefined;

/// The last step that ends at or before `t` (the newest one that holds anything, for null).
function stepAt(series, t) {
  const state = series.columns.state ?? [];
  for (let i = series.t.length - 1; i >= 0; --i) if ((t === null || series.t[i] - series.step_s < t) && known(state[i])) return i;
  return -1;
}

/// Without what lies before `from`: the time before the job was judged is no time to look at.
function cut(series, from) {
  const first = series.t.findIndex(t => t > from);
  if (first <= 0) return series;
  const part = values => values.slice(first);
  return { ...series, from_s: series.t[first - 1], t: part(series.t), columns: Object.fromEntries(Object.entries(series.columns).map(([k, v]) => [k, part(v)])), waterfalls: part(series.waterfalls) };
}

function sumWaterfalls(list) {
  let n = 0;
  const sums = [0, 0, 0, 0, 0, 0];
  for (const w of list) if (w) { n += w[0]; for (let i = 0; i < 6; ++i) sums[i] += w[i + 1] * w[0]; }
  return n ? [n, ...sums.map(s => s / n)] : null;
}

/// `range`: of a recorded document only the last so many seconds before its end, 0: all.
export function lookAt(doc, at, range) {
  const { slo } = doc, end = doc.series?.t.at(-1), recent = range > 0 && (at === null || at > end - range);
  const series = doc.series && cut(doc.series, Math.max(slo.started_s ?? 0, recent ? end - range : 0));
  if (!slo) return { series: null, state: 'UNKNOWN', since: null, reasons: [], causes: [], tickets: [], objectives: [], waterfall: null, usual: null, at: doc.now_s, index: -1 };
  const word = s => s === 'AT RISK' ? 'RISK' : s;
  const base = { series, state: word(slo.state), since: slo.since_s || null, reasons: slo.reasons, causes: slo.causes, tickets: slo.tickets, objectives: slo.objectives, waterfall: slo.waterfall, at: slo.sampled_s ?? doc.now_s, index: series ? stepAt(series, null) : -1 };
  if (!series) return { ...base, usual: null };
  const steps = Math.max(1, Math.round(60 / series.step_s));
  if (at === null) return { ...base, usual: usualBefore(series, base.index, base.state, base.since) };
  const i = stepAt(series, at), c = series.columns;
  const past = series.moments.filter(m => m.t <= (i < 0 ? at : series.t[i])), last = past.at(-1);
  const began = past.findLast((m, k) => k === 0 || past[k - 1].state !== m.state);
  const state = i < 0 ? 'UNKNOWN' : STATES[c.state[i]] ?? 'UNKNOWN';
  const objectives = slo.objectives.map(o => {
    const bad = c['bad_share:' + o.name]?.[i], now = c['now_bad_share:' + o.name]?.[i], broken = c['breached:' + o.name]?.[i];
    return { ...o, share: known(bad) ? 1 - bad : null, nowShare: known(now) ? 1 - now : null, judged: known(broken), breached: broken === 1, breached_since_s: null, alerts: [], budget_left: known(bad) ? 1 - bad / (1 - o.target) : null, good: known(bad) ? 1 - bad : 0, bad: known(bad) ? bad : 0 };
  });
  return { ...base, state, since: began?.t ?? null, reasons: last?.reasons ?? [], causes: last && word(last.state) === state ? last.causes : [], tickets: [], objectives, waterfall: sumWaterfalls(series.waterfalls.slice(Math.max(0, i - steps + 1), i + 1)),
    usual: usualBefore(series, i, state, began?.t ?? null), at, index: i };
}

/// The stages before anything was wrong, within the range.
function usualBefore(series, index, state, since) {
  const end = state === 'OK' || !since ? index - Math.round(60 / series.step_s) : series.t.findIndex(t => t > since - 60);
  return end > 0 ? sumWaterfalls(series.waterfalls.slice(0, end)) : null;
}

/// Shares of an objective, from counts (now) or from the recorded share (a moment before).
export const windowShare = o => o.share !== undefined ? o.share : o.good + o.bad > 0 ? o.good / (o.good + o.bad) : null;
export const nowShare = o => o.nowShare !== undefined ? o.nowShare : o.now.good + o.now.bad > 0 ? o.now.good / (o.now.good + o.now.bad) : null;
export const isRisk = o => { const s = nowShare(o); return o.judged && !o.breached && s !== null && 1 - s > 1 - o.target; };
