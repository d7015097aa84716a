import { clock, goodPercent, percent } from './format.js';
import { asks, title } from './i18n.js';
import { isRisk, nowShare, windowShare } from './view.js';

function Left({ value }) {
  if (value === null) return '–';
  const width = Math.max(0, Math.min(1, value));
  return <span class="left"><span class="bar" aria-hidden="true"><span class={value < 0 ? 'none' : value < 0.25 ? 'little' : ''} style={{ width: `${100 * width}%` }} /></span><span class="n">{percent(value, 0)}</span></span>;
}

function Verdict({ t, o }) {
  const [symbol, word, kind] = !o.judged ? ['?', t('unknownApart'), 'UNKNOWN'] : o.breached ? ['✖', t('broken'), 'INCIDENT'] : isRisk(o) ? ['▲', t('atRisk'), 'RISK'] : ['✔', t('met'), 'OK'];
  return <><span class={`word ${kind}`}><span aria-hidden="true">{symbol} </span>{word}</span>{o.breached && o.breached_since_s ? <small class="about">{t('sinceAt', clock(o.breached_since_s))}</small> : null}{o.alerts.map(a => <small class="about" key={a}>{t('alert')} {a}</small>)}</>;
}

function Row({ t, o }) {
  return <tr>
    <th scope="row">{title(t.lang, o)}{o.role === 'advising' && <small> {t('advising')}</small>}<small class="about">{asks(t.lang, o)}</small></th>
    <td>{goodPercent(nowShare(o))}</td><td>{goodPercent(windowShare(o))}</td><td class="wide-cell"><Left value={o.judged ? o.budget_left : null} /></td><td class="l"><Verdict {...{ t, o }} /></td>
  </tr>;
}

export function Objectives({ t, view, children }) {
  const known = view.objectives.filter(o => o.judged).sort((a, b) => a.budget_left - b.budget_left), unknown = view.objectives.filter(o => !o.judged);
  return <section class="card" id="objectives" aria-labelledby="h-objectives">
    <h2 id="h-objectives">{t('objectives')} <small>{t('objectivesHint')}</small></h2>
    <div class="split">
      <div class="scroll" tabindex="0" role="group" aria-labelledby="h-objectives"><table>
        <thead><tr><th scope="col" class="l">{t('name')}</th><th scope="col">{t('lastMinute')}</th><th scope="col">{t('inWindow')}</th><th scope="col">{t('budgetLeft')}</th><th scope="col" class="l">{t('verdict')}</th></tr></thead>
        {known.length > 0 && <tbody>{known.map(o => <Row key={o.name} {...{ t, o }} />)}</tbody>}
        {unknown.length > 0 && <tbody class="unknown"><tr><th colspan="5" scope="rowgroup" class="l">? {t('unknownApart')} <small>{t('unknownHint')}</small></th></tr>{unknown.map(o => <Row key={o.name} {...{ t, o }} />)}</tbody>}
      </table></div>
      {children}
    </div>
  </section>;
}
