import { clock, duration, moment, percent, whole } from './format.js';
import { shortName } from './graph.jsx';
import { explain, title, wrong } from './i18n.js';
import { isRisk } from './view.js';

const symbols = { OK: '✔', RISK: '▲', INCIDENT: '✖', UNKNOWN: '?' };

/// What the whole page stands for: the job that failed or is silent comes before what was judged last.
export function stateOf(doc, view, failedSince) {
  const of = (state, since) => ({ state, key: 'state' + state, symbol: symbols[state], since });
  if (failedSince) return of('UNKNOWN', failedSince);
  if (view.at === doc.now_s || view.index < 0 || doc.live) if (doc.job.state === 'FAILED') return of('INCIDENT', doc.job.now_us / 1e6);
  return of(view.state, view.since);
}

function Part({ name, children }) {
  return <div class="part"><h3>{name}</h3>{children}</div>;
}

const sinks = doc => (doc.results ?? []).map(r => r.name).join(', ') || doc.graph.nodes.filter(n => n.kind === 'sink').map(n => shortName(n.name).detail).join(', ');

function who({ t, doc, view }) {
  const service = doc.slo?.objectives.find(o => o.service)?.service, list = [];
  const worst = view.objectives.filter(o => o.role === 'deciding' && o.bad > 1 && o.measure !== 'freshness').sort((a, b) => a.budget_left - b.budget_left)[0];
  if (worst && (worst.breached || view.state !== 'OK')) list.push(t('bad', whole(worst.bad), duration(worst.window_s)));
  const c = view.series?.columns, i = view.index;
  if (c && i >= 0) {
    const waiting = c.unfinished[i], oldest = c.lag_time[i], fresh = c.freshness[i] ?? c.freshness_naive[i];
    if (waiting > 0) list.push(t('waitingNow', whole(waiting), duration(oldest)));
    if (fresh !== null) list.push(t('staleNow', duration(fresh)));
  }
  return <><p><b>{t('readersOf', sinks(doc))}</b>{service ? ` (${service})` : ''}</p>{list.map(x => <p key={x}>{x}</p>)}</>;
}

function lagWord({ t, doc, view }) {
  const c = view.series?.columns, i = view.index;
  if (!c || i < 0) return null;
  const alarm = c.burrow[i] > 0 || (view.at === doc.slo.sampled_s && doc.slo.lag.raw_alarm), lag = c.lag_committed[i];
  return `${t(alarm ? 'lagAlarms' : 'lagSilent')}: ${t('lagCommitted')} ${lag === null ? '–' : whole(lag) + ' ' + t('records')}.`;
}

function Calm({ t, doc, view, state }) {
  if (!doc.slo) return <><p>{t('notJudged')}</p><p>{t('notJudgedDo')}</p></>;
  if (state === 'UNKNOWN') {
    const why = view.reasons.filter(r => r !== 'not enough seen yet to judge' && !r.startsWith('no word'));   // a clock that was set, brokers that do not answer
    return <><p>{view.reasons.some(r => r.startsWith('no word')) ? t('silent') : t(why.length ? 'unsure' : 'tooEarly')}</p>{why.map(x => <p key={x}>{x}</p>)}</>;
  }
  const tight = view.objectives.filter(o => o.judged && o.role === 'deciding' && o.budget_left !== null).sort((a, b) => a.budget_left - b.budget_left)[0];
  return <p>{t('allHold')} {tight && t('tightest', title(t.lang, tight), percent(tight.budget_left, 0))}</p>;
}

function Wrong(p) {
  const { t, view } = p, deciding = view.objectives.filter(o => o.role === 'deciding');
  const broken = deciding.filter(o => o.breached).sort((a, b) => a.budget_left - b.budget_left), paged = deciding.filter(o => !o.breached && o.alerts.length);
  const lines = [...broken.map(o => wrong(t.lang, o)), ...paged.map(o => `${title(t.lang, o)}: ${t('alert')} ${o.alerts.join(', ')}`)];
  if (!lines.length) lines.push(...deciding.filter(isRisk).map(o => wrong(t.lang, { ...o, ...(o.now ?? {}), window_s: 60 })));
  if (!lines.length) lines.push(...view.reasons);
  const cause = view.causes[0] && explain(t.lang, view.causes[0]), ticket = view.tickets[0] && explain(t.lang, view.tickets[0], view.objectives), first = cause ?? ticket;
  const second = view.causes[1] && explain(t.lang, view.causes[1]);
  return <div class="answers">
    <Part name={t('what')}>{lines.slice(0, 3).map((x, i) => <p key={x}>{i === 0 ? <b>{x}</b> : x}</p>)}</Part>
    <Part name={t('who')}>{view.state === 'RISK' ? <p>{t('nobodyYet')}</p> : who(p)}</Part>
    <Part name={t('why')}>{first ? <><p><b>{first.title}</b></p><p>{first.evidence}</p>{second && <p class="soft">{t('also')}: {second.title}</p>}</> : <p>{t('whyUnknown')}</p>}</Part>
    <Part name={t('todo')}>{first ? <p><b>{first.step}</b></p> : <p>{t('noStep')}</p>}{ticket && cause && ticket.step !== cause.step && <p>{ticket.step}</p>}</Part>
  </div>;
}

export function Banner(p) {
  const { t, doc, view, failedSince, at } = p, s = stateOf(doc, view, failedSince);
  const job = doc.job, failed = job.state === 'FAILED' && at === null, ended = ['FINISHED', 'STOPPED'].includes(job.state);
  return <section id="decision" class={`banner ${s.state}`} aria-labelledby="decision-state" tabindex="-1">
    <div class="verdict">
      <h2 id="decision-state"><span class="symbol" aria-hidden="true">{s.symbol}</span><span role="status">{t(s.key)}</span></h2>
      <p class="since">{s.since ? <>{t('since')} <b>{moment(s.since, doc.now_s)}</b><br />{t('forTime', duration(Math.max(0, (at ?? (failedSince ? Date.now() / 1000 : view.at)) - s.since)))}</> : null}</p>
      <p class="soft">{lagWord(p)}</p>
    </div>
    <div class="reasons">
      {failedSince && <p><b>{t('noAnswer')}</b>, {t('lastSeen', clock(doc.now_s))}</p>}
      {failed ? <div class="answers"><Part name={t('what')}><p><b>{t('jobFailed')}</b></p></Part><Part name={t('who')}>{who(p)}</Part><Part name={t('why')}><p>{job.last_error}</p></Part><Part name={t('todo')}><p><b>{t('restartDo')}</b></p></Part></div>
        : s.state === 'INCIDENT' || s.state === 'RISK' ? <Wrong {...p} /> : <Calm t={t} doc={doc} view={view} state={s.state} />}
      {job.state === 'RESTARTING' && <p><b>{t('jobRestarting')}</b> {job.last_error}</p>}
      {ended && at === null && <p class="soft">{t('jobEnded', job.state)}</p>}
    </div>
  </section>;
}
