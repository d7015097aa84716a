import { duration, whole } from './format.js';
import { Strip } from './strip.jsx';
import { STATES } from './view.js';

const burrows = ['OK', 'WARNING', 'STOP', 'STALL', 'REWIND'];

export function LagBeside({ t, doc, view, at, dark }) {
  const c = view.series.columns, i = view.index, step = view.series.step_s, slo = doc.slo, mark = at === null ? -1 : i;
  // Strips of one kind: 0 calm, 2 alarm, 3 unknown.
  const lag = c.burrow.map((b, k) => b === null || c.state[k] === null ? null : b > 0 ? 2 : c.lag_committed[k] === null ? 3 : 0);
  const incident = c.state.map(s => s === 2), alarm = lag.map(b => b === 2);
  const seconds = pick => incident.reduce((sum, bad, k) => sum + (pick(bad, alarm[k], k) ? step : 0), 0);
  const blind = seconds((bad, rings) => bad && !rings), falsely = seconds((bad, rings, k) => !bad && rings && c.state[k] !== null);
  const state = STATES[c.state[i]] ?? 'UNKNOWN', word = i >= 0 ? burrows[c.burrow[i]] : '–';
  const row = (name, value) => <tr><th scope="row">{name}</th><td>{value}</td></tr>;
  return <section class="card" id="lagBeside" aria-labelledby="h-lag">
    <h2 id="h-lag">{t('lagBeside')} <small>{t('lagBesideHint')}</small></h2>
    <div class="beside">
      <div><h3>{t('objectiveSays')} <span class={`word ${state}`}>{t('state' + state)}</span></h3><Strip values={c.state} label={`${t('objectiveSays')}: ${t('state' + state)}`} dark={dark} mark={mark} /></div>
      <div><h3>{t('lagSays')} <span class={`word ${lag[i] === 2 ? 'INCIDENT' : lag[i] === 0 ? 'OK' : 'UNKNOWN'}`}>{lag[i] === 2 ? t('alarmOn') : t('alarmOff')}</span></h3><Strip values={lag} label={`${t('lagSays')}: ${word}`} dark={dark} mark={mark} /></div>
    </div>
    <p><b>{blind > 0 ? t('blind', duration(blind)) : falsely > 0 ? t('falseAlarm', duration(falsely)) : t('agree')}</b>{blind > 0 && falsely > 0 ? ' ' + t('falseAlarm', duration(falsely)) : ''}</p>
    <table class="facts"><tbody>
      {row(t('lagCommitted'), i >= 0 && c.lag_committed[i] !== null ? `${whole(c.lag_committed[i])} ${t('records')}` : t('stateUNKNOWN'))}
      {row(t('lagFetched'), i >= 0 && c.lag_fetched[i] !== null ? `${whole(c.lag_fetched[i])} ${t('records')}` : t('stateUNKNOWN'))}
      {row(t('unfinished'), i >= 0 ? `${whole(c.unfinished[i])} ${t('records')}, ${duration(c.lag_time[i])}` : '–')}
      {row(t('burrow'), word)}
      {at === null && row(t('threshold'), slo.lag.raw_alarm ? t('alarmOn') : t('noThreshold'))}
    </tbody></table>
  </section>;
}
