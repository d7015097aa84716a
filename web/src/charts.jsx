import { useState } from 'preact/hooks';
import { duration, percent, rate, whole } from './format.js';
import { title } from './i18n.js';
import { Lines } from './plot.jsx';

const common = ({ view, at, dark, t, setAt }) => ({ x: view.series.t, index: view.index, at, dark, lang: t.lang, onPick: setAt });

export function Budget(p) {
  const { t, view } = p, c = view.series.columns;
  const series = view.objectives.map(o => ({ label: title(t.lang, o), values: c['bad_share:' + o.name].map((b, i) => b === null || c['breached:' + o.name][i] === null ? null : Math.max(-1, 1 - b / (1 - o.target))) }));
  return <div><h3>{t('burnDown')} <small>{t('burnDownHint')}</small></h3><Lines {...common(p)} label={t('burnDown')} series={series} show={v => v === null ? '–' : v <= -1 ? '≤ ' + percent(-1, 0) : percent(v, 0)} min={-1} max={1.05} zones={[{ y: 0, label: '0 %' }]} /></div>;
}

export function Latency(p) {
  const { t, view } = p, c = view.series.columns;
  const limit = view.objectives.find(o => o.measure === 'end_to_end_latency' && o.role === 'deciding') ?? view.objectives.find(o => o.measure === 'end_to_end_latency');
  const floor = values => values.map(v => v === null ? null : Math.max(v, 1e-3));
  const series = [['p50', c.e2e_p50], ['p95', c.e2e_p95], ['p99', c.e2e_p99]].map(([k, v]) => ({ label: t(k), values: floor(v) }));
  return <section class="card" aria-labelledby="h-latency"><h2 id="h-latency">{t('latency')} <small>{t('latencyHint')}</small></h2>
    <Lines {...common(p)} label={t('latency')} series={series} show={duration} log height={400} zones={limit ? [{ y: limit.threshold_s, label: `${percent(limit.target, 0)} < ${duration(limit.threshold_s)}` }] : []} />
  </section>;
}

/// The other recorded quantities, one kind at a time.
export function Quantities(p) {
  const { t, view } = p, c = view.series.columns, step = view.series.step_s, [kind, setKind] = useState('throughput');
  // The last step may not be over yet.
  const perSecond = v => v.map((n, i) => n === null ? null : n / Math.max(1, Math.min(step, p.doc.slo.sampled_s - (view.series.t[i] - step))));
  const kinds = {
    throughput: [[[t('inRate'), perSecond(c.records_in)], [t('outRate'), perSecond(c.records_out)]], v => rate(v) + t('perSecond')],
    epochs: [[[t('duration'), c.epoch_duration], [t('commit'), c.commit_delay]], duration],
    unfinished: [[[t('unfinished'), c.unfinished], [t('lagCommitted'), c.lag_committed]], whole],
  };
  const [lines, show] = kinds[kind];
  return <section class="card" aria-labelledby="h-quantities"><h2 id="h-quantities">{t(kind)}</h2>
    <label class="choose">{t('quantity')} <select value={kind} onChange={e => setKind(e.currentTarget.value)}>{Object.keys(kinds).map(k => <option key={k} value={k}>{t(k)}</option>)}</select></label>
    <Lines key={kind} {...common(p)} label={t(kind)} series={lines.map(([label, values]) => ({ label, values }))} show={show} />
  </section>;
}
