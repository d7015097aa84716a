import { render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Banner, stateOf } from './banner.jsx';
import { Budget, Latency, Quantities } from './charts.jsx';
import { Diagnosis } from './diagnosis.jsx';
import { Epochs } from './epochs.jsx';
import { clock, day, duration, setLocale } from './format.js';
import { Graph, ratesOf } from './graph.jsx';
import { texts } from './i18n.js';
import { LagBeside } from './lag.jsx';
import { LossClock } from './loss.jsx';
import { Objectives } from './objectives.jsx';
import { Results } from './results.jsx';
import { Stages } from './stages.jsx';
import { TimeTravel } from './time.jsx';
import { lookAt } from './view.js';

const stored = (key, otherwise) => { try { return localStorage.getItem('supyo.' + key) ?? otherwise; } catch { return otherwise; } };
const store = (key, value) => { try { localStorage.setItem('supyo.' + key, value); } catch { /* a file, or private: kept for this page only */ } };
const recorded = (() => { const text = document.getElementById('recorded').textContent; return text ? JSON.parse(text) : null; })();

/// Asks once a second while the page can be seen. `at`: the moment looked at, or null for now.
function useDocument(range, at) {
  const [answer, setAnswer] = useState({ doc: recorded, rates: recorded ? ratesOf(null, recorded) : null, failedSince: null });
  const asked = useRef({ range, at }), history = useRef([]);
  asked.current = { range, at };
  useEffect(() => {
    if (recorded) return undefined;
    let stopped = false, timer = 0;
    const ask = async () => {
      clearTimeout(timer);
      const { range: r, at: t } = asked.current, now = Date.now() / 1000;
      // A moment before the range is looked at in the middle of a range of its own.
      const query = t !== null && t < now - r ? `from=${Math.round(t - r / 2)}&to=${Math.round(t + r / 2)}` : `from=-${r}&to=0`;
      try {
        const response = await fetch('v1/dashboard?' + query, { cache: 'no-store', signal: AbortSignal.timeout(4000) });
        if (!response.ok) throw new Error(await response.text());
        const doc = await response.json();
        history.current = [...history.current.filter(d => d.now_s > doc.now_s - 10), doc];
        if (!stopped) setAnswer({ doc, rates: ratesOf(history.current[0], doc), failedSince: null });
      } catch {
        if (!stopped) setAnswer(a => ({ ...a, failedSince: a.failedSince ?? Date.now() / 1000 }));
      }
      if (!stopped && !document.hidden) timer = setTimeout(ask, 1000);
    };
    const seen = () => document.hidden || ask();
    document.addEventListener('visibilitychange', seen);
    ask();
    return () => { stopped = true; clearTimeout(timer); document.removeEventListener('visibilitychange', seen); };
  }, []);
  return answer;
}

function useTheme() {
  const [theme, setTheme] = useState(() => stored('theme', 'auto'));
  const [system, setSystem] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)'), changed = () => setSystem(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  const dark = theme === 'dark' || (theme === 'auto' && system);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  return [theme, value => { store('theme', value); setTheme(value); }, dark];
}

function Head({ t, doc, theme, setTheme, setLang, failedSince, at, toNow }) {
  const state = failedSince ? 'bad' : at !== null ? 'paused' : '';
  return <header class="head">
    <a class="skip" href="#decision">{t('skip')}</a>
    <h1>{doc?.job.name || 'Supyo'}</h1>
    <p class={`live ${state}`} role="status">
      {failedSince ? <><b>{t('noAnswer')}</b>, {t('lastSeen', clock(doc?.now_s ?? failedSince))}</>
        : at !== null ? <>{t('paused')}: <b>{clock(at)}</b> <button type="button" onClick={toNow}>{t('toNow')}</button></>
          : doc?.live === false ? <>{t('recorded')}, <b>{day(doc.now_s)} {clock(doc.now_s)}</b></>
            : <><span class="dot" aria-hidden="true" /> {t('live')}, {clock(doc?.now_s)}</>}
    </p>
    <div class="settings">
      <label>{t('theme')} <select value={theme} onChange={e => setTheme(e.currentTarget.value)}>
        {[['auto', 'themeAuto'], ['light', 'themeLight'], ['dark', 'themeDark']].map(([v, k]) => <option key={v} value={v}>{t(k)}</option>)}
      </select></label>
      <label>{t('language')} <select value={t.lang} onChange={e => setLang(e.currentTarget.value)}><option value="en" lang="en">English</option><option value="ko" lang="ko">한국어</option></select></label>
    </div>
  </header>;
}

/// The page's parts, and whether this job has them.
const sections = (doc, judged) => [['loss', doc.loss], ['objectives', doc.slo], ['latency', judged], ['diagnosis', doc.slo], ['lagBeside', judged], ['graph', true], ['epochs', true], ['results', true]]
  .filter(([, there]) => there).map(([name]) => name);

function App() {
  const [lang, setLang] = useState(() => stored('language', (navigator.language || 'en').startsWith('ko') ? 'ko' : 'en'));
  const [range, setRange] = useState(() => Number(stored('range', 900)) || 900), [at, setAt] = useState(null);
  const [theme, setTheme, dark] = useTheme();
  const { doc, rates, failedSince } = useDocument(range, at);
  setLocale(lang);
  const t = useMemo(() => texts(lang), [lang]);
  const view = useMemo(() => doc && lookAt(doc, at, recorded ? range : 0), [doc, at, range]);
  const toNow = () => setAt(null);
  useEffect(() => { document.documentElement.lang = lang; store('language', lang); }, [lang]);
  useEffect(() => { store('range', String(range)); }, [range]);
  useEffect(() => {
    const key = e => e.key === 'Escape' && setAt(null);
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);
  useEffect(() => {
    if (!doc) return;
    const s = stateOf(doc, view, failedSince);
    document.title = `${s.symbol} ${t(s.key)}${s.since && s.state !== 'OK' ? ' ' + duration(doc.now_s - s.since) : ''} · ${doc.job.name || 'Supyo'}`;
    icon(s);
    document.documentElement.dataset.ready = '1';
  }, [doc, view, failedSince, t]);
  if (!doc) return <><Head {...{ t, doc, theme, setTheme, setLang, failedSince, at, toNow }} /><main /></>;
  const p = { t, doc, view, rates, dark, at, setAt, failedSince };
  const judged = doc.slo !== null && view.series !== null;
  return <>
    <Head {...{ t, doc, theme, setTheme, setLang, failedSince, at, toNow }} />
    <main>
      <Banner {...p} />
      <nav aria-label={t('jump')}>{sections(doc, judged).map(s => <a key={s} href={`#${s}`}>{t(s)}</a>)}</nav>
      {judged && <TimeTravel {...p} range={range} setRange={setRange} />}
      <LossClock {...p} />
      {doc.slo && <Objectives {...p}>{judged && <Budget {...p} />}</Objectives>}
      {judged && <div class="pair" id="latency"><Latency {...p} /><Stages {...p} /></div>}
      {doc.slo && <div class="pair"><Diagnosis {...p} />{judged && <LagBeside {...p} />}</div>}
      <Graph {...p} />
      <div class={judged ? 'pair' : ''}><Epochs {...p} />{judged && <Quantities {...p} />}</div>
      <Results {...p} />
    </main>
  </>;
}

/// The tab's picture tells the state by its form.
function icon({ state }) {
  const shapes = { OK: ["#1a7f37", "<path d='M8 17l6 6 11-13' stroke='#fff' stroke-width='4' fill='none'/>"], RISK: ["#b35900", "<path d='M16 6v13M16 23v4' stroke='#fff' stroke-width='4'/>"],
    INCIDENT: ["#b3261e", "<path d='M9 9l14 14M23 9L9 23' stroke='#fff' stroke-width='4'/>"], UNKNOWN: ["#57606a", "<circle cx='16' cy='16' r='7' stroke='#fff' stroke-width='4' fill='none'/>"] };
  const [colour, inner] = shapes[state];
  let link = document.querySelector('link[rel=icon]');
  if (!link) { link = document.createElement('link'); link.rel = 'icon'; document.head.append(link); }
  const href = 'data:image/svg+xml,' + encodeURIComponent(`<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='6' fill='${colour}'/>${inner}</svg>`);
  if (link.href !== href) link.href = href;
}

render(<App />, document.getElementById('app'));
