import { useMemo, useState } from 'preact/hooks';
import { rate, whole } from './format.js';
import { Lines } from './plot.jsx';

const SHOWN = 50, KEYS = 8;
const number = cell => cell === null ? null : Number(cell);
// "2026-11-22 06:00:00.000": a timestamp without zone is shown as it is written.
const seconds = cell => cell === null ? null : Date.parse(cell.replace(' ', 'T')) / 1000;

/// Columns for a chart: a time, a number, and (if there is one) a text that tells the lines apart.
function chartable(table) {
  const of = kind => table.columns.map((c, i) => ({ ...c, i })).filter(c => c.kind === kind), times = of('time'), numbers = of('number').filter(c => !/(^|_)id$/i.test(c.name)), texts = of('text');
  if (!times.length || !numbers.length) return null;
  const time = times.find(c => /end|time/i.test(c.name)) ?? times[0];
  return new Set(table.rows.map(r => r.cells[time.i])).size >= 2 ? { time, numbers, text: texts[0] ?? null } : null;
}

/// Only a window's rows make lines; rows of single events are no series.
const isWindowed = table => table.columns.some(c => /^window_(start|end)$/i.test(c.name) && c.kind === 'time');

function Chart({ t, table, dark }) {
  const how = useMemo(() => chartable(table), [table]), [column, setColumn] = useState(null);
  const data = useMemo(() => {
    if (!how) return null;
    const value = how.numbers.find(c => c.name === column) ?? how.numbers.find(c => /count|cnt|total|orders|sum|rate|num/i.test(c.name)) ?? how.numbers.at(-1);
    const x = [...new Set(table.rows.map(r => seconds(r.cells[how.time.i])).filter(Number.isFinite))].sort((a, b) => a - b), at = new Map(x.map((v, i) => [v, i])), lines = new Map();
    for (const r of [...table.rows].reverse()) {
      const key = how.text ? r.cells[how.text.i] ?? 'NULL' : value.name, i = at.get(seconds(r.cells[how.time.i]));
      if (i === undefined) continue;
      if (!lines.has(key)) lines.set(key, Array(x.length).fill(null));
      lines.get(key)[i] = r.op === '-D' || r.op === '-U' ? null : number(r.cells[value.i]);
    }
    const last = v => v.findLast(n => n !== null) ?? -Infinity;
    return { x, value, series: [...lines].map(([label, values]) => ({ label, values })).sort((a, b) => last(b.values) - last(a.values)).slice(0, KEYS) };
  }, [how, table, column]);
  if (!data || data.series.length === 0) return null;
  return <div class="result-chart">
    <label class="choose">{t('chartOf')} <select value={data.value.name} onChange={e => setColumn(e.currentTarget.value)}>{how.numbers.map(c => <option key={c.name}>{c.name}</option>)}</select></label>
    <Lines label={`${table.name}: ${data.value.name}`} x={data.x} series={data.series} show={rate} index={data.x.length - 1} at={null} dark={dark} lang={t.lang} height={220} />
  </div>;
}

function Rows({ t, table }) {
  const most = table.columns.map((c, i) => c.kind === 'number' && !/(^|_)id$/i.test(c.name) ? Math.max(...table.rows.map(r => Math.abs(number(r.cells[i]) ?? 0))) : 0);
  const changes = !table.keyed && table.rows.some(r => r.op !== '+I'), rows = table.rows.slice(0, SHOWN);
  return <>
    <div class="scroll tall" tabindex="0" role="group" aria-label={table.name}><table class="rows">
      <thead><tr>{changes && <th scope="col" class="l">{t('change')}</th>}{table.columns.map(c => <th scope="col" key={c.name} class={c.kind === 'number' ? '' : 'l'} title={c.type}>{c.name}</th>)}</tr></thead>
      <tbody>{rows.map((r, k) => <tr key={k} class={r.op === '-D' || r.op === '-U' ? 'gone' : ''}>{changes && <td class="l">{r.op}</td>}{r.cells.map((cell, i) => {
        const n = table.columns[i].kind === 'number';
        return <td key={i} class={n ? '' : 'l'}>{cell === null ? <span class="soft">NULL</span> : n ? <span class="cell"><span>{cell}</span>{most[i] > 0 && <span class="tiny" aria-hidden="true"><span style={{ width: `${100 * Math.abs(number(cell)) / most[i]}%` }} /></span>}</span> : cell}</td>;
      })}</tr>)}</tbody>
    </table></div>
    {table.rows.length > SHOWN && <p class="soft">{t('more', whole(table.rows.length - SHOWN))}</p>}
  </>;
}

export function Results({ t, doc, dark, at }) {
  const [name, setName] = useState(null), tables = doc.results, table = tables?.find(r => r.name === name) ?? tables?.[0];
  return <section class="card" id="results" aria-labelledby="h-results">
    <h2 id="h-results">{t('results')} <small>{t('resultsHint')}{at !== null ? `; ${t('nowOnly')}` : ''}</small></h2>
    {!table ? <p class="soft">{t('noTables')}</p> : <>
      {tables.length > 1 && <div class="controls" role="group" aria-label={t('results')}>{tables.map(r => <button type="button" key={r.name} aria-pressed={r === table} onClick={() => setName(r.name)}>{r.name}</button>)}</div>}
      <h3>{table.name} <small>{t('rowsWritten', whole(table.written))}{table.keyed ? `, ${t('byKey')}` : ''}</small></h3>
      {table.rows.length === 0 ? <p class="soft">{t('noResults')}</p> : <>{isWindowed(table) && <Chart t={t} table={table} dark={dark} />}<Rows t={t} table={table} /></>}
    </>}
  </section>;
}
