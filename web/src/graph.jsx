import { clock, duration, percent, rate, whole } from './format.js';

/// Rates between two documents; of one alone: the averages since the start.
export function ratesOf(before, now) {
  const old = before && before !== now && before.job.job_id === now.job.job_id && before.now_s < now.now_s ? before.job : null;
  const seconds = old ? now.now_s - before.now_s : Math.max(1e-3, (now.job.now_us - now.job.started_us) / 1e6);
  const nodes = new Map(now.job.nodes.map(n => {
    const o = old?.nodes.find(x => x.id === n.id) ?? { rows_in: 0, rows_out: 0, busy_us: 0, backpressured_us: 0 }, shape = now.graph.nodes.find(x => x.id === n.id), shards = shape?.instances ?? 1;
    const share = us => Math.max(0, Math.min(1, us / 1e6 / seconds / shards)), per = v => Math.max(0, v / seconds);
    return [n.id, { in: per(n.rows_in - o.rows_in), out: per(n.rows_out - o.rows_out), busy: share(n.busy_us - o.busy_us), blocked: share(n.backpressured_us - o.backpressured_us), stats: n }];
  }));
  const shards = now.job.shards.map((s, i) => {
    const o = old?.shards[i] ?? { busy_us: 0, idle_us: 0, backpressured_us: 0 }, d = k => Math.max(0, s[k] - o[k]), sum = d('busy_us') + d('idle_us') + d('backpressured_us') || 1;
    return { busy: d('busy_us') / sum, blocked: d('backpressured_us') / sum, idle: d('idle_us') / sum, bytes: s.state_bytes, entries: s.state_entries };
  });
  return { nodes, shards };
}

/// Columns by the longest way from a source; in a column in the order of the plan.
function layout(graph) {
  const main = graph.nodes.filter(n => n.kind !== 'side-sink'), ids = new Set(main.map(n => n.id)), edges = graph.edges.filter(e => ids.has(e.from) && ids.has(e.to));
  const column = new Map(main.map(n => [n.id, 0]));
  for (const n of main) for (const e of edges) if (e.from === n.id) column.set(e.to, Math.max(column.get(e.to), column.get(n.id) + 1));
  const columns = [];
  for (const n of main) (columns[column.get(n.id)] ??= []).push(n);
  const W = 196, H = 96, X = 54, Y = 16, rows = Math.max(1, ...columns.map(c => c.length)), place = new Map();
  columns.forEach((c, i) => c.forEach((n, k) => place.set(n.id, { x: 4 + i * (W + X), y: 4 + (rows - c.length) * (H + Y) / 2 + k * (H + Y), n })));
  return { place, edges, W, H, width: 8 + columns.length * (W + X) - X, height: 8 + rows * (H + Y) - Y };
}

/// A node's name is that of the plan: "WindowAggregate(groupBy=[kind], window=[TUMBLE(time_col=[t], size=[10s])], ..)". The two lines that matter of it.
export function shortName(name) {
  const open = name.indexOf('('), operation = open < 0 ? name : name.slice(0, open).replace('TableSourceScan', 'Scan');
  const field = key => { const m = new RegExp(`\\b${key}=\\[([^\\[\\]]*(?:\\[[^\\[\\]]*\\][^\\[\\]]*)*)\\]`).exec(name); return m ? m[1] : null; };
  const table = field('table')?.split('.').at(-1), window = field('window')?.replace(/(\w+)\(.*size=\[([^\]]*)\].*/, '$1 $2'), keys = field('groupBy') ?? field('partitionBy');
  return { operation, detail: table ?? ([window, keys ? `by ${keys}` : null].filter(Boolean).join(', ') || field('select') || field('where') || (open < 0 ? '' : name.slice(open + 1, -1))) };
}

const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + '…' : text;

function Node({ t, p, W, H, r, isHead }) {
  const bar = W - 20, busy = r?.busy ?? 0, blocked = r?.blocked ?? 0, lines = [];
  lines.push(p.n.kind === 'source' ? `${rate(r?.in)}${t('perSecond')}` : p.n.kind === 'sink' ? `${rate(r?.in)}${t('perSecond')}` : `${rate(r?.in)} → ${rate(r?.out)}${t('perSecond')}`);
  const { operation, detail } = shortName(p.n.name), hot = isHead && (busy > 0.8 || blocked > 0.2);
  return <g transform={`translate(${p.x} ${p.y})`}>
    <title>{p.n.name}</title>
    <rect width={W} height={H} rx="8" class={`node ${p.n.kind} ${hot ? 'hot' : ''}`} />
    <text x="10" y="20" class="name">{cut(operation, 24)}</text>
    <text x="10" y="37" class="soft">{cut(detail, 27)}</text>
    <text x="10" y="55">{lines[0]}</text>
    {isHead && <>
      <text x="10" y="73" class="soft">{t('busy')} {percent(busy, 0)}, {t('backpressured')} {percent(blocked, 0)}</text>
      <rect x="10" y="80" width={bar} height="8" class="track" /><rect x="10" y="80" width={bar * busy} height="8" class="busy" /><rect x={10 + bar * busy} y="80" width={bar * Math.min(blocked, 1 - busy)} height="8" class="blocked" />
    </>}
  </g>;
}

export function Graph({ t, doc, rates, at }) {
  const g = doc.graph, { place, edges, W, H, width, height } = layout(g), now = doc.now_s;
  const mark = us => us === null ? '–' : `${clock(us / 1e6)} (${t('behindNow', duration(now - us / 1e6))})`;
  return <section class="card" id="graph" aria-labelledby="h-graph">
    <h2 id="h-graph">{t('graph')} <small>{t('graphHint')}{at !== null ? `; ${t('nowOnly')}` : ''}</small></h2>
    <p>{t('job')} <b>{doc.job.state}</b>, {t('uptime')} {duration((doc.job.now_us - doc.job.started_us) / 1e6)}, {t('restarts')} {whole(doc.job.restarts)}{doc.job.watermark_us !== null ? `, ${t('watermark')} ${mark(doc.job.watermark_us)}` : ''}</p>
    <div class="scroll" tabindex="0" role="group" aria-labelledby="h-graph">
      <svg class="graph" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${t('graph')}: ${g.nodes.map(n => Object.values(shortName(n.name)).filter(Boolean).join(' ')).join(', ')}`}>
        <defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" class="hatch-back" /><rect width="2" height="5" class="hatch" /></pattern>
          <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="tip" /></marker></defs>
        {edges.map(e => { const a = place.get(e.from), b = place.get(e.to), x1 = a.x + W, y1 = a.y + H / 2, x2 = b.x, y2 = b.y + H / 2, m = (x1 + x2) / 2;
          return <path key={`${e.from}-${e.to}`} d={`M${x1} ${y1}C${m} ${y1} ${m} ${y2} ${x2} ${y2}`} class="edge" stroke-dasharray={e.direct ? undefined : '6 4'} marker-end="url(#tip)" />; })}
        {[...place.values()].map(p => <Node key={p.n.id} t={t} p={p} W={W} H={H} r={rates?.nodes.get(p.n.id)} isHead={p.n.head === p.n.id} />)}
      </svg>
    </div>
    <div class="shards">{(rates?.shards ?? []).map((s, i) => <div key={i} class="shard"><b>{t('shard')} {i}</b>
      <span class="load" aria-hidden="true"><span class="busy" style={{ width: `${100 * s.busy}%` }} /><span class="blocked" style={{ width: `${100 * s.blocked}%` }} /></span>
      <span>{t('busy')} {percent(s.busy, 0)}, {t('backpressured')} {percent(s.blocked, 0)}, {t('idle')} {percent(s.idle, 0)}; {t('state')} {whole(s.entries)}</span></div>)}</div>
    <details><summary>{t('asTable')}</summary><div class="scroll" tabindex="0" role="group" aria-label={t('asTable')}><table>
      <thead><tr><th scope="col" class="l">{t('operator')}</th><th scope="col">{t('rowsIn')}</th><th scope="col">{t('rowsOut')}</th><th scope="col">{t('rowsIn')}{t('perSecond')}</th><th scope="col">{t('late')}</th><th scope="col">{t('dead')}</th><th scope="col">{t('watermark')}</th></tr></thead>
      <tbody>{doc.job.nodes.map(n => <tr key={n.id}><th scope="row" class="plan">{n.name}</th><td>{whole(n.rows_in)}</td><td>{whole(n.rows_out)}</td><td>{rate(rates?.nodes.get(n.id)?.in)}</td><td>{whole(n.late)}</td><td>{whole(n.dead)}</td><td>{n.watermark_us === null ? '–' : clock(n.watermark_us / 1e6)}</td></tr>)}</tbody>
    </table></div></details>
  </section>;
}
