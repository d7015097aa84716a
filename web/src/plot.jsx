import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { clock } from './format.js';

/// Colours and dashes go together, so that lines can be told apart without colour.
export const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 5], [1, 5], [5, 2, 1, 2, 1, 2], [4, 8]];
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const lineColour = i => css(`--line${i % 6}`);

function Sample({ i }) {
  return <svg class="sample" viewBox="0 0 30 8" aria-hidden="true"><path d="M0 4H30" stroke={`var(--line${i % 6})`} stroke-width="2.5" stroke-dasharray={DASHES[i % DASHES.length].join(' ')} fill="none" /></svg>;
}

/// Lines over time. `series`: {label, values}; `show`: value to text; `index`: the step whose values the legend tells; `zones`: horizontal lines {y, label}.
export function Lines({ label, x, series, show, index, at, dark, lang, height = 190, min, max, zones = [], log = false, onPick }) {
  const host = useRef(null), plot = useRef(null), latest = useRef({});
  const [hover, setHover] = useState(null);
  latest.current = { at, zones, show, onPick, index };
  const shape = series.map(s => s.label).join('|') + dark + lang + height + log + min + max;
  useEffect(() => {
    const box = host.current, ink = css('--soft'), grid = css('--rule'), mark = css('--ink');
    const marks = u => {
      const { ctx, bbox } = u, ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      for (const z of latest.current.zones) {
        const y = u.valToPos(z.y, 'y', true);
        if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
        ctx.strokeStyle = css('--bad'); ctx.fillStyle = css('--bad'); ctx.lineWidth = 1.5 * ratio; ctx.setLineDash([]);
        ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
        ctx.textAlign = 'right'; ctx.fillText(z.label, bbox.left + bbox.width - 4 * ratio, y - 4 * ratio);
      }
      if (latest.current.at !== null && latest.current.at !== undefined) {
        const px = u.valToPos(latest.current.at, 'x', true);
        ctx.strokeStyle = mark; ctx.lineWidth = 2 * ratio; ctx.setLineDash([]);
        if (px >= bbox.left && px <= bbox.left + bbox.width) { ctx.beginPath(); ctx.moveTo(px, bbox.top); ctx.lineTo(px, bbox.top + bbox.height); ctx.stroke(); }
      }
      ctx.restore();
    };
    const options = {
      width: Math.max(200, box.clientWidth), height, pxAlign: 0, legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { sync: { key: 'time' }, points: { show: false }, drag: { x: false, y: false }, bind: { click: (u, _, handler) => e => { handler(e); const t = u.posToVal(u.cursor.left, 'x'); latest.current.onPick?.(t); return null; } } },
      scales: { x: { time: true }, y: log ? { distr: 3, range: (_, lo, hi) => [Math.max(1e-3, 10 ** Math.floor(Math.log10(Math.max(lo ?? 0.01, 1e-3)))), 10 ** Math.ceil(Math.log10(Math.max(hi ?? 1, 0.02)))] }
        : { range: (_, lo, hi) => [min ?? Math.min(0, lo ?? 0), max ?? Math.max((hi ?? 1) * 1.08, (lo ?? 0) + 1e-6)] } },
      axes: [
        { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: '11px system-ui, sans-serif', size: 26, values: (_, ts) => ts.map(t => clock(t).slice(0, ts.length > 1 && ts[1] - ts[0] < 60 ? 8 : 5)), incrs: [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 86400], space: 70 },
        { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: '11px system-ui, sans-serif', size: 62, values: (_, vs) => vs.map(v => v === null ? '' : latest.current.show(v)), space: 34,
          ...(log ? { filter: (_, vs) => vs.map(v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? v : null) } : {}) },
      ],
      series: [{}, ...series.map((s, i) => ({ label: s.label, stroke: lineColour(i), width: 2, dash: DASHES[i % DASHES.length], points: { show: false }, spanGaps: false }))],
      hooks: { draw: [marks], setCursor: [u => setHover(u.cursor.idx)] },
    };
    plot.current = new uPlot(options, [x, ...series.map(s => s.values)], box);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(200, box.clientWidth), height }));
    observer.observe(box);
    return () => { observer.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [shape]);
  useEffect(() => { plot.current?.setData([x, ...series.map(s => s.values)]); }, [x, series]);
  useEffect(() => { plot.current?.redraw(); }, [at]);
  const told = hover ?? index, text = i => told >= 0 ? show(series[i].values[told]) : '–';
  return <figure class="chart">
    <div ref={host} role="img" aria-label={`${label}. ${series.map((s, i) => `${s.label}: ${index >= 0 ? show(s.values[index]) : '–'}`).join(', ')}`} />
    <figcaption>{series.map((s, i) => <span key={s.label}><Sample i={i} />{s.label} <b>{text(i)}</b></span>)}{hover !== null && hover !== undefined && <span class="soft">{clock(x[hover])}</span>}</figcaption>
  </figure>;
}
