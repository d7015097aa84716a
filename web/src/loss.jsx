import { duration, whole } from './format.js';

/// When unread records will be deleted: only where someone forecasts it (doc.loss).
export function LossClock({ t, doc }) {
  if (!doc.loss?.length) return null;
  const first = doc.loss.toSorted((a, b) => (a.central_s ?? Infinity) - (b.central_s ?? Infinity));
  return <section class="card" aria-labelledby="h-loss"><h2 id="h-loss">{t('loss')} <small>{t('lossHint')}</small></h2>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="h-loss"><table><tbody>{first.map(l => <tr key={`${l.topic}/${l.partition}`}><th scope="row">{l.topic} {l.partition}</th><td class="clock">{duration(l.central_s)}</td><td>{duration(l.lower_s)} – {duration(l.upper_s)}</td><td class="l">{l.cause}</td><td>{l.lost > 0 ? whole(l.lost) : ''}</td></tr>)}</tbody></table></div>
  </section>;
}
