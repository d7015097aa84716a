import { duration, whole } from './format.js';

const order = { exposed: 'INCIDENT', coming: 'RISK', unknown: 'UNKNOWN', none: 'OK' };

function Clock({ t, p, stale }) {
  const when = p.state === 'exposed' ? t('lossExposed', whole(p.exposed)) : p.state === 'coming' ? t('lossIn', duration(p.central_s ?? p.lower_s)) : p.state === 'none' ? t('lossNone') : t('stateUNKNOWN');
  return <tr>
    <th scope="row">{p.topic} / {p.partition}<small class="about">{p.group}</small></th>
    <td class="l"><span class={`word ${stale && p.state === 'none' ? 'UNKNOWN' : order[p.state]}`}>{when}</span>{p.state === 'unknown' && t.lang === 'en' ? <small class="about">{p.why}</small> : null}</td>
    <td>{p.lower_s === null ? '–' : `${duration(p.lower_s)} – ${p.upper_s === null ? '∞' : duration(p.upper_s)}`}</td><td>{duration(p.stopped_s)}</td><td class="l">{p.cause === 'none' ? '' : p.cause}</td><td class={p.lost > 0 ? 'bad' : ''}>{whole(p.lost)}</td>
  </tr>;
}

/// When unread records will be deleted: there where the job reads from brokers.
export function LossClock({ t, doc, at }) {
  const loss = doc.loss;
  if (!loss) return null;
  const stale = !loss.reachable && loss.partitions.length > 0;   // what was known last, and never a good word
  return <section class="card" id="loss" aria-labelledby="h-loss">
    <h2 id="h-loss">{t('loss')} <small>{t('lossHint')}{at !== null ? `; ${t('nowOnly')}` : ''}</small></h2>
    {!loss.reachable || loss.partitions.length === 0 ? <p><b class="word UNKNOWN">? {t('stateUNKNOWN')}</b> {loss.source}: {loss.problem || t('lossNoOffsets')}{stale ? <b> {t('lastKnown', duration(loss.known_age_s))}</b> : null}</p> : null}
    {loss.partitions.length === 0 ? null : <div class="scroll" tabindex="0" role="group" aria-labelledby="h-loss"><table>
      <thead><tr><th scope="col" class="l">{t('partition')}</th><th scope="col" class="l">{t('lossNext')}</th><th scope="col">{t('lossBounds')}</th><th scope="col">{t('lossStopped')}</th><th scope="col" class="l">{t('cause')}</th><th scope="col">{t('lossSoFar')}</th></tr></thead>
      <tbody>{loss.partitions.slice(0, 5).map(p => <Clock key={`${p.group}/${p.topic}/${p.partition}`} t={t} p={p} stale={stale} />)}</tbody></table></div>}
  </section>;
}
