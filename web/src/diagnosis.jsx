import { duration } from './format.js';
import { explain } from './i18n.js';

export function Diagnosis({ t, doc, view, at }) {
  const calm = view.state === 'OK', sum = view.causes.reduce((s, c) => s + c.weight, 0);
  // While all is well, the normal waits are no finding.
  const items = [...(calm ? [] : view.causes.map(c => ({ ...c, kind: 'cause' }))), ...view.tickets.map(c => ({ ...c, kind: 'ticket' })),
    ...(at === null ? doc.loss?.findings ?? [] : []).filter(f => f.severity !== 'info').map(f => ({ ...f, kind: 'ticket', evidence: `${f.subject}: ${f.evidence}${doc.loss.reachable ? '' : ` (${t('lastKnown', duration(doc.loss.known_age_s))})`}` }))];
  return <section class="card" id="diagnosis" aria-labelledby="h-diagnosis">
    <h2 id="h-diagnosis">{t('diagnosis')} <small>{t('diagnosisHint')}</small></h2>
    {items.length === 0 ? <p class="soft">{t(view.state === 'UNKNOWN' ? 'nothingKnown' : 'nothingFound')}</p> : <ol class="findings">{items.map((item, i) => {
      const e = explain(t.lang, item, view.objectives), share = item.kind === 'cause' && sum > 0 && item.weight < 1e15 ? Math.round(100 * item.weight / sum) : null;
      return <li key={item.kind + item.rule + i}><h3>{e.title} <small>{t(item.kind)}{share !== null && share > 0 ? `, ${share} %` : ''}</small></h3><dl><dt>{t('evidence')}</dt><dd>{e.evidence}</dd><dt>{t('nextStep')}</dt><dd><b>{e.step}</b></dd></dl></li>;
    })}</ol>}
  </section>;
}
